"""Replay: every closed run built again beside production, and compared by checksum."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loaders import database, runs
from loaders.errors import RatehouseError
from loaders.runs import replay as engine
from orchestration.lib import paths, progress, standing
from orchestration.lib.dbt_arguments import BILLING_TAG, RATING_TAG

COLUMNS = (
    "relation", "month", "rows", "replayed_rows", "checksum", "replayed_checksum", "equal",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a replay has to do, and where a difference would be no surprise."""

    runs: list[engine.OriginalRun]
    drafts: list[engine.OriginalDraft]
    older_drafts: list[str]
    code: runs.CodeVersion

    @property
    def record_count(self) -> int:
        """Records to rate, over all runs."""
        return sum(run.record_count for run in self.runs)

    def runs_of_other_code(self) -> list[int]:
        """Originals that were not made by exactly the code that replays them."""
        return [
            run.rating_run_id
            for run in self.runs
            if self.code.is_dirty or run.code_is_dirty or run.code_commit != self.code.commit
        ]

    def sentences(self) -> list[str]:
        """The plan in words."""
        said = [
            f"{len(self.runs):,} run(s) with {self.record_count:,} rated record(s) and "
            f"{len(self.drafts):,} draft(s) are made again."
        ]
        other = self.runs_of_other_code()
        if other:
            said.append(
                f"{len(other):,} of the runs ({_shortened(other)}) were made by other code than "
                f"today's ({self.code.commit}{', with changes' if self.code.is_dirty else ''}): "
                "a difference there may be a rule that was changed on purpose."
            )
        if self.older_drafts:
            said.append(
                "Not compared, because runs have closed since they were made: drafts of "
                f"{', '.join(self.older_drafts)}."
            )
        return said


@dataclass(frozen=True)
class Result:
    """What a replay came to."""

    replay_id: int
    is_equal: bool
    comparisons: list[engine.Comparison]
    differing_runs: list[int]
    sentences: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[Any, ...]]:
        """One row for each fact and month, and each draft (COLUMNS)."""
        return [
            (
                c.relation,
                c.month,
                c.rows,
                c.replayed_rows,
                c.checksum,
                c.replayed_checksum,
                c.is_equal,
            )
            for c in self.comparisons
        ]


def plan(connection: Any) -> Plan:
    """What would be replayed."""
    originals = engine.original_runs(connection)
    if not originals:
        raise RatehouseError("there is nothing to replay: no rating run has closed yet")
    drafts, older = engine.original_drafts(connection)
    return Plan(originals, drafts, older, runs.code_version())


def replay(*, requested_by: str, reason: str | None = None, keep: bool = False) -> Result:
    """Make every run and draft again in schemas of its own, compare, and drop them."""
    if paths.build_schema():
        raise RatehouseError(
            f"a replay compares with production, and RATEHOUSE_BUILD_SCHEMA is "
            f"'{paths.build_schema()}': unset it"
        )
    url = database.database_url()
    with closing(database.connect(url=url)) as connection:
        planned = plan(connection)
        job = engine.begin_replay(
            connection,
            requested_by=requested_by,
            reason=reason,
            code_commit=planned.code.commit,
            is_kept=keep,
        )
        try:
            done, comparisons = _make_again(connection, url, job, planned, requested_by)
            comparisons = engine.compare_facts(connection, job.build_schema, done) + comparisons
            differing = engine.differing_runs(connection, job.build_schema, done, comparisons)
        except BaseException as error:
            engine.fail_replay(connection, job, str(error) or "interrupted")
            raise
        detail = {"runs": len(done), "differing_runs": differing}
        is_equal = engine.end_replay(connection, job, comparisons, detail)
    said = planned.sentences()
    if differing:
        said.append(f"The rows of run {_shortened(differing)} differ.")
    if keep:
        said.append(f"Its schemas are kept until the next replay: {job.build_schema}_rating ...")
    return Result(job.replay_id, is_equal, comparisons, differing, said)


def _make_again(
    connection: Any, url: str, job: engine.Replay, planned: Plan, requested_by: str
) -> tuple[dict[int, int], list[engine.Comparison]]:
    done: dict[int, int] = {}
    target = paths.dbt_target_folder().parent / "replay"
    for number, original in enumerate(planned.runs, start=1):
        run = engine.open_replayed_run(
            connection,
            job,
            original,
            done,
            requested_by=requested_by,
            code_commit=planned.code.commit,
            code_is_dirty=planned.code.is_dirty,
        )
        _build(url, target, job.build_schema, RATING_TAG, run.environment())
        runs.close_rating_run(connection, run)
        done[original.rating_run_id] = run.rating_run_id
        progress.say(
            f"  {number}/{len(planned.runs)} run {original.rating_run_id} "
            f"({original.run_kind}) replayed"
        )
    comparisons = []
    for draft in planned.drafts:
        invoice_run = engine.open_replayed_draft(
            connection, job, draft, requested_by=requested_by
        )
        _build(url, target, job.build_schema, BILLING_TAG, invoice_run.environment())
        result = runs.close_invoice_run(connection, invoice_run)
        comparisons.append(
            engine.Comparison(
                f"draft of {draft.bill_group}",
                f"{draft.period_month:%Y-%m}",
                draft.invoices,
                result.control_totals["invoices"],
                draft.content_checksum,
                result.content_checksum,
            )
        )
        progress.say(f"  draft of {draft.period_month:%Y-%m}, {draft.bill_group}, replayed")
    shutil.rmtree(target, ignore_errors=True)
    return done, comparisons


def _build(url: str, target: Path, build_schema: str, tag: str, token: Mapping[str, str]) -> None:
    plan = standing.plan(url, tag, build_schema=build_schema, tests=False)
    outcome = plan.build(token, target)
    if not outcome.succeeded:
        said = outcome.describe_failure()
        raise RatehouseError(f"the replay stopped; nothing of production was changed.\n{said}")


def _shortened(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return shown if len(numbers) <= 10 else f"{shown} and {len(numbers) - 10} more"
