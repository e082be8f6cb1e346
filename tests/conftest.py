"""Fixtures every test may use: a PostgreSQL server, and fresh migrated databases on it.

The server is RATEHOUSE_TEST_DATABASE_URL if that is set (a user who may create databases), else an
embedded one in a temporary folder for the length of the session.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.database import connect, migrate
from tests.servers import (
    copy_database,
    drop_database,
    execute,
    scratch_server,
    temporary_folder,
    with_database,
)


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """No test touches the installation it runs in: each names its database itself."""
    with pytest.MonkeyPatch.context() as patch, temporary_folder("home") as folder:
        for name in ("RATEHOUSE_DATABASE_URL", "RATEHOUSE_PORT"):
            patch.delenv(name, raising=False)
        patch.setenv("RATEHOUSE_HOME", str(folder))
        yield


@pytest.fixture(scope="session")
def server_url(own_environment: None) -> Iterator[str]:
    """The URL of a server on which databases may be made and dropped."""
    with scratch_server() as url:
        yield url


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
