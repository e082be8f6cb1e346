"""The history of files in the UI: list, look at one, release, discard."""

from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database
from loaders.files import actions, history
from loaders.files.names import shown
from loaders.files.originals import open_originals, storage_key
from orchestration.defs.landing.assets import FILE_REGISTRY
from orchestration.lib import progress
from orchestration.lib.areas import FILES
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import requested_by
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

LISTED = (
    "file_id", "file_name", "status", "status_reason", "explanation", "source_code",
    "carrier_code", "file_kind", "layout_code", "data_count", "quarantined_count", "received_at",
)  # fmt: skip
COMPARED = (
    "file_id", "file_name", "received_at", "source_code", "data_count", "first_record",
    "last_record", "byte_count",
)  # fmt: skip


class FileFilterConfig(dg.Config):
    """Which files to show. Empty means all."""

    carrier: str = Field(default="", description="Only files of this carrier.")
    source: str = Field(default="", description="Only files of this source.")
    kind: str = Field(default="", description="Only cdr, sdr, mixed or unknown.")
    status: str = Field(
        default="", description="Only landed, held, discarded, withdrawn or failed."
    )
    period: str = Field(default="", description="A month like 2026-10: received or used in it.")
    since: str = Field(default="", description="A day like 2026-10-05: received then or later.")
    file_id: int = Field(
        default=0, description="Show this file in detail, with the files it may repeat."
    )


class ReleaseConfig(dg.Config):
    """Which held file to let land, and why."""

    file_id: int = Field(description="Number of the file (job show_files).")
    reason: str = Field(default="", description="Why, in words; kept with the file.")
    layout: str = Field(default="", description="Read it as this layout.")
    source: str = Field(default="", description="It belongs to this source.")
    preview: bool = Field(
        default=True, description="true: only say what would happen. false: release it."
    )


class DiscardConfig(dg.Config):
    """Which held file to put aside, and why."""

    file_id: int = Field(description="Number of the file (job show_files).")
    reason: str = Field(default="", description="Why, in words; kept with the file.")
    preview: bool = Field(
        default=True, description="true: only say what would happen. false: discard it."
    )


@dg.op(
    name="show_files_received",
    out=dg.Out(dg.Nothing),
    description="The files received, or one of them in detail. Changes nothing.",
)
def show_files_received(context: dg.OpExecutionContext, config: FileFilterConfig) -> None:
    """A table on the run's page."""
    mark_process(context)
    role = "ratehouse_loader" if config.file_id else history.LISTING_ROLE
    with failures_in_words(), closing(database.connect(role=role)) as connection:
        if config.file_id:
            metadata = _detail_metadata(history.read_details(connection, config.file_id))
            description = f"File {config.file_id}."
        else:
            chosen = history.FileFilter(
                *(
                    value or None
                    for value in (
                        config.carrier, config.source, config.kind, config.status,
                        config.period, config.since,
                    )
                )
            )  # fmt: skip
            listed = history.list_files(connection, chosen)
            description = f"{len(listed)} file(s)."
            metadata = {"files": _table(LISTED, listed), "count": len(listed)}
    context.log.info(description)
    context.log_event(
        dg.AssetObservation(
            asset_key=FILE_REGISTRY, description=description, metadata=metadata
        )
    )


@dg.op(
    name="release_held_file",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Let a held or discarded file land, whatever held it.",
)
def release_held_file(context: dg.OpExecutionContext, config: ReleaseConfig) -> None:
    """Preview, or release."""
    mark_process(context)
    with failures_in_words(), closing(database.connect(role="ratehouse_loader")) as connection:
        decision = actions.release(
            connection,
            config.file_id,
            reason=config.reason,
            actor=requested_by(context),
            layout_code=config.layout or None,
            source_code=config.source or None,
            preview=config.preview,
        )
    _report(context, decision, config.preview)


@dg.op(
    name="discard_held_file",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Put a held file aside for good; releasing it takes that back.",
)
def discard_held_file(context: dg.OpExecutionContext, config: DiscardConfig) -> None:
    """Preview, or discard."""
    mark_process(context)
    with failures_in_words(), closing(database.connect(role="ratehouse_loader")) as connection:
        decision = actions.discard(
            connection,
            config.file_id,
            reason=config.reason,
            actor=requested_by(context),
            preview=config.preview,
        )
    _report(context, decision, config.preview)


@dg.job(
    name="show_files",
    tags=FILES,
    description="""\
List the files received, or show one (`file_id`) with what it repeats and where its original
lies.

Changes nothing. Look at *files*. Held files (`status: held`) wait for `release_file` or
`discard_file`.""",
)
def show_files() -> None:
    show_files_received()


@dg.job(
    name="release_file",
    tags=FILES,
    description="""\
Let a held file land, whatever held it. `rate_usage` rates it afterwards.

`show_files` gives its number. With `preview` on it says what would come of it.""",
)
def release_file() -> None:
    release_held_file()


@dg.job(
    name="discard_file",
    tags=FILES,
    description="""\
Put a held file aside: it is not loaded, now or when it comes again. `release_file` takes that
back.

`show_files` gives its number. With `preview` on it says what would come of it.""",
)
def discard_file() -> None:
    discard_held_file()


def _report(
    context: dg.OpExecutionContext, decision: actions.Decision, is_preview: bool
) -> None:
    says = decision.explanation
    if is_preview:
        says = f"Preview, nothing was changed: {says}"
    progress.say(says)
    context.log.info(says)
    result = decision.result
    context.log_event(
        dg.AssetObservation(
            asset_key=FILE_REGISTRY,
            description=says,
            metadata={
                "summary": says,
                "file_id": decision.file_id,
                "file_name": shown(result.file_name),
                "status": result.status,
                "records": result.data_count,
                "quarantined": result.quarantined_count,
                "is_changed": decision.is_changed and not is_preview,
            },
        )
    )


def _detail_metadata(details: history.FileDetails) -> dict[str, Any]:
    facts = details.facts
    metadata: dict[str, Any] = {
        "name": shown(facts["file_name"]),
        "status": facts["status"],
        "reason": facts["status_reason"] or "",
        "in_words": facts["detection"].get("explanation", ""),
        "records": facts["data_count"],
        "original": f"{open_originals().place}/{storage_key(facts['sha256'])}",
        "quarantined": _table(
            ("line_no", "reason_code", "field_name", "reason", "line"), details.quarantine
        ),
        "events": _table(("occurred_at", "event", "actor", "reason"), details.events),
    }
    for comparison in details.comparisons:
        title = f"compared_with_file_{comparison.other['file_id']}"
        rows = [
            (name.replace("_", " "), comparison.this.get(name), comparison.other.get(name))
            for name in COMPARED
        ]
        metadata[title] = dg.MetadataValue.md(markdown_table(["", "this file", "earlier"], rows))
        metadata[f"{title}_percent"] = float(comparison.percent)
        metadata[f"{title}_only_here"] = _table(("line_no", "values"), comparison.only_here)
    if details.remark:
        metadata["remark"] = details.remark
    return metadata


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> dg.MetadataValue:
    lines = (
        [shown(value) if isinstance(value := row[name], str) else value for name in columns]
        for row in rows
    )
    return dg.MetadataValue.md(markdown_table([n.replace("_", " ") for n in columns], lines))
