"""Landed files as assets: the registry and the landing tables, from the drop folder."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database
from orchestration.lib import drop, landing, paths, progress
from orchestration.lib.instance import mark_process
from orchestration.lib.report import file_table
from orchestration.lib.words import failures_in_words

DROP_FOLDER = dg.AssetKey(["files", "drop_folder"])
FILE_REGISTRY = dg.AssetKey(["control", "file"])
LANDING_TABLES = (
    "asterisk_cdr",
    "mapped_usage",
    "carrier_charge",
    "non_data_line",
    "quarantine",
)

drop_folder = dg.AssetSpec(
    DROP_FOLDER,
    group_name="landing",
    description=(
        "Files as they arrive. A sub-folder's name is the code of the source; files stay where "
        "they are and are landed once."
    ),
)


class LandingConfig(dg.Config):
    """Which files to land."""

    paths: list[str] = Field(
        default=[],
        description="Only these files of the drop folder; empty: everything that lies there.",
    )


@dg.multi_asset(
    name="land_files",
    group_name="landing",
    pool="warehouse",
    specs=[
        dg.AssetSpec(
            FILE_REGISTRY,
            deps=[DROP_FOLDER],
            description="Registry of every file received: source, layout, counts, status.",
        ),
        *(
            dg.AssetSpec(
                dg.AssetKey(["landing", table]),
                deps=[DROP_FOLDER],
                description=f"landing.{table}: lines as text, exactly as received.",
            )
            for table in LANDING_TABLES
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "every_file_is_landed",
            asset=FILE_REGISTRY,
            description="No file of this look into the drop folder is held or failed.",
        ),
        dg.AssetCheckSpec(
            "no_line_is_quarantined",
            asset=dg.AssetKey(["landing", "quarantine"]),
            description="Every line of the files landed now could be read.",
        ),
    ],
)
def land_files(
    context: dg.AssetExecutionContext, config: LandingConfig
) -> Iterator[dg.MaterializeResult[Any]]:
    """Land what lies in the drop folder and is not known yet."""
    mark_process(context)
    wanted = {Path(path) for path in config.paths}
    found = drop.find_files(paths.drop_folder())
    files = [file for file in found if not wanted or file.path in wanted]
    with failures_in_words(), closing(database.connect(role="ratehouse_loader")) as connection:
        new = landing.unknown_files(connection, drop.wait_until_settled(files))
        progress.say(f"drop folder: {len(files)} file(s), {len(new)} new or changed")
        results = landing.land(connection, new)
    for result in results:
        progress.say(f"  {result.file_name}: {landing.describe(result)}")
    landed = [r for r in results if r.status == "landed"]
    unlanded = [r for r in results if r.status in ("held", "failed")]
    quarantined = sum(r.quarantined_count for r in landed)
    context.log.info(
        f"{len(landed)} file(s) landed, {len(unlanded)} held or failed, "
        f"{len(files) - len(new)} known already"
    )
    yield dg.MaterializeResult(
        asset_key=FILE_REGISTRY,
        metadata={
            "files": dg.MetadataValue.md(file_table(results)),
            "files_landed": len(landed),
            "files_held_or_failed": len(unlanded),
            "files_known_already": len(files) - len(new),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=FILE_REGISTRY,
                check_name="every_file_is_landed",
                passed=not unlanded,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"files": dg.MetadataValue.md(file_table(unlanded))},
            )
        ],
    )
    rows = {
        **{
            table: sum(r.data_count for r in landed if r.layout_code == table)
            for table in LANDING_TABLES[:3]
        },
        "non_data_line": sum(r.non_data_count for r in landed),
        "quarantine": quarantined,
    }
    for table, number in rows.items():
        checks = []
        if table == "quarantine":
            checks = [
                dg.AssetCheckResult(
                    asset_key=dg.AssetKey(["landing", table]),
                    check_name="no_line_is_quarantined",
                    passed=quarantined == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"lines": quarantined},
                )
            ]
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey(["landing", table]),
            metadata={"rows_added": number},
            check_results=checks,
        )
