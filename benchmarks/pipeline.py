"""From a file on disk to draft invoice lines, through the real dbt models, against a bare COPY.

Each round works in a database of its own: bare COPY of the file and landing of the same file, in
turns, then one rating run and one billing run exactly as the jobs start them, without Dagster. The
slow steps are told apart by dbt's own timings; what is left of the wall time is dbt itself: start,
parsing, views, tests.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.scratch import ScratchDatabase
from loaders import runs, settings
from loaders.database import connect
from loaders.demo.bulk import write_bulk
from loaders.demo.generate import DemoOptions, generate
from loaders.files import load_paths
from loaders.layouts import LAYOUTS
from loaders.reference import load_folder

_COLUMNS = next(v for v in LAYOUTS["asterisk_cdr"].variants if v.code == "cdr_csv_18").columns
_PERIOD = dt.date(2026, 10, 1)
# Steps of a rating run worth a line of their own, by dbt model.
_STEPS = {
    "int_usage__normalised": "normalise",
    "int_usage__repeats": "find repeats",
    "rated_usage": "match, classify, rate, write",
    "usage_total": "total",
}


@dataclass
class Round:
    """Seconds of one round, by step."""

    copy: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def timed(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def bare_copy(connection: Any, path: Path) -> float:
    """Seconds for COPY of the file into a logged table of its columns, commit included."""
    columns = ", ".join(f"{column} text" for column in _COLUMNS)
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists public.bare")
        cursor.execute(f"create table public.bare ({columns})")

    def copy() -> None:
        with connection, connection.cursor() as cursor, path.open("rb") as stream:
            cursor.copy_expert("copy public.bare from stdin (format csv)", stream, size=262144)

    return timed(copy)


def dbt_build(url: str, target: Path, selection: str, token: Mapping[str, str]) -> dict[str, float]:
    """Build what a run builds; seconds by dbt node name."""
    project = settings.project_root() / "dbt_project"
    environment = {**os.environ, **settings.dbt_environment(url), **token}
    command = [
        str(Path(sys.executable).with_name("dbt")), "--quiet", "build",
        "--project-dir", str(project), "--profiles-dir", str(project),
        "--target-path", str(target), "--select", selection,
        "--exclude-resource-type", "unit_test",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-4000:] + done.stderr[-4000:])
    results = json.loads((target / "run_results.json").read_text())["results"]
    return {result["unique_id"].split(".")[2]: result["execution_time"] for result in results}


def one_round(url: str, number: int, path: Path, reference: Path, target: Path) -> Round:
    """Measure everything once in a new database."""
    with ScratchDatabase(url, f"ratehouse_bench_{number}") as scratch:
        connection = connect(url=scratch.url)
        load_folder(connection, reference)
        measured = Round()
        landing: list[Any] = []
        steps: list[Callable[[], None]] = [
            lambda: setattr(measured, "copy", bare_copy(connection, path)),
            lambda: measured.seconds.update(
                landing=timed(lambda: landing.extend(load_paths(connection, [path])))
            ),
        ]
        # Who goes first alternates, so that neither always meets the warmer cache.
        for step in steps if number % 2 == 0 else reversed(steps):
            step()
        if landing[0].status != "landed":
            raise SystemExit(f"not landed: {landing[0]}")

        began = time.perf_counter()
        run = runs.open_rating_run(
            connection, requested_by="benchmark", code_commit="benchmark", code_is_dirty=False
        )
        nodes = dbt_build(
            scratch.url, target, "tag:rating", {"RATEHOUSE_RUN_TOKEN": str(run.run_token)}
        )
        runs.close_rating_run(connection, run)
        wall = time.perf_counter() - began
        for model, step_name in _STEPS.items():
            measured.seconds[step_name] = nodes[model]
            wall -= nodes[model]
        measured.seconds["dbt of the rating run: start, parsing, views, tests"] = wall

        began = time.perf_counter()
        for group in ("main", "wholesale"):
            draft = runs.open_invoice_run(
                connection, _PERIOD, group, requested_by="benchmark", code_commit="benchmark"
            )
            nodes = dbt_build(
                scratch.url, target, "tag:billing",
                {"RATEHOUSE_INVOICE_RUN_TOKEN": str(draft.run_token)},
            )  # fmt: skip
            runs.close_invoice_run(connection, draft)
            measured.seconds["draft invoice lines"] = (
                measured.seconds.get("draft invoice lines", 0.0)
                + nodes["draft_invoice_line"]
                + nodes["draft_invoice"]
            )
        measured.seconds["dbt of two billing runs: start, parsing, tests"] = (
            time.perf_counter() - began - measured.seconds["draft invoice lines"]
        )
        connection.close()
        return measured


def table(rounds: Sequence[Round], records: int, size: int) -> str:
    """One honest table: seconds and share of the COPY floor, minimum, median, maximum."""
    copy = statistics.median(r.copy for r in rounds)
    lines = [
        f"{records:,} records, {size / 1e6:,.0f} MB, {len(rounds)} rounds, "
        f"{os.cpu_count()} CPUs",
        "",
        "| step | seconds (min / median / max) | times bare COPY (median) |",
        "| --- | --- | --- |",
    ]

    def row(name: str, values: Sequence[float]) -> None:
        middle = statistics.median(values)
        lines.append(
            f"| {name} | {min(values):.2f} / {middle:.2f} / {max(values):.2f} "
            f"| {middle / copy:.2f} |"
        )

    row("bare COPY (floor)", [r.copy for r in rounds])
    for name in rounds[0].seconds:
        row(name, [r.seconds[name] for r in rounds])
    row("file to draft invoice lines, all of it", [r.total for r in rounds])
    in_sql = [
        sum(v for k, v in r.seconds.items() if not k.startswith("dbt of")) for r in rounds
    ]
    row("the same without dbt's own time", in_sql)
    throughput = [r.copy / r.total for r in rounds]
    in_sql_throughput = [r.copy / s for r, s in zip(rounds, in_sql, strict=True)]
    lines += [
        "",
        f"Throughput against bare COPY: {min(throughput):.2f} / "
        f"{statistics.median(throughput):.2f} / {max(throughput):.2f}; without dbt's own time "
        f"{min(in_sql_throughput):.2f} / {statistics.median(in_sql_throughput):.2f} / "
        f"{max(in_sql_throughput):.2f}.",
    ]
    return "\n".join(lines)


def measure(url: str, records: int, rounds: int) -> str:
    """Generate, measure, tabulate."""
    folder = Path(tempfile.mkdtemp(prefix="ratehouse-bench-"))
    try:
        source = folder / "metro_switch"
        source.mkdir()
        path = source / "bulk.csv"
        generate(folder / "demo", DemoOptions(cdrs=2000, charges=50))
        write_bulk(path, records)
        measured = []
        # Round 0 warms dbt's parse cache and the server; it does not count.
        for number in range(rounds + 1):
            result = one_round(url, number, path, folder / "demo" / "reference", folder / "target")
            warming = "" if number else " (warming up)"
            print(
                f"round {number}{warming}: COPY {result.copy:.2f} s, "
                f"all {result.total:.2f} s, throughput {result.copy / result.total:.2f}",
                flush=True,
            )
            if number:
                measured.append(result)
        return table(measured, records, path.stat().st_size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
