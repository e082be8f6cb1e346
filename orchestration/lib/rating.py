"""The life of rating runs inside one Dagster step: open, build, close, until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2

from loaders import database, runs
from loaders.settings import login_name
from orchestration.lib import paths, progress
from orchestration.lib.dbt_arguments import RATING_TAG
from orchestration.lib.dbt_process import Context, DbtProcess, folder_name
from orchestration.lib.instance import mark_process
from orchestration.lib.report import rating_run_event
from orchestration.lib.words import failures_in_words

Opener = Callable[[Any], runs.RatingRun | None]


def requested_by(context: Context) -> str:
    """Who asked: the tag the command line sets, else a schedule or sensor, else the login."""
    tags: Mapping[str, str] = context.run.tags
    for tag in ("ratehouse/requested_by", "dagster/schedule_name", "dagster/sensor_name"):
        if tag in tags:
            return tags[tag]
    return login_name("unknown")


def run_arguments(context: Context) -> dict[str, Any]:
    """What every opened run remembers about its making."""
    code = runs.code_version()
    return {
        "requested_by": requested_by(context),
        "code_commit": code.commit,
        "code_is_dirty": code.is_dirty,
        "orchestrator_run_id": context.run_id,
        "build_schema": paths.build_schema(),
    }


def rate_until_done(
    context: Context,
    open_run: Opener,
    *,
    once: bool = False,
    idle: str = "nothing to rate: every landed file is rated",
) -> Iterator[Any]:
    """Rate one work set after the other; files that land meanwhile make the next one.

    Yields Dagster's events.
    """
    mark_process(context)
    number = 0
    with failures_in_words(), closing(database.connect()) as connection:
        while (run := open_run(connection)) is not None:
            number += 1
            progress.say(run.describe())
            context.log.info(run.describe())
            yield from _rate_one(context, connection, run)
            if once:
                break
    if number == 0:
        progress.say(idle)
        context.log.info(idle)


def _rate_one(context: Context, connection: Any, run: runs.RatingRun) -> Iterator[Any]:
    process = DbtProcess(folder_name(context, "rating", run.rating_run_id, run.attempt))
    with put_down_on_failure(lambda words: runs.fail_rating_run(connection, run, words)):
        yield from process.stream(RATING_TAG, run.environment())
    totals = runs.close_rating_run(connection, run)
    progress.say(f"rating run {run.rating_run_id} balances and is closed")
    context.log_event(rating_run_event(connection, run, totals, process))


@contextmanager
def put_down_on_failure(put_down: Callable[[str], None]) -> Iterator[None]:
    """Whatever ends the building, the run says why; a lost connection leaves it as killed."""
    try:
        yield
    except BaseException as error:
        words = getattr(error, "description", None) or str(error) or "interrupted"
        with suppress(psycopg2.Error, runs.RunAbandoned):
            put_down(words)
        raise
