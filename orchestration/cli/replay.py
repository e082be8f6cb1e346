"""The command that proves that landing and the code give what stands."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from loaders import database
from orchestration.cli.history import actor
from orchestration.cli.output import LOOK_EXIT_CODE, as_records, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add replay."""
    app.command()(replay)


def replay(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it is only said what there is to do.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what it builds, until the next replay.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, in words; kept with the replay.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Make every run again from landing, beside production, and compare by checksum.

    Production is not changed. Exit code 3: something differs.
    """
    from orchestration.lib import replay as engine

    if not yes:
        with closing(database.connect(url=database.ensure_database())) as connection:
            planned = engine.plan(connection)
        if as_json:
            print_json(
                {
                    "changed": False,
                    "runs": len(planned.runs),
                    "records": planned.record_count,
                    "drafts": len(planned.drafts),
                    "runs_of_other_code": planned.runs_of_other_code(),
                    "drafts_not_compared": planned.older_drafts,
                }
            )
            return
        for sentence in planned.sentences():
            typer.echo(sentence)
        typer.echo("Nothing was done. Start it with --yes.")
        return
    result = _run(reason, keep)
    if as_json:
        print_json(result)
    else:
        rows = [tuple(row[name] for name in engine.COLUMNS) for row in result["comparisons"]]
        print_table(
            f"Replay {result['replay_id']}", [name.replace("_", " ") for name in engine.COLUMNS],
            rows,
        )  # fmt: skip
        for sentence in result["notes"]:
            typer.echo(sentence)
        typer.echo("Everything is equal." if result["is_equal"] else "Not everything is equal.")
    if not result["is_equal"]:
        raise typer.Exit(LOOK_EXIT_CODE)


def _run(reason: str, keep: bool) -> dict[str, Any]:
    from orchestration.lib import replay as engine
    from orchestration.lib.execution import run_job

    config = {"reason": reason, "keep": keep, "preview": False}
    job = run_job("replay_proof", {"replay_every_run": config}, requested_by=actor())
    (metadata,) = job.metadata_of("runs/replay")
    return {
        "replay_id": metadata["replay_id"],
        "is_equal": metadata["is_equal"],
        "comparisons": as_records(engine.COLUMNS, metadata["rows"]),
        "differing_runs": metadata["differing_runs"],
        "notes": metadata["notes"],
    }
