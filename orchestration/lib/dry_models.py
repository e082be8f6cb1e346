"""The models of a dry run: compiled by dbt once for each state of the project, then kept."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loaders import settings
from loaders.errors import RatehouseError
from loaders.runs.dry import PREFIX, DryModels, Model, Seed
from orchestration.lib import dbt_environment, dbt_in_process, manifest, paths

# What a dry run is asked for; everything they read is built too.
RESULTS = ("rated_usage", "rated_charge", "int_usage__canonical", "int_charge__canonical")
# Seeds that say what a reason means.
WORDS = ("record_reasons", "not_billable_rules")
# What an invoice of a dry run is asked for; a preview builds none of it.
BILLING = (
    "fct_rated_usage", "draft_invoice", "rpt_usf__contribution_base", "rpt_usf__factor",
    "fct_charge", "rpt_charge_recognition", "allowance_balance",
)  # fmt: skip
# What a re-rating shows before it is done.
COMPARISON = ("rpt_rerated_usage",)
_ASKED = (*RESULTS, *BILLING, *COMPARISON)
_KEPT = 3


def dry_models(url: str) -> DryModels:
    """The compiled models for the project as it stands on disk."""
    project = paths.dbt_project_folder()
    folder = settings.home() / "dry"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_fingerprint(project)}.json"
    with (folder / ".compiling").open("w") as handle:
        # Whoever comes meanwhile waits: compiling twice would take both longer.
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not path.exists():
            models = _compile(project, url)
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps(asdict(models)))
            fresh.replace(path)
            _forget_old(folder)
            return models
    return read_models(path)


def read_models(path: Path) -> DryModels:
    """Models as `dry_models` keeps them."""
    stored = json.loads(path.read_text())
    return DryModels(
        tuple(
            Seed(
                seed["name"],
                seed["schema"],
                tuple(seed["columns"]),
                tuple(seed["types"]),
                tuple(tuple(row) for row in seed["rows"]),
            )
            for seed in stored["seeds"]
        ),
        *(
            tuple(Model(**{**model, "indexes": tuple(model["indexes"])}) for model in stored[part])
            for part in ("models", "billing", "comparison")
        ),
    )


def _fingerprint(project: Path) -> str:
    digest = hashlib.sha256(manifest.fingerprint(project).encode())
    # The columns of the landing tables follow from the profiles.
    profiles = settings.project_root() / "loaders" / "layouts" / "profiles"
    for path in sorted(profiles.glob("*.toml")):
        digest.update(path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:24]


def _forget_old(folder: Path) -> None:
    for path in sorted(folder.glob("*.json"), key=lambda p: p.stat().st_mtime)[:-_KEPT]:
        path.unlink(missing_ok=True)


def _compile(project: Path, url: str) -> DryModels:
    target = Path(tempfile.mkdtemp(prefix="ratehouse_dry_"))
    place = manifest.Place.of(url, target=PREFIX)
    try:
        done = dbt_in_process.invoke(
            ["compile", "--no-populate-cache", *selection()],
            url, place, compile_environment(project, url, target), target,
        )  # fmt: skip
    finally:
        shutil.rmtree(target, ignore_errors=True)
    if not done.succeeded:
        raise RatehouseError(
            "the dbt models cannot be compiled for a dry run:\n"
            + done.describe_failure()
        )
    nodes = {
        key: node.to_dict(omit_none=False)
        for key, node in dbt_in_process.manifest_for(place).nodes.items()
        if node.resource_type in ("model", "seed")
    }
    return models_of(project, {"nodes": nodes}, url)


def compile_arguments(project: Path) -> list[str]:
    """The dbt command that compiles all that a dry run builds."""
    return [
        "compile", "--target", PREFIX,
        "--project-dir", str(project), "--profiles-dir", str(project), *selection(),
    ]  # fmt: skip


def selection() -> list[str]:
    """All that a dry run builds."""
    return ["--select", *[f"+{name},resource_type:model" for name in _ASKED]]


def compile_environment(project: Path, url: str, target: Path) -> dict[str, str]:
    """What dbt needs to know when it compiles for a dry run."""
    rules = [
        [row["rule_code"], row["is_enabled"].lower() == "true"]
        for row in sorted(
            _read_seed(project / "seeds" / "not_billable_rules.csv"),
            key=lambda row: int(row["priority"]),
        )
    ]
    return dbt_environment.process_environment(
        url, {"RATEHOUSE_DRY_RULES": json.dumps(rules), "DBT_TARGET_PATH": str(target)}
    )


def models_of(project: Path, compiled: Mapping[str, Any], url: str) -> DryModels:
    """What a dry run builds, from dbt's manifest of the compiled project."""
    database = settings.connection_parameters(url)["dbname"]
    rating = _needed(compiled["nodes"], (*RESULTS, *WORDS))
    billing = _needed(compiled["nodes"], (*RESULTS, *WORDS, *BILLING))
    every = _needed(compiled["nodes"], (*RESULTS, *WORDS, *BILLING, *COMPARISON))
    parts = (rating, billing[len(rating) :], every[len(billing) :])
    return DryModels(
        tuple(_seed(project, node) for node in every if node["resource_type"] == "seed"),
        *(
            tuple(_model(node, database) for node in part if node["resource_type"] == "model")
            for part in parts
        ),
    )


def _needed(nodes: Mapping[str, Any], results: Iterable[str]) -> list[Mapping[str, Any]]:
    """The results and all they depend on, each after what it reads."""
    by_name = {
        node["name"]: key
        for key, node in nodes.items()
        if node["resource_type"] in ("model", "seed")
    }
    ordered: dict[str, Mapping[str, Any]] = {}

    def visit(key: str) -> None:
        if key in ordered or key not in nodes:
            return
        for parent in nodes[key].get("depends_on", {}).get("nodes", []):
            visit(parent)
        ordered[key] = nodes[key]

    for name in results:
        visit(by_name[name])
    return list(ordered.values())


def _model(node: Mapping[str, Any], database: str) -> Model:
    config = node["config"]
    indexes = config.get("indexes") or ()
    if config["materialized"] == "run_fact":
        # The facts' own indexes serve history; here one looks up what became of a line.
        indexes = ({"columns": ["file_id", "line_no"]},) if node["name"] in RESULTS else ()
    return Model(
        name=node["alias"],
        schema=node["schema"],
        # The canonical records are asked for several times: worked out once.
        is_view=config["materialized"] == "view" and node["name"] not in RESULTS,
        is_barrier=any("evaluate_once" in hook["sql"] for hook in config["post-hook"]),
        sql=node["compiled_code"].replace(f'"{database}".', ""),
        indexes=tuple(indexes),
    )


def _seed(project: Path, node: Mapping[str, Any]) -> Seed:
    rows = _read_seed(project / node["original_file_path"])
    columns = tuple(rows[0]) if rows else ()
    declared = node["config"].get("column_types") or {}
    return Seed(
        name=node["alias"],
        schema=node["schema"],
        columns=columns,
        types=tuple(
            declared.get(column) or _type_of(row[column] for row in rows) for column in columns
        ),
        rows=tuple(tuple(row[column] or None for column in columns) for row in rows),
    )


def _read_seed(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _type_of(values: Iterable[str]) -> str:
    """As dbt takes them: whole numbers, truth values, else text."""
    given = [value for value in values if value]
    if given and all(value.lstrip("-").isdigit() for value in given):
        return "integer"
    if given and all(value.lower() in ("true", "false") for value in given):
        return "boolean"
    return "text"
