"""Migrations: in order, once, together or not at all, and refusals in words."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from loaders import settings
from loaders.database import connect, ensure_database, migrate
from loaders.database.migrator import MIGRATIONS_FOLDER, pending_migrations, read_migrations
from loaders.errors import MigrationError
from tests.database.conftest import SMALL_SERVER
from tests.servers import drop_database, execute, remove_server, temporary_folder, with_database

ALL = [migration.name for migration in read_migrations()]


@pytest.fixture
def empty_database(server_url: str) -> Iterator[str]:
    """A database without any migration."""
    name = f"ratehouse_test_{secrets.token_hex(4)}"
    execute(server_url, "create database {}", name)
    url = with_database(server_url, name)
    yield url
    drop_database(server_url, url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations, to be changed."""
    return Path(shutil.copytree(MIGRATIONS_FOLDER, tmp_path / "migrations"))


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_all_are_applied_in_order_and_only_once(empty_database: str) -> None:
    assert pending_migrations(empty_database) == ALL
    assert migrate(empty_database) == ALL
    assert migrate(empty_database) == []
    assert pending_migrations(empty_database) == []
    kept = rows(empty_database, "select name, length(checksum) from migration.applied order by 1")
    assert kept == [(name, 64) for name in ALL]
    told = rows(
        empty_database,
        "select detail ->> 'migration' from control.event where subject = 'database'",
    )
    assert (ALL[-1],) in told


def test_a_new_file_is_applied_to_an_existing_database(database: str, folder: Path) -> None:
    (folder / "0900_later.sql").write_text("create table control.later (n int);", "utf-8")
    assert migrate(database, folder) == ["0900_later"]
    assert rows(database, "select count(*) from control.later") == [(0,)]


def test_a_changed_applied_file_is_refused(database: str, folder: Path) -> None:
    target = folder / "0002_control.sql"
    target.write_text(target.read_text("utf-8") + "-- one more line\n", "utf-8")
    with pytest.raises(MigrationError, match=r"0002_control\.sql was changed after it was applied"):
        migrate(database, folder)


def test_other_line_ends_are_no_change(database: str, folder: Path) -> None:
    for path in folder.glob("*.sql"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(database, folder) == []


def test_a_database_of_newer_code_is_refused(database: str, folder: Path) -> None:
    (folder / "0900_later.sql").write_text("select 1;", "utf-8")
    migrate(database, folder)
    with pytest.raises(MigrationError, match="0900_later, which this code does not know"):
        migrate(database)


def test_a_file_below_the_last_applied_is_refused(database: str, folder: Path) -> None:
    (folder / "0900_later.sql").write_text("select 1;", "utf-8")
    migrate(database, folder)
    (folder / "0800_too_late.sql").write_text("select 1;", "utf-8")
    with pytest.raises(MigrationError, match=r"0800_too_late\.sql was never applied, but"):
        migrate(database, folder)


@pytest.mark.parametrize("name", ["7_short.sql", "0900_Capitals.sql", "notes.sql"])
def test_a_file_that_is_not_numbered_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("select 1;", "utf-8")
    with pytest.raises(MigrationError, match="a migration is named NNNN_words.sql"):
        read_migrations(folder)


def test_two_files_with_one_number_are_refused(folder: Path) -> None:
    (folder / "0002_another.sql").write_text("select 1;", "utf-8")
    with pytest.raises(MigrationError, match="have the same number"):
        read_migrations(folder)


def test_a_failing_file_leaves_nothing_and_names_its_line(database: str, folder: Path) -> None:
    (folder / "0900_broken.sql").write_text(
        "create table control.half (n int);\n\nselect nonsense;\n", "utf-8"
    )
    with pytest.raises(
        MigrationError, match=r'0900_broken\.sql, line 3 failed.*column "nonsense" does not exist'
    ):
        migrate(database, folder)
    assert rows(database, "select to_regclass('control.half')") == [(None,)]
    assert rows(database, "select max(name) from migration.applied") == [(ALL[-1],)]
    (folder / "0900_broken.sql").write_text("create table control.half (n int);", "utf-8")
    assert migrate(database, folder) == ["0900_broken"]


def test_several_at_once_apply_each_file_once(empty_database: str) -> None:
    results: list[list[str]] = []
    failures: list[Exception] = []

    def work() -> None:
        try:
            results.append(migrate(empty_database))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == []
    assert sorted(results, key=len) == [[], [], [], ALL]
    assert rows(empty_database, "select count(*) from migration.applied") == [(len(ALL),)]


def test_two_databases_of_one_server_at_once(server_url: str) -> None:
    # Roles belong to the server: both grant to them at the same instant.
    names = [f"ratehouse_test_{secrets.token_hex(4)}" for _ in range(3)]
    failures: list[Exception] = []

    def work(url: str) -> None:
        try:
            migrate(url)
        except Exception as error:
            failures.append(error)

    urls = [with_database(server_url, name) for name in names]
    for name in names:
        execute(server_url, "create database {}", name)
    try:
        threads = [threading.Thread(target=work, args=(url,)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert failures == []
        assert [pending_migrations(url) for url in urls] == [[], [], []]
    finally:
        for url in urls:
            drop_database(server_url, url)


def test_a_clash_with_another_database_over_a_role_is_tried_again(
    database: str, folder: Path
) -> None:
    statement = "alter role ratehouse_owner valid until 'infinity'"
    (folder / "0900_role.sql").write_text(f"{statement};", "utf-8")
    done: list[list[str]] = []
    thread = threading.Thread(target=lambda: done.append(migrate(database, folder)))
    with closing(psycopg2.connect(database)) as other, other.cursor() as cursor:
        cursor.execute(statement)
        thread.start()
        deadline = time.monotonic() + 20
        waiting = (
            "select count(*) from pg_stat_activity "
            "where application_name = 'ratehouse migrate' and wait_event_type = 'Lock'"
        )
        while rows(database, waiting) == [(0,)]:
            assert time.monotonic() < deadline, "the migration never waited for the other"
            time.sleep(0.05)
        other.commit()
    thread.join(timeout=60)
    assert done == [["0900_role"]]


def test_an_old_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loaders.database.migrator.MINIMUM_SERVER_VERSION", 99)
    with pytest.raises(MigrationError, match=r"runs PostgreSQL \d+; Ratehouse needs 99 or newer"):
        migrate(database)


def test_a_database_that_is_not_utf8_is_refused(server_url: str) -> None:
    name = f"ratehouse_test_{secrets.token_hex(4)}"
    options = "template template0 encoding 'LATIN1' locale_provider libc locale 'C'"
    execute(server_url, f"create database {{}} {options}", name)
    url = with_database(server_url, name)
    try:
        with pytest.raises(MigrationError, match="stores text as LATIN1"):
            migrate(url)
    finally:
        drop_database(server_url, url)


def test_a_configured_server_is_migrated_and_not_started(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", empty_database)
    told: list[str] = []
    assert ensure_database(told.append) == empty_database
    assert told == [f"Applied migrations {', '.join(ALL)}."]
    assert not (settings.home() / "postgres").exists()


# -- a server of one's own, where we are no superuser ---------------------------------------


@pytest.fixture(scope="module")
def foreign_server() -> Iterator[str]:
    """A fresh cluster: none of our roles exist on it yet."""
    from loaders.database.server import Server

    with temporary_folder("server") as folder:
        yield Server(folder, overrides=SMALL_SERVER).start()
        remove_server(folder)


@pytest.fixture
def make_owner(foreign_server: str) -> Callable[..., str]:
    """A plain user with a database: its URL."""

    def make(name: str, rights: str, *, owns: bool = True) -> str:
        superuser = foreign_server
        execute(superuser, f"create role {{}} login password 'plain' {rights}", name)
        execute(superuser, "create database {}", name)
        if owns:
            execute(superuser, "alter database {} owner to {}", name, name)
        address = settings.connection_parameters(superuser)
        return settings.make_database_url(
            host=address["host"], port=int(address["port"]), user=name, password="plain",
            dbname=name,
        )  # fmt: skip

    return make


def test_a_plain_owner_needs_no_superuser(foreign_server: str, make_owner) -> None:
    lacking = make_owner("lacking", "")
    with pytest.raises(MigrationError, match="may not create the roles ratehouse_owner, .* bi_"):
        migrate(lacking)

    url = make_owner("plain_owner", "createrole createdb")
    assert migrate(url) == ALL
    for role in ("ratehouse_loader", "ratehouse_transformer", "ratehouse_owner"):
        with closing(connect(role, url)) as session, session.cursor() as cursor:
            cursor.execute("select current_user")
            assert cursor.fetchone() == (role,)
            session.commit()
    with closing(connect("ratehouse_transformer", url)) as session, session.cursor() as cursor:
        cursor.execute("create table marts.mine (n int)")
        session.commit()
    assert migrate(url) == []

    # The roles exist now. A second database of the same user:
    execute(url, "create database {}", "plain_second")
    assert migrate(with_database(url, "plain_second")) == ALL

    # Another user has to be let in, and is told how.
    stranger = make_owner("stranger", "createrole")
    with pytest.raises(MigrationError, match='not a member .grant ratehouse_owner.* to "stranger"'):
        migrate(stranger)
    execute(
        foreign_server,
        "grant ratehouse_owner, ratehouse_loader, ratehouse_transformer to {}",
        "stranger",
    )
    assert migrate(stranger) == ALL

    guest = make_owner("guest", "createrole", owns=False)
    with pytest.raises(MigrationError, match="it does not own the database"):
        migrate(guest)

    # Somebody else's warehouse.
    with pytest.raises(MigrationError, match=r"may not read migration\.applied"):
        migrate(with_database(guest, "plain_owner"))
