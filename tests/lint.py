"""`python -m tests.lint`: ruff on Python, sqlfluff on SQL. Exit code 1 if one complains.

sqlfluff compiles the models through dbt, and dbt asks the database while it compiles: a migrated
scratch database answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loaders import settings
from loaders.database import migrate
from loaders.errors import RatehouseError
from tests.servers import (
    drop_database,
    execute,
    scratch_server,
    temporary_folder,
    with_database,
)

_BIN = Path(sys.executable).parent
_MODEL_FOLDERS = ("dbt_project/models", "dbt_project/tests")
_PROCESSES = min(4, os.cpu_count() or 1)


def main() -> int:
    """Run all linters; all of them speak before one decides."""
    print("==> ruff", flush=True)
    is_clean = _run("ruff", "check", "--quiet", ".")
    print("==> sqlfluff", flush=True)
    is_clean &= _sqlfluff("--templater", "raw", "loaders/database/migrations")
    with scratch_server() as server_url:
        name = f"ratehouse_lint_{os.getpid()}"
        execute(server_url, "create database {}", name)
        url = with_database(server_url, name)
        try:
            migrate(url)
            # Records are hashed over all columns of their landing table: without the tables the
            # linter has a short expression to read instead of fifty long ones.
            execute(url, "drop schema landing cascade")
            is_clean &= _lint_models(url)
        finally:
            drop_database(server_url, url)
    return 0 if is_clean else 1


def _lint_models(url: str) -> bool:
    """All models and tests, shared out to the processors: each file takes a second or two."""
    root = settings.project_root()
    files = sorted(
        (path for name in _MODEL_FOLDERS for path in (root / name).rglob("*.sql")),
        key=lambda path: path.stat().st_size,
    )
    shards = [files[number :: _PROCESSES] for number in range(_PROCESSES)]
    with temporary_folder("lint") as folder:
        # Target folders of their own: a dbt run at the same time keeps its files.
        environment = settings.dbt_environment(url) | {"DBT_TARGET_PATH": str(folder / "seed")}
        # Some models are written from the rules in the seeds.
        if not _run(
            "dbt", "--quiet", "seed", "--project-dir", "dbt_project", "--profiles-dir",
            "dbt_project", "--log-path", str(folder), environment=environment,
        ):  # fmt: skip
            return False
        with ThreadPoolExecutor(_PROCESSES) as pool:
            verdicts = pool.map(
                lambda shard: _sqlfluff(
                    *(str(path.relative_to(root)) for path in shard[1]),
                    environment=environment | {"DBT_TARGET_PATH": str(folder / str(shard[0]))},
                ),
                [(number, shard) for number, shard in enumerate(shards) if shard],
            )
            return all(list(verdicts))


def _sqlfluff(*arguments: str, environment: dict[str, str] | None = None) -> bool:
    result = subprocess.run(
        [_BIN / "sqlfluff", "lint", "--disable-progress-bar", *arguments],
        cwd=settings.project_root(),
        env=os.environ | (environment or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    # A file dbt cannot compile is skipped with success; a file nobody looked at is not clean.
    is_clean = result.returncode == 0 and "Skipped file" not in result.stdout
    if not is_clean:
        print(result.stdout, flush=True)
    return is_clean


def _run(program: str, *arguments: str, environment: dict[str, str] | None = None) -> bool:
    result = subprocess.run(
        [_BIN / program, *arguments],
        cwd=settings.project_root(),
        env=os.environ | (environment or {}),
        check=False,
    )
    return result.returncode == 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RatehouseError as error:
        sys.exit(f"lint: {error}")
