"""A PostgreSQL server for tests and lint: the operator's, or an embedded one for a while."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from psycopg2 import sql

from loaders import settings
from loaders.database.server import Server

TEST_DATABASE_VARIABLE = "RATEHOUSE_TEST_DATABASE_URL"
_FOLDER_PREFIX = "ratehouse-test-"
# A test server may lose everything when the machine crashes; it is small and quick instead.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
}


@contextlib.contextmanager
def scratch_server() -> Iterator[str]:
    """The URL of a server on which databases may be made and dropped."""
    configured = os.environ.get(TEST_DATABASE_VARIABLE)
    if configured:
        yield configured
        return
    _remove_dead_servers()
    with temporary_folder("server") as folder:
        try:
            yield Server(folder, overrides=_SETTINGS).start()
        finally:
            remove_server(folder)


@contextlib.contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """A folder that any user may enter: under root the server runs as another one."""
    # Named after our process, so that a later session recognises what a killed one left behind.
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-{purpose}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_server(folder: Path) -> None:
    """Stop the server of a folder and remove all of it."""
    with contextlib.suppress(Exception):
        Server(folder).erase()
    shutil.rmtree(folder, ignore_errors=True)


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


def execute(server_url: str, statement: str, *names: str) -> None:
    """One statement outside a transaction, its {} filled with quoted names."""
    session = psycopg2.connect(server_url)
    try:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
    finally:
        session.close()


def copy_database(server_url: str, original: str, name: str) -> str:
    """A copy of a database nobody is connected to; its URL."""
    # Block by block through the log takes six times the processor time of copying files, but
    # files are copied after a checkpoint, which a server that cares for its disk waits for.
    strategy = "file_copy" if _is_careless(server_url) else "wal_log"
    execute(server_url, f"create database {{}} template {{}} strategy {strategy}", name, original)
    # A copy has the tables' rights, not those on the database itself (migration 0001).
    execute(
        server_url, "grant create on database {} to ratehouse_owner, ratehouse_transformer", name
    )
    return with_database(server_url, name)


@functools.cache
def _is_careless(server_url: str) -> bool:
    with (
        contextlib.closing(psycopg2.connect(server_url)) as session,
        session.cursor() as cursor,
    ):
        cursor.execute("select not current_setting('fsync')::boolean")
        return cursor.fetchone()[0]


def drop_database(server_url: str, url: str) -> None:
    """Drop a database, whoever is still connected to it."""
    name = settings.connection_parameters(url)["dbname"]
    execute(server_url, "drop database if exists {} with (force)", name)


def drop_databases(server_url: str, prefix: str) -> None:
    """Drop all databases whose names begin so."""
    with (
        contextlib.closing(psycopg2.connect(server_url)) as session,
        session.cursor() as cursor,
    ):
        cursor.execute("select datname from pg_database where starts_with(datname, %s)", (prefix,))
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        execute(server_url, "drop database if exists {} with (force)", name)


def _remove_dead_servers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        match = re.match(rf"{_FOLDER_PREFIX}(\d+)-", folder.name)
        if match is None:
            continue
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            os.kill(int(match[1]), 0)
        except FileNotFoundError:  # another process has just removed it
            continue
        except ProcessLookupError:
            remove_server(folder)
        except PermissionError:
            continue
