"""Check a carrier's bill: compares, and keeps the result only if told so."""

from contextlib import closing
from pathlib import Path

import dagster as dg
from pydantic import Field

from loaders import database
from orchestration.lib import paths
from orchestration.lib import reconcile as lib
from orchestration.lib.areas import BILLING
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

RECONCILIATION = dg.AssetKey(["runs", "carrier_reconciliation"])


class ReconcileConfig(dg.Config):
    """Whose records, of when, and how exactly they must agree."""

    our_sources: list[str] = Field(description="Sources of our calls.")
    their_sources: list[str] = Field(
        default=[],
        description="Sources of the carrier's records, usually of rating_mode reconcile.",
    )
    from_time: str = Field(description="Month as 2026-10, or from when on (UTC).")
    to_time: str = Field(default="", description="Until when, exclusive; empty for a month.")
    charge_sources: list[str] = Field(
        default=[], description="Sources of the carrier's charge records (SDR)."
    )
    invoice_total: str = Field(
        default="", description="What the carrier's invoice says, as 1234.50 USD."
    )
    direction: str = Field(default="", description="Only our outbound or inbound calls.")
    start_tolerance: str = Field(
        default="60", description="Seconds between the starts of one call, clocks put right."
    )
    seconds_tolerance: str = Field(
        default="2", description="Seconds by which durations may differ."
    )
    amount_tolerance: str = Field(
        default="0.0001", description="Amount by which a call may differ, in its currency."
    )
    match_callers: bool = Field(
        default=True, description="Off where the carrier replaces calling numbers."
    )
    dispute_file: str = Field(
        default="", description="Name in the folder of exports: what to claim, as CSV."
    )
    overwrite: bool = Field(default=False, description="Replace that file if it exists.")
    preview: bool = Field(default=True, description="Only show it: nothing is kept.")
    who: str = Field(default="", description="Who asks; kept with the result.")


@dg.op(name="compare_with_carrier", out=dg.Out(dg.Nothing))
def compare_with_carrier(context: dg.OpExecutionContext, config: ReconcileConfig) -> None:
    """Our calls against a carrier's records, call by call, each in one class."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        asked = lib.question(
            config.our_sources, config.their_sources, config.from_time, config.to_time,
            charge_sources=config.charge_sources, direction=config.direction,
            start_tolerance=config.start_tolerance, seconds_tolerance=config.seconds_tolerance,
            amount_tolerance=config.amount_tolerance, match_callers=config.match_callers,
            invoice_total=config.invoice_total,
        )  # fmt: skip
        target: Path | None = None
        if config.dispute_file:
            target = paths.export_path(config.dispute_file)
        result = lib.run(
            connection, asked, preview=config.preview, dispute_file=target,
            overwrite=config.overwrite, actor=config.who or None,
        )  # fmt: skip
    context.log.info(lib.describe(result))
    kind = dg.AssetObservation if config.preview else dg.AssetMaterialization
    metadata: dict[str, dg.MetadataValue | int] = {
        title: dg.MetadataValue.md(markdown_table(columns, rows))
        for title, columns, rows in lib.sections(result)
    }
    if target is not None:
        metadata["dispute file"] = dg.MetadataValue.path(str(target))
        metadata["claims"] = result.dispute_count or 0
    context.log_event(
        kind(asset_key=RECONCILIATION, description=lib.describe(result), metadata=metadata)
    )


@dg.job(
    name="reconcile_carrier",
    tags=BILLING,
    description="""\
Check a carrier's bill: its records against our calls, call by call, each in one class, with a
dispute file. Keeps nothing while `preview` is on.""",
)
def reconcile_carrier() -> None:
    compare_with_carrier()
