"""Connections to the warehouse: one place that knows roles, time zone and what errors mean."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders import settings
from loaders.errors import DatabaseUnavailable

_CONNECT_TIMEOUT_SECONDS = "10"
# A server that replays its log after a crash refuses connections until it is done.
_STARTING_UP_SECONDS = 60.0


def database_url() -> str:
    """The address of the warehouse: the operator's server, else the running embedded one."""
    configured = settings.configured_database_url()
    if configured:
        settings.connection_parameters(configured)  # refuse nonsense early, in words
        return configured
    from loaders.database.server import Server

    return Server().url()


def ensure_database(say: Callable[[str], None] | None = None) -> str:
    """Make the warehouse usable: server started if it is ours, migrations applied."""
    from loaders.database.migrator import migrate

    configured = settings.configured_database_url()
    if configured:
        url = database_url()
        applied = migrate(url)
    else:
        from loaders.database.server import Server

        server = Server(say=say)
        url = server.start()
        applied = migrate(url)
        server.open_bi_reader()
    if applied and say is not None:
        say(f"Applied migrations {', '.join(applied)}.")
    return url


def connect(
    role: str | None = None, url: str | None = None, application_name: str = "ratehouse"
) -> Connection:
    """A connection in UTC that acts as the given role."""
    target = url or database_url()
    connection = open_connection(target, application_name)
    if role is None:
        return connection
    try:
        # Committed at once: a SET inside a transaction that rolls back would be undone.
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
    except psycopg2.Error as error:
        connection.close()
        where = settings.describe_database(target)
        if error.pgcode in ("22023", "42704"):  # the role does not exist
            raise DatabaseUnavailable(
                f"{where} has no role {role}: it was not set up yet. Run `ratehouse up`."
            ) from error
        raise DatabaseUnavailable(
            f"{where}: this user may not act as {role}. A superuser can allow it: "
            f'grant {role} to "{settings.connection_parameters(target)["user"]}".'
        ) from error
    return connection


def open_connection(url: str, application_name: str) -> Connection:
    """A connection as the user of the URL, in UTC; failures are put in words."""
    parameters = settings.connection_parameters(url)
    parameters.setdefault("connect_timeout", _CONNECT_TIMEOUT_SECONDS)
    parameters["application_name"] = application_name
    if not parameters["password"]:
        del parameters["password"]  # let libpq look into its password file
    deadline = time.monotonic() + _STARTING_UP_SECONDS
    while True:
        try:
            connection = psycopg2.connect(**parameters)
            break
        except psycopg2.OperationalError as error:
            if _is_starting(error) and time.monotonic() < deadline:
                time.sleep(0.3)
                continue
            raise DatabaseUnavailable(describe_failure(error, url)) from error
    with connection, connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
    return connection


def describe_failure(error: psycopg2.OperationalError, url: str | None = None) -> str:
    """What a connection failure means and what to do about it."""
    text = " ".join(str(error).split()) or "no reason given"
    where = settings.describe_database(url) if url else "the database"
    if "password authentication failed" in text or "no password supplied" in text:
        hint = "User or password is wrong: check RATEHOUSE_DATABASE_URL."
    elif "Connection refused" in text or "could not connect" in text:
        hint = "Is the server running? For the embedded one: `ratehouse up`."
    elif "could not translate host name" in text:
        hint = "The host name is unknown here: check RATEHOUSE_DATABASE_URL."
    elif "does not exist" in text:
        hint = "Create it first, or check RATEHOUSE_DATABASE_URL."
    elif "too many clients" in text or "remaining connection slots" in text:
        hint = "All its connections are taken: wait, or raise max_connections."
    elif "No space left on device" in text or "could not extend file" in text:
        hint = "Its disk is full."
    else:
        hint = ""
    return f"No connection to {where}: {text}. {hint}".strip()


def _is_starting(error: psycopg2.OperationalError) -> bool:
    text = str(error)
    return "starting up" in text or "in recovery mode" in text or "not yet accepting" in text
