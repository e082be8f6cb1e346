"""A small demo month through Dagster on a scratch database: files to draft invoices, twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loaders import database as warehouse
from loaders import runs

PERIOD = "2026-10"
COMMAND = str(Path(sys.executable).parent / "ratehouse")


@dataclass(frozen=True)
class Installation:
    """A home folder and a database of its own, with the demo's data in it."""

    url: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        demo = self.home / "demo"
        return {
            **os.environ,
            "RATEHOUSE_DATABASE_URL": self.url,
            "RATEHOUSE_HOME": str(self.home),
            "RATEHOUSE_DROP_DIR": str(demo / "files"),
            "RATEHOUSE_REFERENCE_DIR": str(demo / "reference"),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command as an operator runs it."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with (
            closing(warehouse.connect(url=self.url)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query, values)
            return cursor.fetchall()

    def checksum(self) -> tuple[Any, ...]:
        """Every decision and every draft line, without the numbers of the runs that made them."""
        return (
            self.rows(
                "select count(*), md5(string_agg(md5((to_jsonb(u) - 'rating_run_id')::text), '' "
                "order by usage_id)) from rating.current_rated_usage as u"
            ),
            self.rows(
                "select count(*), md5(string_agg(md5((to_jsonb(c) - 'rating_run_id')::text), '' "
                "order by charge_id)) from rating.current_rated_charge as c"
            ),
            self.rows(
                "select count(*), md5(string_agg(md5((to_jsonb(l) - 'invoice_run_id')::text), '' "
                "order by account_id, currency_code, line_no)) from billing.draft_invoice_line as l"
            ),
        )


@pytest.fixture(scope="module")
def make_installation(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Installation]:
    def make() -> Installation:
        return Installation(make_database(), tmp_path_factory.mktemp("home"))

    return make


@pytest.fixture(scope="module")
def demo(make_installation: Callable[[], Installation]) -> Iterator[tuple[Installation, str]]:
    """The demo command has run once: the installation, and what it said."""
    installation = make_installation()
    done = installation.run("demo", "--cdrs", "2000", "--charges", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    yield installation, done.stdout


def test_the_demo_prints_what_a_person_wants_to_know(demo: tuple[Installation, str]) -> None:
    _, said = demo
    for words in (
        "Files", "Records by final state", "balanced", "Billed, by class", "international",
        "Draft invoices of 2026-10", "Largest invoices", "Suspended", "Money at risk",
        "Where to look next", "ratehouse explain",
    ):  # fmt: skip
        assert words in said
    assert "OUT OF BALANCE" not in said


def test_every_landed_record_has_exactly_one_state(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    balance = installation.json("reconcile")
    assert balance["is_balanced"] is True
    assert {file["difference"] for file in balance["files"]} == {0}
    landed = installation.rows(
        "select sum(data_count)::bigint from control.file where status = 'landed'"
    )
    first_legs = installation.rows(
        "select (select count(*) from rating.current_rated_usage where leg_no = 1) "
        "+ (select count(*) from rating.current_rated_charge)"
    )
    assert landed == first_legs
    assert landed[0][0] > 2000


def test_the_second_demo_changes_nothing_and_says_so(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    before = installation.checksum()
    counts = (
        "select (select count(*) from control.rating_run), (select count(*) from control.file), "
        "(select count(*) from rating.rated_usage), (select count(*) from reference.rate)"
    )
    counted = installation.rows(counts)
    done = installation.run("demo", "--cdrs", "2000", "--charges", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing changed" in done.stdout
    assert installation.checksum() == before
    assert installation.rows(counts) == counted


def test_a_demo_of_other_size_is_refused_in_words(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    done = installation.run("demo", "--cdrs", "7")
    assert done.returncode == 2
    assert "holds demo data of other options (cdrs 2000" in done.stderr


def test_run_history_and_metadata_are_in_the_same_database(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    jobs = installation.rows(
        "select distinct pipeline_name from dagster.runs where status = 'SUCCESS' order by 1"
    )
    assert [job for (job,) in jobs] == ["billing_run", "load_reference", "rate_usage"]
    events = installation.rows(
        'select event from dagster.event_logs where asset_key = \'["runs", "rating_run"]\' '
        "and dagster_event_type = 'ASSET_MATERIALIZATION'"
    )
    metadata = events[0][0]
    assert "| kind | state | reason | records |" in metadata
    assert "| file | source | layout |" in metadata
    for asset in ("rated_usage", "draft_invoice_line"):
        found = installation.rows(
            "select count(*) from dagster.event_logs where asset_key like %s "
            "and dagster_event_type = 'ASSET_MATERIALIZATION'",
            f'%"{asset}"]',
        )
        assert found[0][0] >= 1


def test_dbt_target_folders_are_cleaned_up(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    assert list((installation.home / "dbt" / "runs").iterdir()) == []


def test_explain_leads_from_the_raw_line_to_the_amount(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    [(usage_id, file_name, source, line_no, amount)] = installation.rows(
        "select u.usage_id, f.file_name, f.source_code, u.line_no, u.retail_amount "
        "from rating.current_rated_usage as u "
        "inner join control.file as f on u.file_id = f.file_id "
        "where u.state = 'billed' and u.leg_no = 1 and u.direction = 'outbound' "
        "order by u.retail_amount desc, u.usage_id limit 1"
    )
    by_number = {
        section["title"]: section for section in installation.json("explain", str(usage_id))
    }
    assert f"{file_name} (file" in by_number["File"]["file"]
    assert len(by_number["As received"]) > 3
    assert by_number["Decision"]["state"] == "billed"
    price = by_number["Price"]
    assert Decimal(price["amount"]) == amount
    assert {"deck", "row", "matched prefix", "billed seconds", "unrounded", "rounding"} <= set(
        price
    )
    assert by_number["Rated by"]["code"]
    by_line = installation.json("explain", f"{source}/{file_name}:{line_no}")
    assert by_line[:2] == [by_number["File"], by_number["As received"]]


def test_explain_leads_from_an_invoice_line_to_its_records(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    [(account, line_no, records, amount)] = installation.rows(
        "select k.account_code, l.line_no, l.record_count, l.line_amount "
        "from billing.draft_invoice_line as l "
        "inner join reference.account_key as k on l.account_id = k.account_id "
        "where l.line_kind = 'usage' and l.record_count between 2 and 10 "
        "order by l.line_amount desc, 1, 2 limit 1"
    )
    line, largest, *_ = installation.json("explain", f"{account}:{PERIOD}:{line_no}")
    assert line["amount"] == f"{amount:f}"
    assert len(largest["rows"]) == records


def test_explain_says_what_stands_behind_every_kind_of_line(
    demo: tuple[Installation, str],
) -> None:
    installation, _ = demo
    kinds = installation.rows(
        "select distinct on (l.line_kind) l.line_kind, k.account_code, l.line_no, l.detail "
        "from billing.draft_invoice_line as l "
        "inner join reference.account_key as k on l.account_id = k.account_id "
        "order by l.line_kind, k.account_code, l.line_no"
    )
    assert "rounding" in {kind for kind, *_ in kinds}
    for kind, account, line_no, detail in kinds:
        first, *others = installation.json("explain", f"{account}:{PERIOD}:{line_no}")
        assert first["kind"] == kind
        titles = [section["title"] for section in others]
        assert ("Rounding" in titles) == (kind == "rounding")
        assert ("How it came about" in titles) == bool(detail)


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("99999999999999", "there is no file"),
        ("nosuch.csv:3", "no file of the name 'nosuch.csv' was ever received"),
        ("nobody:2026-10:1", "account nobody has no line 1 on an invoice of 2026-10"),
        ("what", "'what' names nothing"),
    ],
)
def test_explain_refuses_in_words(
    demo: tuple[Installation, str], identifier: str, words: str
) -> None:
    done = demo[0].run("explain", identifier)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_errors_are_for_a_person_to_look_at(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    found = installation.json("errors", code=3)
    counted = installation.rows(
        "select count(*) from rating.current_rated_usage where state = 'error' and leg_no = 1"
    )
    assert sum(row["records"] for row in found if row["kind"] == "usage") == counted[0][0]
    assert all(row["what_to_do"] for row in found)


def test_a_dry_run_shows_and_writes_nothing(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    before = installation.rows("select max(event_id) from control.event")
    shown = installation.json("bill", PERIOD, "--dry-run")
    assert installation.rows("select max(event_id) from control.event") == before
    totals = installation.rows(
        "select count(*) from billing.draft_invoice as i where i.invoice_total <> 0"
    )
    assert len(shown) >= totals[0][0] > 0


def test_reprocess_previews_first_and_then_replaces(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    reasons = installation.rows(
        "select reason, count(distinct (file_id, line_no)) from rating.current_rated_usage "
        "where state = 'error' group by 1 order by 2 desc limit 1"
    )
    reason, number = reasons[0]
    before = installation.checksum()
    preview = installation.json("reprocess", "--reason", reason)
    usage = [row["records"] for row in preview["suspended"] if row["kind"] == "usage"]
    assert sum(usage) == number
    assert preview["runs"] == []
    done = installation.json("reprocess", "--reason", reason, "--yes")
    assert [run["kind"] for run in done["runs"]] == ["reprocess"]
    # Nothing was added meanwhile: the same records end the same way, as rows of a later run.
    assert installation.checksum() == before
    versions = installation.rows(
        "select count(*) - count(distinct usage_id) from rating.rated_usage where reason = %s",
        reason,
    )
    assert versions[0][0] >= number
    assert installation.json("reconcile")["is_balanced"] is True


def test_killed_anywhere_and_started_again_the_result_is_the_same(
    demo: tuple[Installation, str], make_installation: Callable[[], Installation]
) -> None:
    """kill -9 of the whole command while dbt works, twice, then an undisturbed one."""
    undisturbed, _ = demo
    victim = make_installation()
    shutil.copytree(undisturbed.home / "demo", victim.home / "demo")
    for until in ("int_usage__work_files", "model rated_usage"):
        process = subprocess.Popen(
            [COMMAND, "demo", "--cdrs", "2000", "--charges", "100"],
            env=victim.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if until in line:
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait(timeout=60) == -signal.SIGKILL
        process.stdout.close()
    done = victim.run("demo", "--cdrs", "2000", "--charges", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    assert victim.rows("select status, attempt from control.rating_run") == [("closed", 3)]
    assert amounts(victim) == amounts(undisturbed)
    stuck = victim.rows("select count(*) from dagster.runs where status in ('STARTED', 'STARTING')")
    assert stuck == [(0,)]


# By file and line: file numbers depend on what was killed when.
AMOUNTS = """
    select f.source_code, f.file_name, u.line_no, u.leg_no, u.state, u.reason,
        u.retail_billed_seconds, u.retail_amount, u.cost_amount
    from rating.current_rated_usage as u
    inner join control.file as f on u.file_id = f.file_id
    order by 1, 2, 3, 4
"""


def amounts(installation: Installation) -> list[tuple[Any, ...]]:
    found = installation.rows(AMOUNTS)
    assert len(found) > 1000
    return found


def test_a_second_command_is_told_who_is_at_work(demo: tuple[Installation, str]) -> None:
    installation, _ = demo
    with closing(warehouse.connect(url=installation.url)) as connection:
        run = runs.open_invoice_run(
            connection,
            runs.parse_period("2026-12"),
            "main",
            requested_by="somebody",
            code_commit="c",
        )
        started = time.monotonic()
        done = installation.run("rate")
        assert done.returncode == 2
        assert "the draft of 2026-12, bill group main, is being built" in done.stderr
        assert time.monotonic() - started < 60
        runs.fail_invoice_run(connection, run, "over")
