"""Commands that rate again what was rated, undo a run, and prove the totals."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database, runs
from loaders.runs import rerate as engine
from loaders.runs import rerated
from orchestration.cli.history import actor
from orchestration.cli.output import LOOK_EXIT_CODE, as_records, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Reason = Annotated[str, typer.Option(help="Why, in words; kept with the run.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it is only shown.")]


def register(app: typer.Typer) -> None:
    """Add rerate, undo and refresh."""
    app.command()(rerate)
    app.command()(undo)
    app.command()(refresh)


def _many(name: str, words: str) -> Any:
    return typer.Option(name, help=f"{words}; may be repeated.")


def rerate(
    started_from: Annotated[str, typer.Option("--from", help="First day, as 2026-10-01.")] = "",
    started_before: Annotated[
        str, typer.Option("--before", help="The day after the last one.")
    ] = "",
    zone: Annotated[
        str, typer.Option(help="Zone of the two days: utc, or account (each account's own).")
    ] = "utc",
    account: Annotated[list[str] | None, _many("--account", "Only this account")] = None,
    bill_group: Annotated[list[str] | None, _many("--bill-group", "Only this group")] = None,
    source: Annotated[list[str] | None, _many("--source", "Only this source")] = None,
    carrier: Annotated[list[str] | None, _many("--carrier", "Only this carrier")] = None,
    plan: Annotated[list[str] | None, _many("--plan", "Charged by this plan")] = None,
    retail_deck: Annotated[list[str] | None, _many("--deck", "Charged by this deck")] = None,
    cost_deck: Annotated[list[str] | None, _many("--cost-deck", "Cost by this deck")] = None,
    prefix: Annotated[list[str] | None, _many("--prefix", "Called number begins so")] = None,
    usage_type: Annotated[list[str] | None, _many("--type", "voice, sms, mms, data")] = None,
    charge_class: Annotated[list[str] | None, _many("--class", "Only this class")] = None,
    direction: Annotated[list[str] | None, _many("--direction", "outbound, inbound")] = None,
    state: Annotated[
        list[str] | None, _many("--state", "billed, not_billable, error, duplicate")
    ] = None,
    why_not: Annotated[
        list[str] | None, _many("--not-billed-for", "Reason, like missing_rate")
    ] = None,
    release_cause: Annotated[
        list[str] | None, _many("--release-cause", "How the call ended")
    ] = None,
    minimum_seconds: Annotated[str, typer.Option(help="Only this long or longer, like 3600.")] = "",
    file_id: Annotated[list[int] | None, _many("--file", "Only this file number")] = None,
    usage_id: Annotated[list[int] | None, _many("--usage-id", "Only this leg")] = None,
    run: Annotated[list[int] | None, _many("--run", "Only what this run rated")] = None,
    where: Annotated[
        str, typer.Option(help='Nested conditions as JSON: {"any": [{"field": ..., "is": ...}]}.')
    ] = "",
    new_seconds: Annotated[str, typer.Option(help="Their duration becomes this, like 60.")] = "",
    as_received: Annotated[
        bool, typer.Option("--as-received", help="Corrected durations become the lines'.")
    ] = False,
    new_deck: Annotated[str, typer.Option(help="Charge by this deck instead.")] = "",
    new_cost_deck: Annotated[str, typer.Option(help="Cost by this deck instead.")] = "",
    rules: Annotated[
        int, typer.Option(help="By this version of the rules, whatever the month is pinned to.")
    ] = 0,
    known_at: Annotated[
        str, typer.Option(help="With the reference data of then, like 2026-10-31T12:00:00Z.")
    ] = "",
    as_of_run: Annotated[int, typer.Option(help="Only what a preview saw: the run it names.")] = 0,
    top: Annotated[int, typer.Option(help="How many single calls to show.")] = rerated.TOP,
    csv: Annotated[
        Path | None, typer.Option(help="Write every changed call to this file (preview).")
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Rate chosen usage again, billed or not. Shows what would change, unless --yes."""
    config = {
        "started_from": started_from, "started_before": started_before, "zone": zone,
        "accounts": account or [], "bill_groups": bill_group or [], "sources": source or [],
        "carriers": carrier or [], "plans": plan or [], "retail_decks": retail_deck or [],
        "cost_decks": cost_deck or [], "prefixes": prefix or [], "usage_types": usage_type or [],
        "charge_classes": charge_class or [], "directions": direction or [],
        "states": state or [], "reasons": why_not or [],
        "release_causes": release_cause or [], "minimum_seconds": minimum_seconds,
        "file_ids": file_id or [], "usage_ids": usage_id or [], "rated_by_runs": run or [],
        "where": where, "new_seconds": new_seconds, "as_received": as_received,
        "retail_deck": new_deck, "cost_deck": new_cost_deck, "rating_version": rules,
        "known_at": known_at, "as_of_run": as_of_run, "top": top, "reason": reason,
    }  # fmt: skip
    from orchestration.lib import rerate as lib

    config["where"] = lib.read_where(where)
    request = lib.request_of(config)
    if not yes:
        with closing(database.connect(url=database.ensure_database())) as connection:
            seen = lib.preview(connection, request, top=top, csv=csv)
        _show(
            [*seen.sentences(), "Nothing was changed. Do it with --yes and a --reason."],
            seen.comparison,
            {"changed": False, "sql": seen.sql, "as_of_run": seen.request.as_of_run},
            as_json,
        )
        return
    engine.require_reason(reason)
    from orchestration.lib.execution import run_job

    result = run_job("rerate", {"rate_again": {**config, "preview": False}}, requested_by=actor())
    done = [
        metadata["rating_run_id"]
        for metadata in result.metadata_of("runs/rating_run")
        if "summary" in metadata
    ]
    with closing(database.connect(url=database.ensure_database())) as connection:
        if not done:
            _show(["No record fits. Nothing was changed."], None, {"changed": False}, as_json)
        for run_id in done:
            found = lib.changed_by(connection, run_id, top=top)
            said = [
                f"Rating run {run_id} balances and is closed.",
                *found.sentences(),
                f"`ratehouse undo {run_id}` takes it back.",
            ]
            _show(said, found, {"changed": True, "rating_run_id": run_id}, as_json)


def undo(
    run_id: Annotated[
        int, typer.Argument(metavar="RUN", help="A run that rated again, or an undo.")
    ],
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Undo a rerate or reprocess: what it replaced counts again. An undo can be undone too."""
    from orchestration.lib import paths
    from orchestration.lib import rerate as lib

    with closing(database.connect(url=database.ensure_database())) as connection:
        if not yes:
            done = lib.preview_undo(connection, run_id)
            said = [*done.sentences(), "Nothing was changed. Do it with --yes and a --reason."]
        else:
            code = runs.code_version()
            arguments = {
                "requested_by": actor(),
                "code_commit": code.commit,
                "code_is_dirty": code.is_dirty,
                "build_schema": paths.build_schema(),
            }
            done = lib.undo_run(connection, run_id, reason=reason, arguments=arguments)
            said = lib.undone_sentences(done)
    _show(said, done.comparison, {"changed": done.undo_id is not None}, as_json)


def refresh(
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    period: Annotated[str, typer.Option(help="Totals of this period only, like 2026-10.")] = "",
    as_json: Json = False,
) -> None:
    """Work out totals and balances from the facts and compare. Exit code 3 if any differs."""
    from loaders.runs import refresh as proof
    from orchestration.lib import paths

    with (
        closing(database.connect(url=database.ensure_database())) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        found = proof.refresh(
            cursor,
            account=account,
            period=runs.parse_period(period) if period else None,
            build_schema=paths.build_schema(),
        )
    if as_json:
        print_json(
            {
                "is_equal": found.is_equal,
                "differences": as_records(proof.DIFFERENCE_COLUMNS, found.differences),
                "balances": as_records(proof.BALANCE_COLUMNS, found.balances),
            }
        )
    else:
        print_table(
            "Balances", [c.replace("_", " ") for c in proof.BALANCE_COLUMNS], found.balances
        )
        if found.differences:
            print_table("Totals that differ", proof.DIFFERENCE_COLUMNS, found.differences)
        for sentence in found.sentences():
            typer.echo(sentence)
    if not found.is_equal:
        raise typer.Exit(LOOK_EXIT_CODE)


def _show(
    sentences: list[str],
    found: rerated.Comparison | None,
    facts: dict[str, Any],
    as_json: bool,
) -> None:
    tables = [] if found is None else found.tables()
    if as_json:
        print_json(
            {
                **facts,
                "said": sentences,
                **{
                    title.lower().replace(" ", "_"): as_records(columns, rows)
                    for title, columns, rows in tables
                },
            }
        )
        return
    if "sql" in facts:
        typer.echo(f"Asked of the database:\n{facts['sql']}\n")
    for title, columns, rows in tables:
        if rows:
            print_table(title, [name.replace("_", " ") for name in columns], rows)
    for sentence in sentences:
        typer.echo(sentence)
