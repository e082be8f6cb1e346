"""The code location loads, and nothing is lost from it unnoticed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from loaders import settings
from loaders.reference import KINDS
from orchestration.lib.areas import AREAS

SNAPSHOT = Path(__file__).parent / "definitions_snapshot.json"


def describe(definitions: dg.Definitions) -> dict[str, Any]:
    """What people and schedules know by name."""
    graph = definitions.resolve_asset_graph()
    return {
        "assets": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
        "checks": sorted(
            f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys
        ),
        "jobs": sorted(job.name for job in definitions.resolve_all_job_defs()),
        "schedules": sorted(schedule.name for schedule in definitions.schedules or []),
        "sensors": sorted(sensor.name for sensor in definitions.sensors or []),
    }


def test_the_code_location_can_be_loaded(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


@pytest.mark.parametrize("part", ["assets", "checks", "jobs", "schedules", "sensors"])
def test_nothing_was_lost_or_renamed(definitions: dg.Definitions, part: str) -> None:
    """Wanted changes: run with RATEHOUSE_UPDATE_SNAPSHOT=1 and read the difference."""
    found = describe(definitions)
    if os.environ.get("RATEHOUSE_UPDATE_SNAPSHOT") == "1":
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
    assert found[part] == json.loads(SNAPSHOT.read_text())[part]


def test_every_model_and_seed_is_an_asset(definitions: dg.Definitions, manifest: Path) -> None:
    """But the canonical records: only previews build them, and take them back."""
    nodes = json.loads(manifest.read_text())["nodes"].values()
    wanted = {
        node["name"]
        for node in nodes
        if node["resource_type"] in ("model", "seed")
        and node["config"]["materialized"] != "ephemeral"
        and "canonical" not in node["tags"]
    }
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert wanted <= {key.path[-1] for key in keys}


def test_every_generic_and_singular_test_is_a_check(
    definitions: dg.Definitions, manifest: Path
) -> None:
    """Tests of sources are no checks: the loader owns those tables."""
    parsed = json.loads(manifest.read_text())
    tests = [
        node
        for node in parsed["nodes"].values()
        if node["resource_type"] == "test" and node.get("attached_node")
    ]
    checks = definitions.resolve_asset_graph().asset_check_keys
    assert len(tests) > 10
    assert len([c for c in checks if c.asset_key.path[0] not in ("landing", "control")]) >= len(
        tests
    )


@pytest.mark.parametrize(
    ("ancestor", "descendant"),
    [
        ("files/drop_folder", "landing/asterisk_cdr"),
        ("landing/asterisk_cdr", "rating/rated_usage"),
        ("landing/mapped_usage", "rating/rated_usage"),
        ("landing/carrier_charge", "rating/rated_charge"),
        ("reference/rate", "rating/rated_usage"),
        ("reference/npanxx", "rating/rated_usage"),
        ("files/reference_folder", "billing/draft_invoice"),
        ("files/drop_folder", "billing/draft_invoice_line"),
        ("files/drop_folder", "runs/invoice_run"),
        ("files/drop_folder", "runs/rating_run"),
    ],
)
def test_lineage_leads_from_file_to_invoice_line(
    definitions: dg.Definitions, ancestor: str, descendant: str
) -> None:
    graph = definitions.resolve_asset_graph()
    found: set[dg.AssetKey] = set()
    waiting = [dg.AssetKey(descendant.split("/"))]
    while waiting:
        for parent in graph.get(waiting.pop()).parent_keys - found:
            found.add(parent)
            waiting.append(parent)
    assert dg.AssetKey(ancestor.split("/")) in found


def test_groups_are_the_layers(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    groups = {
        key.to_user_string(): graph.get(key).group_name for key in graph.materializable_asset_keys
    }
    wrong = {
        key: group
        for key, group in groups.items()
        if key != "control/file" and group != key.split("/")[0]
    }
    assert wrong == {}
    assert groups["control/file"] == "landing"


def test_everything_that_writes_waits_for_the_warehouse(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    pools = {pool for key in graph.materializable_asset_keys for pool in graph.get(key).pools or ()}
    assert pools == {"warehouse"}


def test_what_runs_by_itself_is_off_until_switched_on(definitions: dg.Definitions) -> None:
    sensors = {s.name: s.default_status for s in definitions.sensors or []}
    schedules = {s.name: s.default_status for s in definitions.schedules or []}
    assert sensors == {
        "collect_sensor": dg.DefaultSensorStatus.STOPPED,
        "drop_folder_sensor": dg.DefaultSensorStatus.STOPPED,
    }
    assert set(schedules.values()) == {dg.DefaultScheduleStatus.STOPPED}


@pytest.mark.parametrize(
    ("job", "op", "safe"),
    [
        ("billing_run", "billing_models", {"dry_run": True, "bill_group": "all"}),
        ("reprocess_suspense", "reprocess_suspended_records", {"preview": True}),
    ],
)
def test_jobs_people_start_do_nothing_by_default(
    definitions: dg.Definitions, job: str, op: str, safe: dict[str, Any]
) -> None:
    fields = definitions.resolve_job_def(job).graph.node_named(op).definition.config_schema
    defaults = {
        name: field.default_value
        for name, field in fields.config_type.fields.items()
        if name in safe
    }
    assert defaults == safe


def test_the_launchpad_offers_the_options_of_the_job_and_nothing_else(
    definitions: dg.Definitions,
) -> None:
    schema = definitions.resolve_job_def("billing_run").run_config_schema.config_type
    assert "dbt" not in schema.fields.get("resources").config_type.fields
    offered = schema.fields["ops"].config_type.fields["billing_models"].config_type.fields
    assert set(offered["config"].config_type.fields) == {"period", "bill_group", "dry_run"}


def _fields(config_type: Any) -> dict[str, Any]:
    """Every field of a job's options, with the path to it."""
    found = {}
    for name, field in getattr(config_type, "fields", {}).items():
        found[name] = field
        found |= {f"{name}.{inner}": f for inner, f in _fields(field.config_type).items()}
    return found


def test_every_job_explains_itself_where_it_is_started(definitions: dg.Definitions) -> None:
    """An operator sees the area, what it does, and what each option means, and no other text."""
    silent = []
    for job in definitions.resolve_all_job_defs():
        if job.name.startswith("__"):
            continue
        if not (job.description or "").strip() or job.tags.get("area") not in AREAS:
            silent.append(job.name)
        ops = job.run_config_schema.config_type.fields["ops"].config_type
        silent += [
            f"{job.name}: {path}"
            for path, field in _fields(ops).items()
            if ".config." in path and not (field.description or "").strip()
        ]
    assert silent == []


def test_every_kind_of_reference_data_can_be_loaded(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_asset_graph().materializable_asset_keys
    assert {dg.AssetKey(["reference", kind]) for kind in KINDS} <= set(keys)


def test_loaders_never_import_dagster() -> None:
    offenders = [
        path
        for path in (settings.project_root() / "loaders").rglob("*.py")
        if "dagster" in path.read_text().replace("dagster_run", "").lower()
        and any(
            line.strip().startswith(("import dagster", "from dagster"))
            for line in path.read_text().splitlines()
        )
    ]
    assert offenders == []
