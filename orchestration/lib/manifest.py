"""The dbt manifest must exist before the code location loads: made once, remade when stale."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loaders import database, settings
from loaders.errors import DatabaseUnavailable, RatehouseError
from orchestration.lib import paths

_PARSED_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md"}
_FINGERPRINT_FILE = "parsed_from.txt"
_PROFILE_VARIABLES = "RATEHOUSE_DB_"


def manifest_path() -> Path:
    return paths.dbt_target_folder() / "manifest.json"


def project_files(project: Path) -> list[Path]:
    """Every file dbt reads, also behind the symlinked macros and seeds folders."""
    found = []
    for folder, folders, names in os.walk(project, followlinks=True):
        # dbt's own output is not its input.
        folders[:] = sorted(name for name in folders if name not in ("target", "logs"))
        found += [
            Path(folder, name) for name in sorted(names) if Path(name).suffix in _PARSED_SUFFIXES
        ]
    return found


def fingerprint(project: Path) -> str:
    """Changes whenever dbt would have to parse again.

    Contents, not times: a fresh clone or a touched file changes nothing. Nor does the address of
    the database or the build schema: `Place` puts them into what was parsed.
    """
    digest = hashlib.sha256()
    for path in project_files(project):
        digest.update(f"{path.relative_to(project)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".parsing").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Place:
    """Where dbt builds: a database, and the prefix of its schemas (none: production)."""

    database: str
    build_schema: str = ""
    # The output of profiles.yml.
    target: str = ""

    @classmethod
    def of(cls, url: str, build_schema: str = "", target: str = "") -> Place:
        """The place in the database of a URL."""
        return cls(settings.connection_parameters(url)["dbname"], build_schema, target)

    @property
    def target_name(self) -> str:
        return self.target or paths.dbt_target_name(self.build_schema)

    def schema(self, layer: str | None) -> str:
        """As macros/generate_schema_name.sql and the schemas of profiles.yml say."""
        if self.target_name in ("prod", "citus"):
            return layer or "ratehouse"
        return f"{self.build_schema or self.target_name}_{layer or 'default'}"

    def relation(self, schema: str, name: str) -> str:
        """The full name of a relation, quoted as dbt quotes it."""
        return f'"{self.database}"."{schema}"."{name}"'


_loaded_nodes: frozenset[str] = frozenset()


def load_manifest() -> dict[str, Any]:
    """The manifest the assets are made from, parsed first where that is needed."""
    global _loaded_nodes
    manifest = json.loads(ensure_manifest().read_text())
    _loaded_nodes = frozenset(manifest["nodes"])
    place = _production_or_named()
    for node in manifest["nodes"].values():
        node["database"] = place.database
        node["schema"] = place.schema(node["config"].get("schema"))
        if node.get("relation_name"):
            node["relation_name"] = place.relation(node["schema"], node["alias"])
    for source in manifest["sources"].values():
        source["database"] = place.database
        source["relation_name"] = place.relation(source["schema"], source["identifier"])
    return manifest


def _production_or_named() -> Place:
    try:
        return Place.of(database.database_url(), paths.build_schema())
    except DatabaseUnavailable:
        return Place("ratehouse", paths.build_schema())


def is_loaded_manifest_outdated() -> bool:
    """Parse again if a file changed; whether there are other models now than the loaded ones."""
    before = manifest_path().stat().st_mtime_ns
    path = ensure_manifest()
    if path.stat().st_mtime_ns == before or not _loaded_nodes:
        return False
    return frozenset(json.loads(path.read_text())["nodes"]) != _loaded_nodes


def ensure_manifest() -> Path:
    """Parse the dbt project if its manifest is missing or older than the project; its path."""
    from orchestration.lib import dbt_environment

    project = paths.dbt_project_folder()
    if not (project / "dbt_project.yml").exists():
        raise RatehouseError(f"{project} is not a dbt project: dbt_project.yml is missing")
    wanted = fingerprint(project)
    target = paths.dbt_target_folder()
    stamp = target / _FINGERPRINT_FILE
    with _one_at_a_time(target):
        if manifest_path().exists() and stamp.exists() and stamp.read_text() == wanted:
            return manifest_path()
        # No server is asked, and without an address dbt can go on from what it parsed before.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_PROFILE_VARIABLES)
        }
        done = subprocess.run(
            [
                dbt_environment.dbt_executable(),
                "--log-path",
                str(target),
                "parse",
                "--project-dir",
                str(project),
                "--profiles-dir",
                str(project),
                "--target",
                "prod",
                "--target-path",
                str(target),
            ],
            cwd=project,
            env=environment | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RatehouseError(
                f"the dbt project does not parse:\n{(done.stdout + done.stderr).strip()}"
            )
        stamp.write_text(wanted)
    return manifest_path()
