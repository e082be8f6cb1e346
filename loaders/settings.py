"""Where things are, and how the database's address reaches dbt."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from urllib.parse import quote

from loaders.errors import ConfigurationError

DATABASE_URL_VARIABLE = "RATEHOUSE_DATABASE_URL"
HOME_VARIABLE = "RATEHOUSE_HOME"

# Connection settings dbt's profile does not name: libpq reads them from its own variables.
_LIBPQ_VARIABLES = {
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "gssencmode": "PGGSSENCMODE",
    "options": "PGOPTIONS",
    "passfile": "PGPASSFILE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


def project_root() -> Path:
    """The checkout: the folder that holds dbt_project, loaders and orchestration."""
    return Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder of everything this installation makes: database, passwords, Dagster's files."""
    configured = os.environ.get(HOME_VARIABLE, "").strip()
    if configured:
        return Path(configured).expanduser().absolute()
    return project_root() / ".ratehouse"


def configured_database_url() -> str | None:
    """The server the operator chose, or None for the embedded one."""
    return os.environ.get(DATABASE_URL_VARIABLE, "").strip() or None


def connection_parameters(url: str) -> dict[str, str]:
    """Take a PostgreSQL URL (or key=value string) apart, with libpq's defaults filled in."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        parameters = {key: str(value) for key, value in parse_dsn(url).items()}
    except psycopg2.ProgrammingError as error:
        # libpq's message may quote the address, and with it a password: keep it out.
        raise ConfigurationError(
            f"{DATABASE_URL_VARIABLE} is not a PostgreSQL address. It should look like "
            "postgresql://user:password@host:5432/database (special characters in the password "
            "percent-encoded)."
        ) from error
    environment = os.environ
    parameters.setdefault("host", environment.get("PGHOST") or "localhost")
    parameters.setdefault("port", environment.get("PGPORT") or "5432")
    parameters.setdefault("user", environment.get("PGUSER") or login_name("postgres"))
    parameters.setdefault("password", environment.get("PGPASSWORD") or "")
    parameters.setdefault("dbname", environment.get("PGDATABASE") or parameters["user"])
    return parameters


def login_name(otherwise: str) -> str:
    """Who runs this process; ``otherwise`` where the user id has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return otherwise


def make_database_url(*, host: str, port: int, user: str, password: str, dbname: str) -> str:
    """A URL with everything escaped that needs it."""
    return (
        f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}"
        f"@{host}:{port}/{quote(dbname, safe='')}"
    )


def describe_database(url: str) -> str:
    """The address for messages: never the password."""
    parameters = connection_parameters(url)
    return (
        f"{parameters['user']}@{parameters['host']}:{parameters['port']}/{parameters['dbname']}"
    )


def dbt_environment(url: str) -> dict[str, str]:
    """The variables dbt_project/profiles.yml reads (and libpq's own for TLS and the like)."""
    parameters = connection_parameters(url)
    environment = {
        "RATEHOUSE_DB_HOST": parameters["host"],
        "RATEHOUSE_DB_PORT": parameters["port"],
        "RATEHOUSE_DB_USER": parameters["user"],
        "RATEHOUSE_DB_PASSWORD": parameters["password"],
        "RATEHOUSE_DB_NAME": parameters["dbname"],
    }
    for parameter, variable in _LIBPQ_VARIABLES.items():
        if parameter in parameters:
            environment[variable] = parameters[parameter]
    return environment
