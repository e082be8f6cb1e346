"""Commands that rate, and that show what rating decided and why."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from loaders import database, runs
from orchestration.cli.output import (
    LOOK_EXIT_CODE,
    as_records,
    print_facts,
    print_json,
    print_table,
)
from orchestration.lib import figures

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def register(app: typer.Typer) -> None:
    """Add rate, reprocess, reconcile, errors and explain."""
    app.command()(rate)
    app.command()(reprocess)
    app.command()(reconcile)
    app.command()(errors)
    app.command()(explain)


def _open() -> Any:
    return closing(database.connect(url=database.ensure_database()))


def rate(
    reason: Annotated[str, typer.Option(help="Why, in words; kept with the run.")] = "",
    as_json: Json = False,
) -> None:
    """Land what lies in the drop folder and rate every landed file no run has taken yet.

    Exit code 3: rated, but a file was held or a record is suspended.
    """
    from orchestration.lib.execution import run_job

    result = run_job("rate_usage", {"rating_models": {"reason": reason}})
    rated = result.metadata_of("runs/rating_run")
    landed = result.metadata_of("control/file")
    held = sum(metadata["files_held_or_failed"] for metadata in landed)
    errors_found = sum(metadata.get("records_error", 0) for metadata in rated)
    if as_json:
        print_json(
            {
                "files_held_or_failed": held,
                "runs": [
                    {
                        name: value
                        for name, value in metadata.items()
                        if isinstance(value, str | int) and "|" not in str(value)
                    }
                    for metadata in rated
                ],
            }
        )
    else:
        for metadata in rated:
            states = ", ".join(
                f"{value:,} {name.removeprefix('records_').replace('_', ' ')}"
                for name, value in metadata.items()
                if name.startswith("records_")
            )
            typer.echo(f"Rating run {metadata['rating_run_id']} balances: {states}.")
        if not rated:
            typer.echo("Nothing changed: every landed file is rated.")
        if held:
            typer.echo(f"{held} file(s) were held or failed: ratehouse files")
        if errors_found:
            typer.echo(f"{errors_found:,} record(s) are suspended: ratehouse errors")
    if held or errors_found:
        raise typer.Exit(LOOK_EXIT_CODE)


def reprocess(
    reason: Annotated[
        list[str] | None, typer.Option("--reason", help="Only this reason; may be repeated.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")
    ] = None,
    file_id: Annotated[
        list[int] | None, typer.Option("--file", help="Only this file number; may be repeated.")
    ] = None,
    started_from: Annotated[
        str, typer.Option("--from", help="First day, as 2026-10-01 (UTC).")
    ] = "",
    started_before: Annotated[
        str, typer.Option("--before", help="The day after the last one (UTC).")
    ] = "",
    without_account: Annotated[
        bool, typer.Option("--without-account", help="Only records that belong to nobody.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Rate them again; without it they are only counted.")
    ] = False,
    note: Annotated[str, typer.Option(help="Why, in words; kept with the run.")] = "",
    as_json: Json = False,
) -> None:
    """Rate suspended records again, once what they lacked was added. Previews without --yes."""
    filters = runs.SuspenseFilters(
        reasons=tuple(reason or ()),
        source_codes=tuple(source or ()),
        file_ids=tuple(file_id or ()),
        started_from=runs.parse_day(started_from),
        started_before=runs.parse_day(started_before),
        only_without_account=without_account,
    )
    from orchestration.lib import paths

    outcomes: list[runs.Outcome] | None = []
    with _open() as connection:
        groups = runs.preview_reprocess(connection, filters, build_schema=paths.build_schema())
        if groups and not yes:
            from orchestration.lib import what_if

            outcomes = what_if.outcomes(connection, filters)
    columns = ("kind", "reason", "source", "records", "files", "currency", "at_risk")
    rows = [
        (
            g.record_kind,
            g.reason,
            g.source_code,
            g.record_count,
            g.file_count,
            g.currency_code,
            g.at_risk_amount,
        )
        for g in groups
    ]
    rated: list[Any] = []
    if yes and rows:
        from orchestration.lib.execution import run_job

        config = {
            "preview": False,
            "reasons": list(filters.reasons),
            "source_codes": list(filters.source_codes),
            "file_ids": list(filters.file_ids),
            "started_from": started_from,
            "started_before": started_before,
            "only_without_account": without_account,
            "note": note,
        }
        result = run_job("reprocess_suspense", {"reprocess_suspended_records": config})
        rated = [
            {
                name: value
                for name, value in metadata.items()
                if name in ("rating_run_id", "kind", "files", "lines")
                or name.startswith("records_")
            }
            for metadata in result.metadata_of("runs/rating_run")
        ]
    if as_json:
        shown: dict[str, Any] = {"suspended": as_records(columns, rows), "runs": rated}
        if rows and not yes:
            shown["outcome"] = (
                None
                if outcomes is None
                else as_records(what_if.COLUMNS, what_if.rows(outcomes))
            )
        print_json(shown)
        return
    print_table("Suspended records that fit", columns, rows)
    for metadata in rated:
        states = ", ".join(
            f"{value:,} {name.removeprefix('records_').replace('_', ' ')}"
            for name, value in metadata.items()
            if name.startswith("records_")
        )
        typer.echo(f"Rating run {metadata['rating_run_id']} ({metadata['kind']}): now {states}.")
    if rows and not yes:
        if outcomes is None:
            typer.echo(what_if.TOO_MANY)
        else:
            print_table(
                "What would come of them", _spaced(what_if.COLUMNS), what_if.rows(outcomes)
            )
        typer.echo("Nothing was changed. Rate them again with --yes.")


def reconcile(as_json: Json = False) -> None:
    """Show where every record of every file ended. Exit code 3 if they do not add up."""
    with _open() as connection:
        figures.require_rated(connection)
        rows = figures.balance_rows(connection)
        unfinished = figures.unfinished_runs(connection)
    place = figures.BALANCE_COLUMNS.index
    unbalanced = [row for row in rows if row[place("difference")] != 0]
    waiting = [row for row in rows if row[place("waiting")]]
    if as_json:
        print_json(
            {
                "is_balanced": not unbalanced and not unfinished,
                "files": as_records(figures.BALANCE_COLUMNS, rows),
                "unfinished_runs": as_records(figures.UNFINISHED_COLUMNS, unfinished),
            }
        )
    else:
        print_table("Balance per file", _spaced(figures.BALANCE_COLUMNS), rows)
        if waiting:
            typer.echo(f"{len(waiting)} file(s) wait for their rating run: ratehouse rate")
        if unfinished:
            print_table("Unfinished rating runs", _spaced(figures.UNFINISHED_COLUMNS), unfinished)
            typer.echo("The next `ratehouse rate` takes an unfinished run up again.")
        if unbalanced:
            names = ", ".join(row[place("file")] for row in unbalanced)
            typer.echo(f"OUT OF BALANCE: {names}")
        elif not unfinished:
            total = sum(row[place("records")] for row in rows)
            typer.echo(f"Everything balances: {total:,} records, each accounted for once.")
    if unbalanced or unfinished:
        raise typer.Exit(LOOK_EXIT_CODE)


def errors(as_json: Json = False) -> None:
    """Show suspended records by reason: how many, how much money waits, what to do."""
    with _open() as connection:
        figures.require_rated(connection)
        rows = figures.suspense_rows(connection)
    if as_json:
        print_json(as_records(figures.SUSPENSE_COLUMNS, rows))
    else:
        print_table(
            "Suspended records",
            _spaced(figures.SUSPENSE_COLUMNS),
            rows,
            empty="none; every record is billed, not billable or a duplicate",
        )
    if rows:
        raise typer.Exit(LOOK_EXIT_CODE)


def explain(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A usage or charge number, `file name:line`, or `account:2026-10:line`.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show how a record became its amount: line, values, rule, deck row, units, rounding, run."""
    from orchestration.lib.explain import explain as explain_record

    with _open() as connection:
        sections = explain_record(connection, identifier)
    if as_json:
        print_json(
            [
                {"title": s.title, **s.facts}
                | ({"rows": as_records(s.columns, s.rows)} if s.rows else {})
                for s in sections
            ]
        )
        return
    for section in sections:
        if section.columns:
            print_table(section.title, section.columns, section.rows)
        else:
            print_facts(section.title, section.facts.items())


def _spaced(columns: tuple[str, ...]) -> list[str]:
    return [name.replace("_", " ") for name in columns]
