"""A warehouse to drive from the outside, as its operator does: load, rate, bill, ask."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loaders import runs, settings
from loaders.database import connect
from loaders.files import FileResult, load_paths
from loaders.reference import load_folder, load_reference
from orchestration.lib import standing
from orchestration.lib.dbt_environment import dbt_executable
from tests.oracle.compare import Difference, compare

PERIOD = date(2026, 10, 1)
BILL_GROUPS = ("main", "wholesale")
_BY = {"requested_by": "end-to-end test", "code_commit": "tested"}


class DbtFailed(AssertionError):
    """dbt ended with an error; its last words."""


@dataclass(frozen=True)
class Warehouse:
    """A database and the folder in which dbt keeps what it compiled for it."""

    url: str
    target: Path
    threads: int = 2
    is_dbt_apart: bool = False

    # -- asking ------------------------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._session() as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def value(self, query: str, *values: Any) -> Any:
        """The only value of a query."""
        ((value,),) = self.rows(query, *values)
        return value

    def execute(self, statement: str, *values: Any, past_the_guards: bool = False) -> int:
        """Change something as the owner, even what triggers forbid; rows changed."""
        with self._session() as connection, connection, connection.cursor() as cursor:
            if past_the_guards:
                cursor.execute("set local session_replication_role = replica")
            cursor.execute(statement, values)
            return cursor.rowcount

    def differences(self, folder: Path) -> list[Difference]:
        """Where warehouse and oracle disagree about a folder of reference data and files."""
        with self._session() as connection, connection:
            return compare(connection, folder)

    # -- loading -----------------------------------------------------------------------------------

    def load_reference(self, path: Path, kind: str | None = None) -> None:
        """Load a folder of reference files, or one file."""
        with self._session("ratehouse_loader") as connection:
            if kind is None:
                load_folder(connection, path)
            else:
                load_reference(connection, kind, path)

    def load(self, *paths: Path, source_code: str | None = None) -> list[FileResult]:
        """Land files."""
        with self._session("ratehouse_loader") as connection:
            return load_paths(connection, list(paths), source_code=source_code)

    # -- rating ------------------------------------------------------------------------------------

    def rate(self, *, checks: bool = False) -> dict[str, Any] | None:
        """Rate what nobody rated yet; control totals, or None when there is nothing to do."""
        with self._session() as connection:
            run = runs.open_rating_run(connection, **_BY, code_is_dirty=False)
            if run is None:
                return None
            self.build("tag:rating", run.environment(), checks=checks)
            return runs.close_rating_run(connection, run)

    def reprocess(self, filters: runs.SuspenseFilters) -> dict[str, Any] | None:
        """Rate suspended records once more."""
        with self._session() as connection:
            run = runs.open_reprocess_run(connection, filters, **_BY, code_is_dirty=False)
            if run is None:
                return None
            self.build("tag:rating", run.environment())
            return runs.close_rating_run(connection, run)

    def pair(self, *, killed: bool = False) -> dict[str, Any] | None:
        """Rate once more what later files completed; None when there is nothing."""
        with self._session() as connection:
            run = runs.open_pairing_run(connection, **_BY, code_is_dirty=False)
            if killed:
                # the connection, and with it the lock, is gone; the run stays as it is
                return None
            return self._finish(connection, run)

    def preview(self, filters: runs.SuspenseFilters) -> list[runs.SuspenseGroup]:
        """What a reprocess run would take."""
        with self._session() as connection:
            return runs.preview_reprocess(connection, filters)

    # -- withdrawing -------------------------------------------------------------------------------

    def preview_withdrawal(self, file_id: int) -> runs.WithdrawalPreview:
        """What withdrawing a file would take out."""
        with self._session() as connection:
            return runs.preview_withdrawal(connection, file_id)

    def preview_restore(self, file_id: int) -> runs.WithdrawalPreview:
        """What restoring a file would bring back."""
        with self._session() as connection:
            return runs.preview_restore(connection, file_id)

    def withdraw(self, file_id: int, reason: str) -> dict[str, Any] | None:
        """Withdraw a file; the run that rates its repeats is left to `rate`."""
        with self._session() as connection:
            run = runs.open_withdraw_run(
                connection, file_id, reason=reason, **_BY, code_is_dirty=False
            )
            return self._finish(connection, run)

    def restore(self, file_id: int, reason: str) -> dict[str, Any] | None:
        """Take a withdrawal back."""
        with self._session() as connection:
            run = runs.open_restore_run(
                connection, file_id, reason=reason, **_BY, code_is_dirty=False
            )
            return self._finish(connection, run)

    def _finish(self, connection: Any, run: runs.RatingRun | None) -> dict[str, Any] | None:
        if run is None:
            return None
        self.build("tag:rating", run.environment())
        return runs.close_rating_run(connection, run)

    def stale_drafts(self) -> list[tuple[str, str]]:
        """Drafts that a withdrawal or restore has left out of date."""
        with self._session() as connection:
            return [
                (f"{period:%Y-%m}", group) for period, group in runs.drafts_out_of_date(connection)
            ]

    def open_run(self) -> OpenRun:
        """A rating run that the test builds and closes step by step."""
        return OpenRun(self)

    def bill(
        self, period: date = PERIOD, groups: Sequence[str] = BILL_GROUPS, *, checks: bool = False
    ) -> dict[str, runs.DraftResult]:
        """Draft the invoices of a period, group by group."""
        drafts = {}
        with self._session() as connection:
            for group in groups:
                run = runs.open_invoice_run(connection, period, group, **_BY)
                self.build("tag:billing", run.environment(), checks=checks)
                drafts[group] = runs.close_invoice_run(connection, run)
        return drafts

    def build(
        self,
        selection: str,
        environment: Mapping[str, str],
        *,
        checks: bool = False,
        threads: int | None = None,
    ) -> None:
        """Build as a run does. Its data tests, half of its time, only where `checks` says so."""
        if self.is_dbt_apart:
            self._build_apart(selection, environment)
            return
        plan = standing.plan(self.url, selection.removeprefix("tag:"), tests=checks)
        outcome = plan.build(environment, self.target, threads=threads or self.threads)
        if not outcome.succeeded:
            raise DbtFailed(outcome.describe_failure())

    def _build_apart(self, selection: str, environment: Mapping[str, str]) -> None:
        """A dbt process of its own, as a person starts one; it outlives us when we are killed."""
        project = settings.project_root() / "dbt_project"
        done = subprocess.run(
            [
                dbt_executable(), "--no-use-colors", "--log-path", self.target, "build",
                "--project-dir", project, "--profiles-dir", project, "--target", "prod",
                "--target-path", self.target, "--select", selection,
                "--exclude-resource-type", "unit_test", "test",
            ],
            env={**os.environ, **settings.dbt_environment(self.url), **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise DbtFailed(f"{(done.stdout + done.stderr)[-4000:]}")

    def _session(self, role: str | None = None) -> closing[Any]:
        return closing(connect(role=role, url=self.url, application_name="ratehouse test"))


class OpenRun:
    """A rating run between opening and closing, with its connection and its lock."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._connection = connect(url=warehouse.url, application_name="ratehouse test")

    def __enter__(self) -> OpenRun:
        run = runs.open_rating_run(self._connection, **_BY, code_is_dirty=False)
        assert run is not None, "there is nothing to rate"
        self.run = run
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def build(self, threads: int | None = None) -> None:
        """Build the models of this attempt."""
        self._warehouse.build("tag:rating", self.run.environment(), threads=threads)

    def fail(self, failure: str) -> None:
        """Put the run down; the next attempt takes it up."""
        runs.fail_rating_run(self._connection, self.run, failure)

    def close(self) -> dict[str, Any]:
        """Let it count, if it balances."""
        return runs.close_rating_run(self._connection, self.run)
