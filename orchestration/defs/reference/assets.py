"""Reference data as assets, from a folder of CSV files."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dagster as dg

from loaders import database
from loaders.reference import KINDS
from orchestration.lib import paths, progress
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

REFERENCE_FOLDER = dg.AssetKey(["files", "reference_folder"])

reference_folder = dg.AssetSpec(
    REFERENCE_FOLDER,
    group_name="reference",
    description="Reference files, one <kind>.csv each.",
)


@dg.multi_asset(
    name="load_reference_files",
    group_name="reference",
    pool="warehouse",
    specs=[
        dg.AssetSpec(
            dg.AssetKey(["reference", kind]),
            deps=[REFERENCE_FOLDER],
            skippable=True,
            description=f"reference.{kind}, dated twice: when it holds, and when we knew it.",
        )
        for kind in KINDS
    ],
)
def load_reference_files(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[Any]]:
    """Load every reference file of the folder; unchanged rows stay as they are."""
    from loaders.reference import load_folder

    mark_process(context)
    folder = paths.reference_folder()
    with failures_in_words(), closing(database.connect(role="ratehouse_loader")) as connection:
        results = load_folder(connection, folder)
    context.log.info(f"{len(results)} reference file(s) loaded from {folder}")
    for result in results:
        progress.say(
            f"  {result.kind}: {result.rows_read:,} rows, {result.rows_added:,} new, "
            f"{result.rows_changed:,} changed"
        )
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey(["reference", result.kind]),
            metadata={
                "rows_read": result.rows_read,
                "rows_added": result.rows_added,
                "rows_changed": result.rows_changed,
                "rows_unchanged": result.rows_unchanged,
                "load": dg.MetadataValue.md(
                    markdown_table(
                        ["read", "added", "changed", "unchanged"],
                        [
                            (
                                result.rows_read,
                                result.rows_added,
                                result.rows_changed,
                                result.rows_unchanged,
                            )
                        ],
                    )
                ),
            },
        )
