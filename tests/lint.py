"""`python -m tests.lint`: ruff on Python, sqlfluff on SQL. Exit code 1 if one complains.

sqlfluff compiles the models through dbt, and dbt asks the database while it compiles: a migrated
scratch database answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loaders import settings
from loaders.database import migrate
from loaders.errors import RatehouseError
from tests.servers import drop_database, execute, scratch_server, with_database

_BIN = Path(sys.executable).parent
_MODEL_FOLDERS = ("dbt_project/models", "dbt_project/tests")


def main() -> int:
    """Run all linters; all of them speak before one decides."""
    root = settings.project_root()
    print("==> ruff", flush=True)
    failures = _run("ruff", "check", "--quiet", ".")
    print("==> sqlfluff", flush=True)
    failures += _run(
        "sqlfluff", "lint", "--disable-progress-bar", "--templater", "raw",
        "loaders/database/migrations",
    )  # fmt: skip
    folders = [name for name in _MODEL_FOLDERS if any((root / name).rglob("*.sql"))]
    with scratch_server() as server_url:
        name = f"ratehouse_lint_{os.getpid()}"
        execute(server_url, "create database {}", name)
        url = with_database(server_url, name)
        try:
            migrate(url)
            failures += _run(
                "sqlfluff", "lint", "--disable-progress-bar", *folders,
                environment=settings.dbt_environment(url),
            )  # fmt: skip
        finally:
            drop_database(server_url, url)
    return min(failures, 1)


def _run(program: str, *arguments: str, environment: dict[str, str] | None = None) -> int:
    result = subprocess.run(
        [str(_BIN / program), *arguments],
        cwd=settings.project_root(),
        env=os.environ | (environment or {}),
        check=False,
    )
    return abs(result.returncode)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RatehouseError as error:
        sys.exit(f"lint: {error}")
