"""Rating again: the preview, the run and what it changed; and undoing a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loaders import database, runs
from loaders.errors import RatehouseError
from loaders.runs import rerate, rerated, undo
from loaders.runs.dry import DRY_RUN_ID, dry_run
from loaders.settings import home
from orchestration.lib import paths
from orchestration.lib.dry_models import dry_models

_MART = "marts.rpt_rerated_usage"


@dataclass(frozen=True)
class Preview:
    """What rating again would change; nothing was."""

    request: rerate.Request
    sql: str
    record_count: int
    comparison: rerated.Comparison | None

    def sentences(self) -> list[str]:
        """What a person has to know."""
        if self.record_count == 0:
            return ["No record fits."]
        if self.comparison is None:
            return [
                f"{self.record_count:,} records fit, more than {rerate.MOST_RECORDS:,}: what would "
                "change is not tried. Choose fewer to see it."
            ]
        said = self.comparison.sentences()
        extra = self.comparison.record_count - self.record_count
        if extra > 0:
            said.append(f"{extra:,} record(s) more than were chosen.")
        return [*said, f"Seen as of run {self.request.as_of_run}."]


# Lists of the config, and what they are called in a filter.
_LISTS = {
    "accounts": "accounts", "bill_groups": "bill_groups", "sources": "sources",
    "carriers": "carriers", "plans": "plans", "retail_decks": "retail_decks",
    "cost_decks": "cost_decks", "prefixes": "prefixes", "usage_types": "usage_types",
    "charge_classes": "charge_classes", "directions": "directions", "states": "states",
    "reasons": "reasons", "release_causes": "release_causes", "file_ids": "files",
    "usage_ids": "usage_ids", "rated_by_runs": "rated_by_runs",
}  # fmt: skip


def request_of(config: Mapping[str, Any]) -> rerate.Request:
    """What the job's config, or the command's options, ask for; checked."""
    return rerate.Request(
        rerate.RerateFilter(
            started_from=runs.parse_day(config["started_from"]),
            started_before=runs.parse_day(config["started_before"]),
            zone=config["zone"],
            minimum_seconds=rerate.parse_seconds(config["minimum_seconds"]),
            where=config["where"],
            **{name: tuple(config[given]) for given, name in _LISTS.items()},
        ),
        rerate.RerateOptions(
            new_seconds=rerate.parse_seconds(config["new_seconds"]),
            as_received=config["as_received"],
            retail_deck=config["retail_deck"],
            cost_deck=config["cost_deck"],
            rating_version=config["rating_version"] or None,
            known_at=rerate.parse_instant(config["known_at"]),
        ),
        config["as_of_run"],
    )


def default_csv(name: str) -> Path:
    """Where changed calls are written unless somebody says where."""
    return home() / "exports" / f"{name}_{datetime.now(UTC):%Y%m%dT%H%M%S}.csv"


def preview(
    connection: Any, request: rerate.Request, *, top: int = rerated.TOP, csv: Path | None = None
) -> Preview:
    """Rate what fits, look at it beside what counts, and roll it back."""
    rerate.require_production(paths.build_schema())
    with connection, connection.cursor() as cursor:
        if not request.as_of_run:
            request = replace(request, as_of_run=rerate.last_closed_run(cursor))
        query = rerate.query_of(cursor, request)
        cursor.execute(f"select count(distinct (c.file_id, c.line_no)) from ({query}) as c")
        (count,) = cursor.fetchone()
    if count == 0 or count > rerate.MOST_RECORDS:
        return Preview(request, query, count, None)
    with dry_run(connection, dry_models(database.database_url())) as run:
        chosen = rerate.choose(run.cursor, request)
        rerate.refuse_approved(run.cursor)
        run.file_ids = sorted(chosen.file_ids)
        options = request.options
        run.rate(
            until="rated_usage",
            add_work=lambda cursor, run_id: rerate.add_changes(
                cursor, run_id, request, reason="preview", requested_by="preview"
            ),
            known_at=options.known_at,
            only_version=options.rating_version,
        )
        run.compare()
        found = rerated.compare(
            run.cursor, "dry_marts.rpt_rerated_usage", DRY_RUN_ID, top=top, csv=csv
        )
    if found.lost_count:
        raise rerate.RerateRefused(
            f"{found.lost_count:,} record(s) would get no decision: with what was known at "
            f"{request.options.known_at}, their source did not exist. Choose a later instant"
        )
    return Preview(request, query, chosen.record_count, found)


def changed_by(connection: Any, run_id: int, *, top: int = rerated.TOP) -> rerated.Comparison:
    """What a run that rated again has changed."""
    with connection, connection.cursor() as cursor:
        return rerated.compare(cursor, _MART, run_id, top=top)


def opener(
    request: rerate.Request, *, reason: str, arguments: dict[str, Any]
) -> Callable[[Any], runs.RatingRun | None]:
    """A function for rate_until_done: the asked run, after one that was left unfinished."""
    is_done = False

    def open_run(connection: Any) -> runs.RatingRun | None:
        nonlocal is_done
        if is_done:
            return None
        run = rerate.open_rerate_run(connection, request, reason=reason, **arguments)
        # An unfinished run that was taken up may be the very one: killed and started again.
        is_done = run is None or not run.is_resumed or request.is_that_of(run)
        return run

    return open_run


@dataclass(frozen=True)
class Undoing:
    """What undoing a run does, with the money it moves."""

    plan: undo.UndoPlan
    comparison: rerated.Comparison | None
    undo_id: int | None = None

    def sentences(self) -> list[str]:
        """What a person has to know."""
        said = [self.plan.in_words()]
        if self.comparison is not None:
            said += self.comparison.sentences()
            if not self.plan.brings_back:
                said.append("The tables show what the run changed; undoing it is the reverse.")
        return said


def preview_undo(connection: Any, run_id: int) -> Undoing:
    """What undoing a run would do; changes nothing."""
    plan = undo.preview_undo(connection, run_id, build_schema=paths.build_schema())
    found = changed_by(connection, plan.rated_run_id) if plan.changes else None
    return Undoing(plan, found)


def undo_run(connection: Any, run_id: int, *, reason: str, arguments: dict[str, Any]) -> Undoing:
    """Undo a run; doing it twice changes nothing."""
    plan, undo_id = undo.undo_run(connection, run_id, reason=reason, **arguments)
    return Undoing(plan, None, undo_id)


def undone_sentences(done: Undoing) -> list[str]:
    """What was done."""
    if done.undo_id is None:
        return [f"{done.plan.in_words()} Nothing was changed."]
    verb = "counts again" if done.plan.brings_back else "is undone"
    return [
        f"Run {done.plan.rated_run_id} {verb}, by run {done.undo_id}; "
        f"`ratehouse undo {done.undo_id}` takes that back."
    ]


def read_where(text: str) -> dict[str, Any]:
    """Nested conditions given as JSON."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise RatehouseError(f"the conditions are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RatehouseError('the conditions are an object, like {"any": [...]}')
    return value
