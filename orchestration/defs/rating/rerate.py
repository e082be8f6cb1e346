"""Rate again what was rated, and undo a run: previews first."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database, runs
from loaders.runs import rerate as engine
from loaders.runs import rerated
from orchestration.lib import progress
from orchestration.lib import rerate as lib
from orchestration.lib.areas import RATING
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import rate_until_done, run_arguments
from orchestration.lib.report import RATING_RUN_ASSET
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words


class RerateConfig(dg.Config):
    """Which usage, and how it is rated again. Empty filters mean all."""

    preview: bool = Field(
        default=True, description="true: only show what would change. false: rate it again."
    )
    reason: str = Field(
        default="", description="Why, in words; kept with the run. Needed to do it."
    )
    started_from: str = Field(default="", description="First day, as YYYY-MM-DD.")
    started_before: str = Field(default="", description="Day after the last one.")
    zone: str = Field(
        default="utc", description="Zone of the two days: utc, or account (each account's own)."
    )
    accounts: list[str] = Field(default=[], description="Account codes.")
    bill_groups: list[str] = Field(default=[], description="Bill groups, like main, wholesale.")
    sources: list[str] = Field(default=[], description="Source codes.")
    carriers: list[str] = Field(default=[], description="Carrier codes.")
    plans: list[str] = Field(default=[], description="Plans by which it was charged.")
    retail_decks: list[str] = Field(default=[], description="Decks by which it was charged.")
    cost_decks: list[str] = Field(default=[], description="Decks of its cost.")
    prefixes: list[str] = Field(default=[], description="Leading digits of the called number.")
    usage_types: list[str] = Field(default=[], description="voice, sms, mms, data.")
    charge_classes: list[str] = Field(default=[], description="Like local, interstate, toll_free.")
    directions: list[str] = Field(default=[], description="outbound, inbound.")
    states: list[str] = Field(
        default=[], description="billed, not_billable, error, duplicate; empty: all but duplicate."
    )
    reasons: list[str] = Field(default=[], description="Why it was not billed, like missing_rate.")
    release_causes: list[str] = Field(
        default=[], description="Release causes of the files; where they have none, like answered."
    )
    minimum_seconds: str = Field(default="", description="Only this long or longer, like 3600.")
    file_ids: list[int] = Field(default=[], description="Only of these files.")
    usage_ids: list[int] = Field(default=[], description="Only these usage legs.")
    rated_by_runs: list[int] = Field(default=[], description="Only what these runs rated.")
    where: dict[str, Any] = Field(
        default={},
        description='Nested conditions: {"any": [{"field": "account", "is": "ACME"}, ...]}.',
    )
    new_seconds: str = Field(default="", description="Their duration becomes this, like 60.")
    as_received: bool = Field(default=False, description="Corrected durations become the lines'.")
    retail_deck: str = Field(default="", description="Charge by this deck instead.")
    cost_deck: str = Field(default="", description="Work out the cost by this deck instead.")
    rating_version: int = Field(
        default=0, description="By this version of the rules; 0: the one their month is pinned to."
    )
    known_at: str = Field(
        default="", description="With the reference data of then, like 2026-10-31T12:00:00Z."
    )
    as_of_run: int = Field(
        default=0, description="Only what the preview saw: the run it names. 0: all that fits now."
    )
    top: int = Field(default=rerated.TOP, description="How many single calls to show.")
    write_csv: bool = Field(
        default=False, description="The preview writes every changed call into the exports folder."
    )

    def request(self) -> engine.Request:
        """What is asked for, checked."""
        return lib.request_of(self.model_dump())


@dg.op(
    name="rate_again",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Show what rating chosen usage again would change, or do it.",
)
def rate_again(context: dg.OpExecutionContext, config: RerateConfig) -> Iterator[Any]:
    """A preview; or one run over what was chosen (and an unfinished run before it)."""
    mark_process(context)
    with failures_in_words():
        request = config.request()
        if config.preview:
            _log_preview(context, config, request)
            return
        engine.require_reason(config.reason)
    rated: list[int] = []
    begin = lib.opener(request, reason=config.reason, arguments=run_arguments(context))

    def open_run(connection: Any) -> runs.RatingRun | None:
        run = begin(connection)
        if run is not None and run.run_kind == "rerate":
            rated.append(run.rating_run_id)
        return run

    yield from rate_until_done(context, open_run, idle="no record fits")
    with failures_in_words(), closing(database.connect()) as connection:
        arrived = engine.arrived_since(connection, request, rated)
        for run_id in rated:
            found = lib.changed_by(connection, run_id, top=config.top)
            said = [f"Run {run_id}.", *found.sentences()]
            if arrived:
                said.append(
                    f"{arrived:,} more record(s) that fit were rated since run "
                    f"{request.as_of_run}: not taken."
                )
            said.append(f"`ratehouse undo {run_id}` takes it back.")
            _log(context, "What rating again has changed.", said, found, {"rating_run_id": run_id})


def _log_preview(
    context: dg.OpExecutionContext, config: RerateConfig, request: engine.Request
) -> None:
    csv = lib.default_csv("rerate") if config.write_csv else None
    with closing(database.connect()) as connection:
        seen = lib.preview(connection, request, top=config.top, csv=csv)
    more: dict[str, Any] = {
        "sql": dg.MetadataValue.md(f"```sql\n{seen.sql}\n```"),
        "as_of_run": seen.request.as_of_run,
    }
    if csv is not None and seen.comparison is not None:
        more["csv"] = dg.MetadataValue.path(csv)
    _log(
        context,
        "Preview of rating again; nothing was changed.",
        [*seen.sentences(), "Nothing was changed."],
        seen.comparison,
        more,
    )


def _log(
    context: dg.OpExecutionContext,
    description: str,
    sentences: list[str],
    found: rerated.Comparison | None,
    more: dict[str, Any],
) -> None:
    said = " ".join(sentences)
    progress.say(said)
    context.log.info(said)
    tables = {} if found is None else {
        title.lower().replace(" ", "_"): dg.MetadataValue.md(markdown_table(columns, rows))
        for title, columns, rows in found.tables()
    }  # fmt: skip
    context.log_event(
        dg.AssetObservation(
            asset_key=RATING_RUN_ASSET,
            description=description,
            metadata={"summary": said, **more, **tables},
        )
    )


@dg.job(
    name="rerate",
    tags=RATING,
    description="""\
Rate chosen usage again, billed or not: with today's prices, another duration, deck or version
of the rules.

1. Say which usage (`accounts`, `started_from`, `prefixes`, `minimum_seconds`, ...) and how
   (`new_seconds`, `retail_deck`, ...). With `preview` on it shows *money_before_and_after*,
   *customers*, *causes* and *largest_differences*.
2. Switch `preview` off, give a `reason`, and `as_of_run` as the preview named it: then exactly
   what it saw is rated.
3. Draft again with `billing_run`. A posted month gets the difference as an adjustment.

`undo_run` takes it back.""",
)
def rerate() -> None:
    rate_again()


class UndoConfig(dg.Config):
    """Which run is undone."""

    run_id: int = Field(description="Number of the rating run: a rerate, reprocess or undo.")
    reason: str = Field(
        default="", description="Why, in words; kept with the run. Needed to do it."
    )
    preview: bool = Field(
        default=True, description="true: only show what it would do. false: do it."
    )


@dg.op(
    name="undo_one_run",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Take a rating run out of what counts, or bring it back.",
)
def undo_one_run(context: dg.OpExecutionContext, config: UndoConfig) -> None:
    """A preview, or the undo itself: one transaction."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            done = lib.preview_undo(connection, config.run_id)
            said = [*done.sentences(), "Nothing was changed."]
        else:
            done = lib.undo_run(
                connection,
                config.run_id,
                reason=config.reason,
                arguments=run_arguments(context),
            )
            said = lib.undone_sentences(done)
    more = {} if done.undo_id is None else {"rating_run_id": done.undo_id}
    _log(context, "Undo of a rating run.", said, done.comparison, more)


@dg.job(
    name="undo_run",
    tags=RATING,
    description="""\
Take a rerate, a reprocess or an undo out of what counts: all figures are as before, to the
digit.

With `preview` on it shows what would change. Needs the number of the run and a `reason`.
Refused, with the runs in the way, where a later run stands on it.""",
)
def undo_run() -> None:
    undo_one_run()
