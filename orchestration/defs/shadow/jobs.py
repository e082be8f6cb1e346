"""Rehearse a change of rules or prices over a month of production."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.lib import paths, progress
from orchestration.lib.areas import BILLING
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import requested_by
from orchestration.lib.shadow import Request, parse_reference, rehearse
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

SHADOW_ASSET = dg.AssetKey(["runs", "shadow_run"])


class ShadowConfig(dg.Config):
    """What is tried, over what. It never changes anything of production."""

    period: str = Field(
        default="", description="A month, as YYYY-MM. Empty: the last one that was drafted."
    )
    ref: str = Field(
        default="", description="Git branch, tag or commit to try. Empty: the code as it stands."
    )
    base: str = Field(
        default="", description="What to compare with. Empty: the code of production's last run."
    )
    reference: list[str] = Field(
        default=[], description="Proposed reference files, each as rate=/path/to/new.csv."
    )
    full: bool = Field(
        default=False, description="The files hold everything there is of their kinds."
    )
    bill_groups: list[str] = Field(default=[], description="Only these. Empty: all.")
    accounts: list[str] = Field(default=[], description="Only these. Empty: all.")
    every: int = Field(default=1, description="A sample: only every n-th account.")
    known_now: bool = Field(
        default=False, description="Reference data of now, not of the month's last rating run."
    )
    thresholds: list[str] = Field(
        default=[], description="Other than those of impact.toml, as customer_amount.fail=50."
    )
    top: int = Field(default=20, description="How many single calls and lines to show.")
    fail_job: bool = Field(
        default=False, description="Fail the job if the change goes beyond the thresholds."
    )
    keep: bool = Field(default=False, description="Keep its schemas until the next shadow run.")
    folder: str = Field(
        default="", description="Sub-folder of the exports for the report. Empty: one of its own."
    )


# Not in the pool of the warehouse: it writes nothing there, and production may go on meanwhile.
@dg.op(
    name="rehearse_month",
    pool="shadow",
    out=dg.Out(dg.Nothing),
    description="Build what changed beside production over a month, compare and judge.",
)
def rehearse_month(context: dg.OpExecutionContext, config: ShadowConfig) -> None:
    """The report as metadata; its files lie where the metadata say."""
    mark_process(context)
    with failures_in_words():
        result = rehearse(
            Request(
                period=config.period,
                proposed=config.ref,
                base=config.base,
                reference=parse_reference(config.reference),
                full=config.full,
                bill_groups=tuple(config.bill_groups),
                accounts=tuple(config.accounts),
                every=config.every,
                known_now=config.known_now,
                thresholds=tuple(config.thresholds),
                top=config.top,
                keep=config.keep,
                out=paths.export_path(config.folder) if config.folder else None,
            ),
            requested_by=requested_by(context),
        )
    progress.say(result.headline)
    context.log.info("\n".join([result.headline, *result.sentences]))
    context.log_event(
        dg.AssetObservation(
            asset_key=SHADOW_ASSET, description=result.headline, metadata=_metadata(result)
        )
    )
    if config.fail_job and not result.passes:
        raise dg.Failure(description=result.headline, allow_retries=False)


def _metadata(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "verdict": result.verdict,
        "summary": dg.MetadataValue.md("\n".join(f"- {text}" for text in result.sentences)),
        "report": dg.MetadataValue.path(Path(result.files["html"])),
    }
    if result.outcome is not None:
        found["shadow_run_id"] = result.shadow_run_id
        found |= {f"{name}_count": number for name, number in result.outcome.counts.items()}
        for title, columns, rows, _ in result.report.tables():
            found[title.lower().replace(" ", "_")] = dg.MetadataValue.md(
                markdown_table([name.replace("_", " ") for name in columns], rows)
            )
    return found


@dg.job(
    name="shadow_billing_run",
    tags=BILLING,
    description="""\
Rehearse a change of rules or prices over a month: what would it do to whom? Changes nothing.

Name a git branch (`ref`), or files of new prices (`reference`). Look at *verdict* and
*summary*, then at the tables by customer, rule and call; *report* names the same as a page to
send around.""",
)
def shadow_billing_run() -> None:
    rehearse_month()
