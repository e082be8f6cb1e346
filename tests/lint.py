"""`python -m tests.lint`: ruff on Python, sqlfluff on SQL. Exit code 1 if one complains.

sqlfluff compiles the models through dbt, and dbt asks the database while it compiles: a migrated
scratch database answers.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
from contextlib import closing
from functools import cache, lru_cache
from pathlib import Path

from dbt.cli.main import dbtRunner
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.parser import BaseSegment
from sqlfluff.utils.reflow.sequence import ReflowSequence

from loaders import runs, settings
from loaders.database import connect, migrate
from loaders.errors import RatehouseError
from loaders.files import load_paths
from tests.servers import (
    drop_database,
    execute,
    scratch_server,
    temporary_folder,
    with_database,
)

_BIN = Path(sys.executable).parent
_MIGRATIONS = "loaders/database/migrations"
_MODEL_FOLDERS = ("dbt_project/models", "dbt_project/tests")
_PROCESSES = min(4, os.cpu_count() or 1)


def main() -> int:
    """Run all linters; all of them speak before one decides."""
    os.chdir(settings.project_root())
    print("==> ruff", flush=True)
    is_clean = _run("ruff", "check", "--quiet", ".")
    print("==> sqlfluff", flush=True)
    with scratch_server() as server_url, temporary_folder("lint") as folder:
        name = f"ratehouse_lint_{os.getpid()}"
        execute(server_url, "create database {}", name)
        url = with_database(server_url, name)
        try:
            migrate(url)
            _open_run(url, folder)
            # Records are hashed over all columns of their landing table: without the tables the
            # linter has a short expression to read instead of fifty long ones.
            execute(url, "drop schema landing cascade")
            # A target folder of our own: a dbt run at the same time keeps its files.
            os.environ |= settings.dbt_environment(url) | {"DBT_TARGET_PATH": str(folder)}
            is_clean &= _seed(folder) and _sqlfluff()
        finally:
            drop_database(server_url, url)
    return 0 if is_clean else 1


def _open_run(url: str, folder: Path) -> None:
    """A run of one call: models read the layouts of a run, and without one all there are."""
    call = folder / "call.csv"
    call.write_text(
        '"","15550100","15550101","from-trunk","15550100","SIP/a-1","SIP/b-2","Dial","SIP/b",'
        '"2026-10-01 12:00:00","2026-10-01 12:00:05","2026-10-01 12:01:05",65,60,"ANSWERED",'
        '"DOCUMENTATION","1790856000.1",""\n'
    )
    with closing(connect(role="ratehouse_loader", url=url)) as session:
        (landed,) = load_paths(session, [call])
    if landed.layout_code != "asterisk_cdr":
        raise RatehouseError(f"the linter's call was not recognised: {landed}")
    with closing(connect(url=url)) as session:
        runs.open_rating_run(
            session, requested_by="lint", code_commit="linted", code_is_dirty=False
        )


def _run(program: str, *arguments: str) -> bool:
    return subprocess.run([_BIN / program, *arguments], check=False).returncode == 0


def _seed(folder: Path) -> bool:
    """Some models are written from the rules in the seeds. Leaves the parsed project behind."""
    done = dbtRunner().invoke(
        [
            "--quiet", "--log-path", str(folder), "seed",
            "--project-dir", "dbt_project", "--profiles-dir", "dbt_project",
        ]
    )  # fmt: skip
    return done.success


def _sqlfluff() -> bool:
    """All migrations, models and tests, the largest first: each file takes a second or two."""
    _lint_each_tree_once()
    files = [*Path(_MIGRATIONS).glob("*.sql")]
    files += [path for folder in _MODEL_FOLDERS for path in Path(folder).rglob("*.sql")]
    files.sort(key=lambda path: (-path.stat().st_size, path))
    # What was read for all of them is there in every child, and is no garbage to be looked for;
    # what a file leaves behind may wait, too.
    list(_linter("dbt").templater.sequence_files([], _linter("dbt").config))
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    with multiprocessing.get_context("fork").Pool(_PROCESSES) as pool:
        complaints = pool.map(_lint, map(str, files), chunksize=1)
    for path, told in sorted(zip(files, complaints, strict=True)):
        if told:
            print(f"== [{path}] FAIL", *told, sep="\n", flush=True)
    return not any(complaints)


def _lint(path: str) -> list[str]:
    """What sqlfluff says about a file."""
    linter = _linter("raw" if path.startswith(_MIGRATIONS) else "dbt")
    linted = [file for part in linter.lint_paths((path,)).paths for file in part.files]
    if not linted:
        # A file dbt cannot compile is skipped; a file nobody looked at is not clean.
        return ["skipped: dbt cannot compile it"]
    return [
        f"L:{found.line_no:>4} | P:{found.line_pos:>4} | {found.rule_code()} | {found.desc()}"
        for found in linted[0].get_violations()
    ]


@cache
def _linter(templater: str) -> Linter:
    return Linter(config=FluffConfig.from_root(overrides={"templater": templater}))


def _lint_each_tree_once() -> None:
    """Four rules cut the same tree into the same pieces, a quarter of the time of a file.

    Nothing is fixed here, so the tree and its pieces stay as they are.
    """
    cut = lru_cache(maxsize=1)(ReflowSequence.from_root.__func__)

    def from_root(
        cls: type[ReflowSequence], root_segment: BaseSegment, config: FluffConfig
    ) -> ReflowSequence:
        return cut(cls, root_segment, config)

    ReflowSequence.from_root = classmethod(from_root)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RatehouseError as error:
        sys.exit(f"lint: {error}")
