"""Write rated usage or charges into a zip."""

from contextlib import closing

import dagster as dg
from pydantic import Field

from loaders import database
from loaders.export import Question, export
from orchestration.lib import paths, progress
from orchestration.lib.areas import REPORTS
from orchestration.lib.instance import mark_process
from orchestration.lib.words import failures_in_words

EXPORT_ASSET = dg.AssetKey(["exports", "file"])


class ExportConfig(dg.Config):
    """Which rows, which columns, in which form. Empty filters mean all."""

    dataset: str = Field(default="usage", description="usage or charges.")
    period: str = Field(default="", description="Billing period, as YYYY-MM.")
    usage_type: str = Field(default="", description="voice, sms, mms, data, feature or other.")
    account: str = Field(default="", description="Only this account.")
    carrier: str = Field(default="", description="Only sources of this carrier.")
    source: str = Field(default="", description="Only this source.")
    state: str = Field(default="", description="billed, not_billable, duplicate or error.")
    columns: list[str] = Field(default=[], description="Columns in the order wanted.")
    format: str = Field(default="csv", description="csv or parquet.")
    where: str = Field(
        default="",
        description='Condition, as {"any": [["retail_amount", ">", 1], {"all": [...]}]}.',
    )
    unmasked: bool = Field(default=False, description="Numbers and names whole.")
    large: bool = Field(default=False, description="Even if it reads very many rows.")
    file_name: str = Field(default="", description="Name in the folder of exports, with .zip.")
    overwrite: bool = Field(default=False, description="Replace the file if it exists.")


@dg.op(
    name="write_export",
    out=dg.Out(dg.Nothing),
    description="Rows of a mart into a zip in the folder of exports.",
)
def write_export(context: dg.OpExecutionContext, config: ExportConfig) -> None:
    """Reads marts only, so it needs no place in the pool of the warehouse."""
    mark_process(context)
    with failures_in_words():
        question = Question(
            dataset=config.dataset,
            period=config.period,
            usage_type=config.usage_type,
            account=config.account,
            carrier=config.carrier,
            source=config.source,
            state=config.state,
            columns=tuple(config.columns),
            format=config.format,
            where=config.where,
            unmasked=config.unmasked,
        )
        target = paths.export_path(config.file_name or question.file_name())
        with closing(database.connect()) as connection:
            result = export(
                connection, question, target, overwrite=config.overwrite, large=config.large
            )
    progress.say(f"{result.row_count:,} rows in {result.path}")
    context.log_event(
        dg.AssetMaterialization(
            asset_key=EXPORT_ASSET,
            description=f"{result.row_count:,} rows of {config.dataset}.",
            metadata={
                "path": dg.MetadataValue.path(str(result.path)),
                "rows": result.row_count,
                "bytes": result.byte_count,
                "sha256": result.sha256,
                "question": dg.MetadataValue.json(question.to_json()),
                "rating_runs": dg.MetadataValue.json(list(result.rating_runs)),
            },
        )
    )


@dg.job(
    name="export_usage",
    tags=REPORTS,
    description="""\
Write rated usage or charges into a zip in the folder of exports, as CSV in UTC or as Parquet.

Numbers and names are masked unless `unmasked` is on. Changes nothing.""",
)
def export_usage() -> None:
    write_export()
