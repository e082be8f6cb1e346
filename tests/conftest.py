"""Fixtures every test may use: a PostgreSQL server, and fresh migrated databases on it.

The server is RATEHOUSE_TEST_DATABASE_URL if that is set (a user who may create databases), else an
embedded one in a temporary folder for the length of the session. Several workers (-n) share one
server, one parse of the dbt project, and databases that take long to fill.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.database import connect, migrate
from tests.servers import (
    copy_database,
    drop_database,
    drop_databases,
    execute,
    scratch_server,
    temporary_folder,
    with_database,
)

# Folders whose files take longest: they go first, so that no worker is left with one at the end.
_LONGEST = ("orchestration", "end_to_end", "properties", "cases", "upload", "golden", "mutation")
_of_all_workers = contextlib.ExitStack()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `make test` hands out files in this order."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return _LONGEST.index(folder) if folder in _LONGEST else len(_LONGEST)

    items.sort(key=rank)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names of bytes: gzip writes the time of day, and every worker must find the same tests."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the process that starts the workers: what they share."""
    config = node.config
    if not hasattr(config, "shared_by_workers"):
        own_home(_of_all_workers)
        url = _of_all_workers.enter_context(scratch_server())
        folder = _of_all_workers.enter_context(temporary_folder("shared"))
        prefix = f"ratehouse_shared_{secrets.token_hex(4)}_"
        _of_all_workers.callback(drop_databases, url, prefix)
        config.shared_by_workers = {"server_url": url, "folder": str(folder), "prefix": prefix}
    node.workerinput["shared"] = config.shared_by_workers


def pytest_unconfigure() -> None:
    """After the last worker."""
    _of_all_workers.close()


def own_home(stack: contextlib.ExitStack) -> Path:
    """No test touches the installation it runs in: each names its database itself."""
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    folder = stack.enter_context(temporary_folder("home"))
    for name in ("RATEHOUSE_DATABASE_URL", "RATEHOUSE_PORT"):
        patch.delenv(name, raising=False)
    patch.setenv("RATEHOUSE_HOME", str(folder))
    return folder


class Shared:
    """What the workers of a session have in common."""

    def __init__(self, server_url: str, folder: str, prefix: str) -> None:
        self.server_url = server_url
        self._folder = Path(folder)
        self._prefix = prefix

    def settle(self, home: Path) -> Path:
        """Let an installation use what was parsed and compiled of this checkout already."""
        for name in ("dbt/target", "dry"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            if not (home / name).exists():
                (home / name).symlink_to(self._folder / name)
        return home

    def once(self, name: str, make: Callable[[str, Path], Any]) -> tuple[str, Any]:
        """A database that the first worker who needs it fills: its name, and what `make` gave.

        `make` gets a name for the database, and a folder; nobody may be connected afterwards.
        """
        made = self._folder / f"{name}.json"
        with (self._folder / f"{name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not made.exists():
                folder = self._folder / name
                folder.mkdir()
                made.write_text(json.dumps(make(self._prefix + name, folder)))
        return self._prefix + name, json.loads(made.read_text())


@pytest.fixture(scope="session", autouse=True)
def own_environment(request: pytest.FixtureRequest) -> Iterator[Path]:
    """No test touches the installation it runs in; the session's home folder."""
    with contextlib.ExitStack() as stack:
        home = own_home(stack)
        given = _given(request)
        yield Shared(**given).settle(home) if given else home


@pytest.fixture(scope="session")
def of_all_workers(request: pytest.FixtureRequest, own_environment: Path) -> Iterator[Shared]:
    """What the workers of this session share; a single process shares with nobody."""
    given = _given(request)
    if given:
        yield Shared(**given)
        return
    with scratch_server() as url, temporary_folder("shared") as folder:
        prefix = f"ratehouse_shared_{secrets.token_hex(4)}_"
        alone = Shared(url, str(folder), prefix)
        alone.settle(own_environment)
        yield alone
        drop_databases(url, prefix)


def _given(request: pytest.FixtureRequest) -> dict[str, str]:
    given: dict[str, str] = getattr(request.config, "workerinput", {}).get("shared", {})
    return given


@pytest.fixture(scope="session")
def server_url(of_all_workers: Shared) -> str:
    """The URL of a server on which databases may be made and dropped."""
    return of_all_workers.server_url


@pytest.fixture(scope="session")
def make_database(server_url: str) -> Iterator[Callable[[], str]]:
    """A function that makes an empty migrated database and returns its URL."""
    made: list[str] = []
    template = f"ratehouse_template_{secrets.token_hex(4)}"
    execute(server_url, "create database {}", template)
    made.append(template)
    migrate(with_database(server_url, template))

    def make() -> str:
        name = f"ratehouse_test_{secrets.token_hex(4)}"
        made.append(name)
        return copy_database(server_url, template, name)

    yield make
    for name in made:
        execute(server_url, "drop database if exists {} with (force)", name)


@pytest.fixture
def database(make_database: Callable[[], str], server_url: str) -> Iterator[str]:
    """A migrated database of this test's own: its URL."""
    url = make_database()
    yield url
    drop_database(server_url, url)


@pytest.fixture(scope="module")
def module_database(make_database: Callable[[], str], server_url: str) -> Iterator[str]:
    """A migrated database shared by the tests of one module: its URL."""
    url = make_database()
    yield url
    drop_database(server_url, url)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """A connection to this test's database as its owner; what it did not commit is lost."""
    with contextlib.closing(connect(url=database, application_name="ratehouse test")) as session:
        yield session
