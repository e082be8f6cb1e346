"""Fixtures every test may use: a PostgreSQL server, and fresh migrated databases on it.

The server is RATEHOUSE_TEST_DATABASE_URL if that is set (a user who may create databases), else an
embedded one in a temporary folder for the length of the session.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders import settings
from loaders.database import connect, migrate
from loaders.database.server import Server

TEST_DATABASE_VARIABLE = "RATEHOUSE_TEST_DATABASE_URL"
_FOLDER_PREFIX = "ratehouse-test-"
# A test server may lose everything when the machine crashes; it is small and quick instead.
_TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
}


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """No test touches the installation it runs in: each names its database itself."""
    patch = pytest.MonkeyPatch()
    for name in ("RATEHOUSE_DATABASE_URL", "RATEHOUSE_PORT"):
        patch.delenv(name, raising=False)
    folder = _make_folder("home")
    patch.setenv("RATEHOUSE_HOME", str(folder))
    yield
    patch.undo()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(_own_environment: None) -> Iterator[str]:
    """The URL of a server on which databases may be made and dropped."""
    configured = os.environ.get(TEST_DATABASE_VARIABLE)
    if configured:
        yield configured
        return
    _remove_dead_servers()
    folder = _make_folder("server")
    server = Server(folder, overrides=_TEST_SETTINGS)
    try:
        yield server.start()
    finally:
        _remove_server(folder)


@pytest.fixture(scope="session")
def make_database(server_url: str) -> Iterator[Callable[[], str]]:
    """A function that makes an empty migrated database and returns its URL."""
    made: list[str] = []
    template = f"ratehouse_template_{secrets.token_hex(4)}"
    _execute(server_url, "create database {}", template)
    made.append(template)
    migrate(with_database(server_url, template))

    def make() -> str:
        name = f"ratehouse_test_{secrets.token_hex(4)}"
        _execute(server_url, "create database {} template {}", name, template)
        made.append(name)
        return with_database(server_url, name)

    yield make
    for name in made:
        _execute(server_url, "drop database if exists {} with (force)", name)


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
    """A connection to this test's database as its owner, rolled back at the end."""
    session = connect(url=database, application_name="ratehouse test")
    with contextlib.closing(session):
        yield session


def with_database(url: str, name: str) -> str:
    """The same server and user, another database."""
    parameters = settings.connection_parameters(url)
    return settings.make_database_url(
        host=parameters["host"],
        port=int(parameters["port"]),
        user=parameters["user"],
        password=parameters["password"],
        dbname=name,
    )


def drop_database(server_url: str, url: str) -> None:
    """Drop a database, whoever is still connected to it."""
    name = settings.connection_parameters(url)["dbname"]
    _execute(server_url, "drop database if exists {} with (force)", name)


def _execute(server_url: str, statement: str, *names: str) -> None:
    session = psycopg2.connect(server_url)
    try:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
    finally:
        session.close()


def _make_folder(purpose: str) -> Path:
    # Named after our process, so that a later session recognises what a killed one left behind;
    # open to enter, since under root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-{purpose}-"))
    folder.chmod(0o755)
    return folder


def _remove_server(folder: Path) -> None:
    server = Server(folder)
    data = server.data_directory
    with contextlib.suppress(Exception):
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    if data.parent != folder:
        shutil.rmtree(data.parent, ignore_errors=True)


def _remove_dead_servers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*-server-*"):
        match = re.match(rf"{_FOLDER_PREFIX}(\d+)-", folder.name)
        if match is None or folder.stat().st_uid != os.geteuid():
            continue
        try:
            os.kill(int(match[1]), 0)
        except ProcessLookupError:
            _remove_server(folder)
        except PermissionError:
            continue
