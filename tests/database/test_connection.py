"""Addresses, what dbt is told of them, and what a failed connection says."""

from __future__ import annotations

from contextlib import closing

import pytest

from loaders import settings
from loaders.database import DatabaseUnavailable, connect, database_url
from loaders.errors import ConfigurationError


def test_dbt_gets_every_part_of_the_address() -> None:
    url = settings.make_database_url(
        host="db.example", port=6543, user="me@corp", password="p@ss/w:rd %", dbname="bill ing"
    )
    assert settings.dbt_environment(url) == {
        "RATEHOUSE_DB_HOST": "db.example",
        "RATEHOUSE_DB_PORT": "6543",
        "RATEHOUSE_DB_USER": "me@corp",
        "RATEHOUSE_DB_PASSWORD": "p@ss/w:rd %",
        "RATEHOUSE_DB_NAME": "bill ing",
    }


def test_dbt_keeps_the_encryption_asked_for() -> None:
    environment = settings.dbt_environment(
        "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/ca.pem"
    )
    assert environment["PGSSLMODE"] == "verify-full"
    assert environment["PGSSLROOTCERT"] == "/ca.pem"
    assert environment["RATEHOUSE_DB_PORT"] == "5432"


def test_the_description_keeps_the_password_to_itself() -> None:
    assert settings.describe_database("postgresql://u:secret@h:5/d") == "u@h:5/d"
    assert settings.describe_database("host=h port=5 user=u password=secret dbname=d") == "u@h:5/d"


@pytest.mark.parametrize("nonsense", ["postgresql://u:secret@h:5/d?nope=1", "secret nonsense"])
def test_an_address_that_is_none_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", nonsense)
    with pytest.raises(ConfigurationError, match="is not a PostgreSQL address") as caught:
        database_url()
    assert "secret" not in str(caught.value)


def test_a_blank_setting_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", "  ")
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    with pytest.raises(DatabaseUnavailable, match="There is no database yet"):
        database_url()


def test_a_closed_port_says_how_to_go_on() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"u@127\.0\.0\.1:1/d.*Is the server running\?"):
        connect(url="postgresql://u:secret@127.0.0.1:1/d")


def test_a_wrong_password_says_what_to_check(server_url: str) -> None:
    parameters = settings.connection_parameters(server_url)
    wrong = settings.make_database_url(
        host=parameters["host"], port=int(parameters["port"]), user=parameters["user"],
        password="wrong-secret", dbname=parameters["dbname"],
    )  # fmt: skip
    with pytest.raises(DatabaseUnavailable, match="User or password is wrong") as caught:
        connect(url=wrong)
    assert "wrong-secret" not in str(caught.value)


def test_a_missing_database_is_named(server_url: str) -> None:
    from tests.servers import with_database

    with pytest.raises(DatabaseUnavailable, match='"no_such_place" does not exist'):
        connect(url=with_database(server_url, "no_such_place"))


def test_a_connection_is_in_utc_and_keeps_role_and_zone_over_a_rollback(database: str) -> None:
    session = connect("ratehouse_loader", database, application_name="a test")
    with closing(session), session.cursor() as cursor:
        statement = (
            "select current_user::text, current_setting('timezone'), "
            "current_setting('application_name')"
        )
        cursor.execute(statement)
        expected = ("ratehouse_loader", "UTC", "a test")
        assert cursor.fetchone() == expected
        session.rollback()
        cursor.execute(statement)
        assert cursor.fetchone() == expected
