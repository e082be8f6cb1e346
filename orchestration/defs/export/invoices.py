"""Write invoices as files, and the evidence of a billing run; check such evidence."""

from contextlib import closing
from pathlib import Path

import dagster as dg
from pydantic import Field

from loaders import database
from orchestration.lib import documents as lib
from orchestration.lib import evidence, paths, progress
from orchestration.lib.areas import BILLING
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

INVOICES_ASSET = dg.AssetKey(["exports", "invoices"])
EVIDENCE_ASSET = dg.AssetKey(["exports", "evidence"])


class ExportInvoicesConfig(dg.Config):
    """Which documents, in which form."""

    document: str = Field(
        default="", description="One document by its number or draft name; else give a period."
    )
    period: str = Field(default="", description="All documents of a period, as YYYY-MM.")
    bill_group: str = Field(default="all", description="A bill group, or `all`.")
    format: str = Field(default="pdf", description="pdf, csv, json, some with commas, or all.")


class EvidenceConfig(dg.Config):
    """Of which billing run, or which pack is checked."""

    invoice_run_id: int = Field(default=0, description="Invoice run to write the evidence of.")
    verify: str = Field(
        default="", description="Name of a pack in the folder of exports, to be checked instead."
    )


@dg.op(name="write_invoices", out=dg.Out(dg.Nothing))
def write_invoices(context: dg.OpExecutionContext, config: ExportInvoicesConfig) -> None:
    """Documents into the folder of exports: one as files, those of a period as a zip."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        formats = lib.formats_of(config.format)
        if config.document:
            written = lib.write_one(connection, config.document, formats, None)
            target = paths.export_folder()
        else:
            target = paths.export_path(lib.zip_name(config.period, config.bill_group, 0, formats))
            selections = lib.select(connection, period=config.period, bill_group=config.bill_group)
            written = lib.write_many(connection, selections, formats, target)
    words = f"{len(written)} files in {target}"
    progress.say(words)
    shown = [(w.document_key, Path(w.name).name, w.byte_count, w.sha256) for w in written[:200]]
    context.log_event(
        dg.AssetMaterialization(
            asset_key=INVOICES_ASSET,
            description=words,
            metadata={
                "path": dg.MetadataValue.path(str(target)),
                "files": len(written),
                "written": dg.MetadataValue.md(
                    markdown_table(["document", "file", "bytes", "sha256"], shown)
                ),
            },
        )
    )


@dg.op(name="write_evidence", out=dg.Out(dg.Nothing))
def write_evidence(context: dg.OpExecutionContext, config: EvidenceConfig) -> None:
    """What proves a billing run, as a zip; or a pack checked against the database."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.verify:
            result = evidence.verify(connection, paths.export_path(config.verify))
            words = evidence.describe_verdict(result)
            progress.say(words)
            context.log_event(
                dg.AssetObservation(
                    asset_key=EVIDENCE_ASSET,
                    description=words,
                    metadata={
                        "is_whole": result.is_whole,
                        "findings": dg.MetadataValue.md(
                            markdown_table(evidence.FINDING_COLUMNS, evidence.finding_rows(result))
                        ),
                    },
                )
            )
            return
        pack = evidence.write(connection, config.invoice_run_id, None)
    progress.say(pack.statement)
    context.log_event(
        dg.AssetMaterialization(
            asset_key=EVIDENCE_ASSET,
            description=pack.statement,
            metadata={
                "path": dg.MetadataValue.path(str(pack.path)),
                "sha256": pack.sha256,
                "members": dg.MetadataValue.json(pack.members),
            },
        )
    )


@dg.job(
    name="export_invoices",
    tags=BILLING,
    description="""\
Write invoices, posted or drafts, as PDF, CSV or JSON into the folder of exports.""",
)
def export_invoices() -> None:
    write_invoices()


@dg.job(
    name="evidence_pack",
    tags=BILLING,
    description="""\
Write what proves a billing run (inputs, code, prices, totals, gates, approvals, ledger) into a zip,
or check such a zip against the database.""",
)
def evidence_pack() -> None:
    write_evidence()
