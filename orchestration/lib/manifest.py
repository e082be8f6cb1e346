"""The dbt manifest must exist before the code location loads: made once, remade when stale."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def fingerprint(project: Path, environment: Mapping[str, str]) -> str:
    """Changes whenever dbt would have to parse again.

    Contents, not times: a fresh clone or a touched file changes nothing. The database address
    counts because dbt throws its partial parse away when a profile variable changes.
    """
    digest = hashlib.sha256()
    for path in project_files(project):
        digest.update(f"{path.relative_to(project)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in sorted(environment):
        if name.startswith(_PROFILE_VARIABLES):
            digest.update(f"{name}={environment[name]}\0".encode())
    digest.update(f"{paths.dbt_target_name()}/{paths.build_schema()}".encode())
    return digest.hexdigest()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".parsing").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


_loaded_nodes: frozenset[str] = frozenset()


def load_manifest() -> dict[str, Any]:
    """The manifest the assets are made from, parsed first where that is needed."""
    global _loaded_nodes
    manifest = json.loads(ensure_manifest().read_text())
    _loaded_nodes = frozenset(manifest["nodes"])
    return manifest


def is_loaded_manifest_outdated() -> bool:
    """Parse again if a file changed; whether there are other models now than the loaded ones."""
    before = manifest_path().stat().st_mtime_ns
    path = ensure_manifest()
    if path.stat().st_mtime_ns == before or not _loaded_nodes:
        return False
    return frozenset(json.loads(path.read_text())["nodes"]) != _loaded_nodes


def ensure_manifest(url: str | None = None) -> Path:
    """Parse the dbt project if its manifest is missing or older than the project; its path.

    Without a reachable database the address is left at its defaults: parsing needs none.
    """
    from orchestration.lib import dbt_environment

    if url is None:
        from loaders import database

        try:
            url = database.database_url()
        except DatabaseUnavailable:
            url = None
    project = paths.dbt_project_folder()
    if not (project / "dbt_project.yml").exists():
        raise RatehouseError(f"{project} is not a dbt project: dbt_project.yml is missing")
    environment = dbt_environment.process_environment(url)
    wanted = fingerprint(project, environment)
    target = paths.dbt_target_folder()
    stamp = target / _FINGERPRINT_FILE
    with _one_at_a_time(target):
        if (
            manifest_path().exists()
            and stamp.exists()
            # Without a server the address is unknown, and the last one known will do.
            and (stamp.read_text() == wanted or (url is None and _same_project(stamp, project)))
        ):
            return manifest_path()
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
                paths.dbt_target_name(),
            ],
            cwd=project,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RatehouseError(
                f"the dbt project does not parse:\n{(done.stdout + done.stderr).strip()}"
            )
        stamp.write_text(wanted)
        (target / "parsed_project.txt").write_text(fingerprint(project, {}))
    return manifest_path()


def _same_project(stamp: Path, project: Path) -> bool:
    parsed = stamp.parent / "parsed_project.txt"
    return parsed.exists() and parsed.read_text() == fingerprint(project, {})
