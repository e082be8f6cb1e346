"""Brings a database to the shape this code needs: numbered SQL files, each applied once.

The files are the contract of everything that is not rebuilt by dbt. Each runs in one transaction
together with its row in migration.applied; a session lock lets one process migrate at a time.
Behind them come the landing tables, which are made from the layout profiles.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.database.connection import open_connection
from loaders.database.landing_tables import layouts_to_make, make_landing
from loaders.errors import MigrationError
from loaders.events import record_event
from loaders.settings import describe_database

MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
MINIMUM_SERVER_VERSION = 16
ROLES = (
    "ratehouse_owner", "ratehouse_loader", "ratehouse_transformer", "bi_reader", "bi_unmasked",
    "bi_account",
)  # fmt: skip

_FILE_NAME = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.sql")
_LOCK_KEY = 0x52415445  # "RATE": the same for every installation, unlikely to be another's
_LOCK_TIMEOUT = "10min"
_ATTEMPTS = 5


@dataclass(frozen=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    path: Path
    text: str

    @property
    def checksum(self) -> str:
        """sha256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """The migrations in order; two files with one number are refused."""
    migrations: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(
                f"{path}: a migration is named NNNN_words.sql (lower case), for example "
                "0006_mailboxes.sql."
            )
        # Text mode makes every line end \n: a checkout that translates them changes no checksum.
        text = path.read_text(encoding="utf-8")
        migration = Migration(int(match["version"]), path.stem, path, text)
        if migration.version in migrations:
            raise MigrationError(
                f"{path.name} and {migrations[migration.version].path.name} have the same number; "
                "renumber the one that is not released yet."
            )
        migrations[migration.version] = migration
    if not migrations:
        raise MigrationError(f"{folder} holds no migrations: the installation is incomplete.")
    return [migrations[version] for version in sorted(migrations)]


def migrate(url: str, folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """Apply what is missing, in order; return the names applied (empty: nothing to do).

    Then make the landing tables the layout profiles ask for.
    """
    migrations = read_migrations(folder)
    connection = open_connection(url, "ratehouse migrate")
    try:
        _check_server(connection, url)
        is_current = not _pending(migrations, _applied(connection))
        if is_current and not layouts_to_make(connection):
            return []
        _take_lock(connection, url)
        applied = _apply_pending(connection, url, migrations)
        _make_landing(connection, url)
        return applied
    finally:
        connection.close()  # a session lock ends with its session


def pending_migrations(url: str, folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """Names of the migrations a database still lacks."""
    connection = open_connection(url, "ratehouse status")
    try:
        _check_server(connection, url)
        return [m.name for m in _pending(read_migrations(folder), _applied(connection))]
    finally:
        connection.close()


def _apply_pending(connection: Connection, url: str, migrations: list[Migration]) -> list[str]:
    # Again under the lock: whoever held it before us may have done the work.
    pending = _pending(migrations, _applied(connection))
    if not pending:
        return []
    _check_rights(connection, url)
    done = []
    for migration in pending:
        _apply(connection, url, migration)
        done.append(migration.name)
    return done


def _make_landing(connection: Connection, url: str) -> None:
    layouts = layouts_to_make(connection)
    if not layouts:
        return
    try:
        make_landing(connection, layouts)
    except psycopg2.Error as error:
        reason = error.diag.message_primary or str(error).strip()
        raise MigrationError(
            f"The landing tables of {', '.join(layout.code for layout in layouts)} could not be "
            f"made on {describe_database(url)}, nothing of it was kept: {reason}."
        ) from error


def _apply(connection: Connection, url: str, migration: Migration) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        started = time.monotonic()
        try:
            with connection, connection.cursor() as cursor:
                if not _has_history(cursor):
                    cursor.execute(_CREATE_HISTORY)
                cursor.execute(migration.text)
                cursor.execute("reset role")
                cursor.execute(
                    "insert into migration.applied (version, name, checksum, duration_ms) "
                    "values (%s, %s, %s, %s)",
                    (
                        migration.version,
                        migration.name,
                        migration.checksum,
                        round((time.monotonic() - started) * 1000),
                    ),
                )
                cursor.execute("select to_regclass('control.event') is not null")
                if cursor.fetchone()[0]:
                    detail = {"migration": migration.name}
                    record_event(cursor, "database", None, "migrated", detail)
            return
        except psycopg2.Error as error:
            # Roles are cluster-wide and our lock is not: another database of the same server may
            # grant at this instant. The loser only has to try again.
            concurrent = "tuple concurrently" in str(error)
            if concurrent and attempt < _ATTEMPTS:
                time.sleep(0.1 * attempt)
                continue
            raise MigrationError(_explain(error, url, migration)) from error


_CREATE_HISTORY = """
create schema migration;
comment on schema migration is 'Which numbered SQL files of loaders/database were applied.';
create table migration.applied (
    version integer primary key,
    name text not null,
    checksum text not null,
    duration_ms bigint not null,
    applied_by text not null default session_user,
    applied_at timestamptz not null default clock_timestamp()
);
comment on table migration.applied is 'One row per migration. checksum: sha256 of its text.';
"""


def _has_history(cursor: psycopg2.extensions.cursor) -> bool:
    # Through the catalogue: to_regclass raises where the schema may not be used.
    cursor.execute(
        "select exists (select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        "where n.nspname = 'migration' and c.relname = 'applied')"
    )
    return bool(cursor.fetchone()[0])


def _applied(connection: Connection) -> dict[int, tuple[str, str]]:
    with connection, connection.cursor() as cursor:
        if not _has_history(cursor):
            return {}
        try:
            cursor.execute("select version, name, checksum from migration.applied")
        except psycopg2.errors.InsufficientPrivilege as error:
            raise MigrationError(
                f"User {connection.info.user} may not read migration.applied in database "
                f"{connection.info.dbname}: it was set up by another user. Connect as that user "
                "or as a superuser."
            ) from error
        return {version: (name, checksum) for version, name, checksum in cursor.fetchall()}


def _pending(
    migrations: list[Migration], applied: dict[int, tuple[str, str]]
) -> list[Migration]:
    known = {migration.version: migration for migration in migrations}
    for version, (name, checksum) in sorted(applied.items()):
        migration = known.get(version)
        if migration is None:
            raise MigrationError(
                f"The database has migration {name}, which this code does not know: it was set up "
                "by a newer version of Ratehouse. Update the code; databases are not downgraded."
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"{migration.path.name} was changed after it was applied to this database "
                f"(applied: {checksum[:12]}, file: {migration.checksum[:12]}). Restore the file "
                "and put the change into a new migration with the next number."
            )
    pending = [migration for migration in migrations if migration.version not in applied]
    if pending and applied and pending[0].version < max(applied):
        latest = applied[max(applied)][0]
        raise MigrationError(
            f"{pending[0].path.name} was never applied, but the later {latest} was. Migrations "
            "are applied in order: give the new file the next free number."
        )
    return pending


def _check_server(connection: Connection, url: str) -> None:
    major = connection.server_version // 10000
    if major < MINIMUM_SERVER_VERSION:
        raise MigrationError(
            f"{describe_database(url)} runs PostgreSQL {major}; Ratehouse needs "
            f"{MINIMUM_SERVER_VERSION} or newer. Upgrade the server, or unset "
            "RATEHOUSE_DATABASE_URL to use the embedded one."
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise MigrationError(
            f"{describe_database(url)} stores text as {encoding}; Ratehouse needs a database "
            "created with encoding 'UTF8'."
        )
    if connection.info.parameter_status("in_hot_standby") == "on":
        raise MigrationError(
            f"{describe_database(url)} is a read-only standby; connect to its primary server."
        )


def _take_lock(connection: Connection, url: str) -> None:
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
            cursor.execute("select pg_advisory_lock(%s)", (_LOCK_KEY,))
    except psycopg2.errors.LockNotAvailable as error:
        raise MigrationError(
            f"Another process has been migrating {describe_database(url)} for {_LOCK_TIMEOUT}; "
            "see pg_stat_activity, application 'ratehouse migrate'."
        ) from error


def _check_rights(connection: Connection, url: str) -> None:
    """Say in words what is missing before the first statement fails in the middle."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select
                r.rolsuper,
                r.rolcreaterole,
                pg_has_role(current_user, d.datdba, 'MEMBER'),
                array(
                    select n.name::text
                    from unnest(%s::text[]) with ordinality as n (name, place)
                    where not exists (select from pg_roles as p where p.rolname = n.name)
                    order by n.place
                ),
                array(
                    select p.rolname::text
                    from pg_roles as p
                    inner join unnest(%s::text[]) with ordinality as n (name, place)
                        on p.rolname = n.name
                    where p.rolname not like 'bi\\_%%'
                        and not pg_has_role(current_user, p.oid, 'SET')
                        and not pg_has_role(current_user, p.oid, 'MEMBER WITH ADMIN OPTION')
                    order by n.place
                ),
                current_user
            from pg_roles as r
            cross join pg_database as d
            where r.rolname = current_user and d.datname = current_database()
            """,
            (list(ROLES), list(ROLES)),
        )
        is_super, can_create_roles, is_owner, absent, closed, user = cursor.fetchone()
    if is_super:
        return
    problems = []
    if not is_owner:
        problems.append(
            f'it does not own the database (alter database "{connection.info.dbname}" '
            f'owner to "{user}")'
        )
    if absent and not can_create_roles:
        problems.append(
            f'it may not create the roles {", ".join(absent)} (alter role "{user}" createrole)'
        )
    if closed:
        problems.append(
            f"the roles {', '.join(closed)} exist already and it is not a member "
            f'(grant {", ".join(closed)} to "{user}")'
        )
    if problems:
        raise MigrationError(
            f"User {user} cannot set up {describe_database(url)}: {'; '.join(problems)}. "
            "A superuser can do this once, or connect as one."
        )


def _explain(error: psycopg2.Error, url: str, migration: Migration) -> str:
    if isinstance(error, psycopg2.OperationalError) and error.pgcode is None:
        return (
            f"The connection to {describe_database(url)} broke while {migration.path.name} was "
            "applied. Nothing of it was kept; start again."
        )
    diagnosis = error.diag
    place = migration.path.name
    if diagnosis.statement_position:
        line = migration.text.count("\n", 0, int(diagnosis.statement_position) - 1) + 1
        place += f", line {line}"
    reason = diagnosis.message_primary or str(error).strip()
    if diagnosis.message_detail:
        reason += f" ({diagnosis.message_detail})"
    return (
        f"Migration {place} failed on {describe_database(url)} and was rolled back: {reason}."
    )
