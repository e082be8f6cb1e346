"""Commands that start, stop and describe the warehouse's database."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from loaders import settings
from loaders.database import connection
from loaders.database.migrator import pending_migrations
from loaders.database.server import HOST, READER, Server
from loaders.errors import RatehouseError

NOT_RUNNING_EXIT_CODE = 3


def register(app: typer.Typer) -> None:
    """Add up, down and status."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up() -> None:
    """Start the database and bring it up to date.

    The embedded PostgreSQL, unless RATEHOUSE_DATABASE_URL names a server of your own.
    """
    url = connection.ensure_database(typer.echo)
    kind = "embedded PostgreSQL" if settings.configured_database_url() is None else "PostgreSQL"
    typer.echo(f"Ready: {kind} {settings.describe_database(url)}")


def down(
    erase: Annotated[
        bool, typer.Option("--erase", help="Also delete the embedded database for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
) -> None:
    """Stop the embedded database.

    A server of your own is left alone.
    """
    server = Server(say=typer.echo)
    if erase:
        if not yes:
            typer.confirm(f"Delete {server.data_directory} with all invoices?", abort=True)
        server.erase()
        typer.echo("The embedded database is erased.")
        return
    if server.stop():
        typer.echo("The embedded PostgreSQL server is stopped.")
    elif (configured := settings.configured_database_url()) is not None:
        typer.echo(
            f"{settings.describe_database(configured)} (RATEHOUSE_DATABASE_URL) is not ours to "
            "stop, and no embedded server is running."
        )
    else:
        typer.echo("The embedded PostgreSQL server was not running.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Say whether the database runs, and where.

    Names the files that hold the passwords, never the passwords. Exit code 3 if it does not run.
    """
    facts = database_facts()
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print_facts(facts)
    if not facts["is_reachable"]:
        raise typer.Exit(NOT_RUNNING_EXIT_CODE)


def database_facts() -> dict[str, Any]:
    """Connection facts. Passwords are never among them, only the files that hold them."""
    configured = settings.configured_database_url()
    facts: dict[str, Any] = {
        "kind": "embedded" if configured is None else "external",
        "is_reachable": False,
        "problem": None,
        "home": str(settings.home()),
    }
    try:
        if configured is None:
            facts |= _embedded_facts()
        url = connection.database_url()
        parameters = settings.connection_parameters(url)
        facts |= {name: parameters[name] for name in ("host", "user", "dbname")}
        facts["port"] = int(parameters["port"])
        facts |= _server_facts(url)
        facts["is_reachable"] = True
        facts["pending_migrations"] = pending_migrations(url)
    except RatehouseError as error:
        facts["problem"] = str(error)
    return facts


def _embedded_facts() -> dict[str, Any]:
    server = Server()
    running = server.running()
    facts: dict[str, Any] = {
        "is_running": running is not None,
        "data_directory": str(server.data_directory),
        "log_file": str(server.log_file),
        "runs_as": server.owner_name(),
    }
    if running is not None:
        facts |= {
            "process_id": running.pid or None,
            "password_file": str(server.password_file),
            "bi_reader": {
                "host": HOST,
                "port": running.port,
                "dbname": "ratehouse",
                "user": READER,
                "password_file": str(server.reader_password_file),
            },
        }
    return facts


def _server_facts(url: str) -> dict[str, Any]:
    with connection.open_connection(url, "ratehouse status") as session, session.cursor() as cursor:
        cursor.execute(
            "select current_setting('server_version'), pg_database_size(current_database()), "
            "pg_postmaster_start_time()"
        )
        version, size, started_at = cursor.fetchone()
    session.close()
    return {
        "server_version": version,
        "database_bytes": size,
        "started_at": started_at.isoformat(),
    }


def _print_facts(facts: dict[str, Any]) -> None:
    embedded = facts["kind"] == "embedded"
    rows = {
        "Database": "embedded PostgreSQL" if embedded else "PostgreSQL of your own",
        "State": "running" if facts["is_reachable"] else "not reachable",
    }
    if facts["is_reachable"]:
        pending = facts.get("pending_migrations", [])
        rows |= {
            "Version": facts["server_version"],
            "Address": "{user}@{host}:{port}/{dbname}".format(**facts),
            "Size": f"{facts['database_bytes'] / 1_000_000:,.0f} MB",
            "Started": facts["started_at"],
            "Migrations": f"pending: {', '.join(pending)}" if pending else "all applied",
        }
        if "bi_reader" in facts:
            reader = "{user}@{host}:{port}/{dbname}, password in {password_file}"
            rows["For BI tools"] = reader.format(**facts["bi_reader"])
    rows |= {
        "Password": facts.get("password_file"),
        "Data": facts.get("data_directory"),
        "Log": facts.get("log_file"),
        "Runs as": facts.get("runs_as"),
        "Home": facts["home"],
        "Problem": facts["problem"],
    }
    # Unwrapped, so that a path can be copied.
    for label, value in rows.items():
        if value:
            typer.echo(f"{label:<13} {value}")
