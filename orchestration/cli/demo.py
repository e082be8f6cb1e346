"""The command that shows everything at once: a demo month from files to draft invoices."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database, runs, settings
from loaders.errors import RatehouseError
from orchestration.cli.output import print_table
from orchestration.lib import figures, paths
from orchestration.lib.tables import format_amount

DEMO_MONTH = "2026-10"


def register(app: typer.Typer) -> None:
    """Add demo."""
    app.command()(demo)


def demo(
    cdrs: Annotated[int, typer.Option(min=1, help="Call records to generate.")] = 50_000,
    charges: Annotated[int, typer.Option(min=0, help="Carrier charges to generate.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
) -> None:
    """Rate and bill a demo month; again, and nothing changes."""
    began = time.monotonic()
    say = _Progress(began)
    url = database.ensure_database(say)
    folder = settings.home() / "demo"
    month = _ensure_data(folder, cdrs, charges, seed, say)
    changes = _run_everything(folder, month, say)
    with closing(database.connect(url=url)) as connection:
        _print_summary(connection, month)
    if changes:
        typer.echo(f"Done in {time.monotonic() - began:.0f} s: " + "; ".join(changes) + ".")
    else:
        typer.echo(
            f"Done in {time.monotonic() - began:.0f} s: nothing changed. Every file was known, "
            "every record was rated, every draft came out the same to the last digit."
        )


class _Progress:
    """One line per step, with the seconds since the start."""

    def __init__(self, began: float) -> None:
        self._began = began

    def wording(self, text: str) -> str:
        return f"[{time.monotonic() - self._began:5.1f} s] {text}"

    def __call__(self, text: str) -> None:
        typer.echo(self.wording(text), err=True)


def _ensure_data(folder: Path, cdrs: int, charges: int, seed: int, say: _Progress) -> str:
    """Generate the data if they are not there; the month they are of."""
    wanted = {"cdrs": cdrs, "charges": charges, "seed": seed}
    description = folder / "manifest.json"
    if description.exists():
        manifest = json.loads(description.read_text())
        made = {name: manifest[name] for name in wanted}
        if made != wanted:
            raise RatehouseError(
                f"{folder} holds demo data of other options ({_in_words(made)}). What has been "
                "landed stays landed: for another demo set RATEHOUSE_HOME to a new folder, or "
                "start over with make clean"
            )
        return manifest["month"]
    from loaders.demo.generate import DemoOptions, generate

    month = demo_month(datetime.now(UTC).date())
    say(f"generating {cdrs:,} calls and {charges:,} charges of {month} (seed {seed})")
    # Made beside and moved in one step: a killed demo leaves no half of it.
    partial = folder.with_name("demo.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    generate(partial, DemoOptions(cdrs=cdrs, charges=charges, seed=seed, month=month))
    partial.rename(folder)
    return month


def demo_month(today: date) -> str:
    """The demo month, or the last whole month while that one still lies ahead.

    Calls that start after their file was received are errors, and rightly so.
    """
    if today >= date(2026, 11, 1):
        return DEMO_MONTH
    return f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"


def _in_words(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


def _run_everything(folder: Path, month: str, say: _Progress) -> list[str]:
    """Reference, files, rating, drafts; what of it was new."""
    from orchestration.lib import dbt_environment
    from orchestration.lib.execution import run_job

    folders = {
        paths.DROP_FOLDER_VARIABLE: str(folder / "files"),
        paths.REFERENCE_FOLDER_VARIABLE: str(folder / "reference"),
    }
    changes = []
    with dbt_environment.variables(folders):
        say("loading reference data")
        loaded = run_job("load_reference", wording=say.wording)
        rows = sum(
            metadata["rows_added"] + metadata["rows_changed"]
            for kind in loaded.keys_under("reference")
            for metadata in loaded.metadata_of(kind)
        )
        if rows:
            changes.append(f"{rows:,} reference rows loaded")
        say("landing and rating files")
        rated = run_job("rate_usage", wording=say.wording)
        landed = sum(m["files_landed"] for m in rated.metadata_of("control/file"))
        if landed:
            changes.append(f"{landed} files landed")
        for metadata in rated.metadata_of("runs/rating_run"):
            changes.append(f"rating run {metadata['rating_run_id']} closed, balanced")
        say(f"drafting the invoices of {month}")
        billed = run_job(
            "billing_run",
            {"billing_models": {"period": month, "bill_group": "all", "dry_run": False}},
            wording=say.wording,
        )
        for metadata in billed.metadata_of("runs/invoice_run"):
            if metadata["is_changed"]:
                changes.append(
                    f"bill group {metadata['bill_group']}: {metadata['invoices']} invoices drafted"
                )
    return changes


def _print_summary(connection: Any, month: str) -> None:
    files = figures.file_rows(connection)
    shown = ("file", "source", "layout", "status", "records", "data", "quarantined", "why")
    places = [figures.FILE_COLUMNS.index(name) for name in shown]
    print_table("Files", shown, [[row[place] for place in places] for row in files])
    print_table("Records by final state", figures.STATE_COLUMNS, figures.state_rows(connection))
    balance = list(figures.as_facts(figures.BALANCE_COLUMNS, figures.balance_rows(connection)))
    difference = sum(abs(file["difference"]) for file in balance)
    verdict = "OUT OF BALANCE" if difference else "every record is accounted for once: balanced"
    parts = ("billed", "not_billable", "duplicate", "error", "quarantined", "non_data", "held",
             "waiting")  # fmt: skip
    sums = {part: sum(file[part] for file in balance) for part in parts}
    typer.echo(
        f"Balance: {sum(file['records'] for file in balance):,} records received = "
        + " + ".join(f"{n:,} {part.replace('_', ' ')}" for part, n in sums.items() if n)
        + f"; {verdict}.\n"
    )
    print_table("Billed, by class", figures.CLASS_COLUMNS, figures.class_rows(connection))
    drafts = figures.draft_rows(connection, runs.parse_period(month))
    print_table(f"Draft invoices of {month}", figures.DRAFT_COLUMNS, [row[1:] for row in drafts])
    print_table(
        "Largest invoices",
        figures.INVOICE_COLUMNS,
        figures.top_invoice_rows(connection, [row[0] for row in drafts]),
    )
    suspense = figures.suspense_rows(connection)
    shown = ("kind", "reason", "source", "records", "at_risk", "currency", "what_to_do")
    places = [figures.SUSPENSE_COLUMNS.index(name) for name in shown]
    print_table(
        "Suspended", [name.replace("_", " ") for name in shown],
        [[row[place] for place in places] for row in suspense],
    )  # fmt: skip
    at_risk: dict[str, Any] = {}
    for row in figures.as_facts(figures.SUSPENSE_COLUMNS, suspense):
        if row["at_risk"] is not None and row["currency"] is not None:
            at_risk[row["currency"]] = at_risk.get(row["currency"], 0) + row["at_risk"]
    for currency, amount in sorted(at_risk.items()):
        typer.echo(f"Money at risk in suspense: {format_amount(amount)} {currency}")
    example = figures.example_usage_id(connection)
    typer.echo("\nWhere to look next:")
    for command, purpose in (
        (f"ratehouse explain {example}" if example else "", "how one call became its amount"),
        ("ratehouse errors", "what is suspended and what to do about it"),
        ("ratehouse reconcile", "every record of every file, accounted for"),
        ("ratehouse files", "files and what became of them"),
        (f"ratehouse bill {month} --dry-run", "what would be billed"),
        ("make dev", "assets, lineage and runs on http://127.0.0.1:3000"),
    ):
        if command:
            typer.echo(f"  {command:<44} {purpose}")
    typer.echo(f"  dashboards read the schema marts; files lie in {settings.home() / 'demo'}\n")
