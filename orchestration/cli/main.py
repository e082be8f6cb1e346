"""Entry point of the ratehouse command: gathers the commands, puts errors in words."""

from __future__ import annotations

import importlib
import os
import sys

import psycopg2
import typer

from loaders.database.connection import describe_failure
from loaders.errors import RatehouseError

# In the order of the help page. None of them may import Dagster or dbt before it needs them:
# `ratehouse status` answers in a fraction of a second.
COMMAND_MODULES = (
    "server", "demo", "files", "withdraw", "collect", "reference", "decks", "rating", "rerate",
    "replay", "shadow", "alerts", "reconcile", "billing", "posting", "documents", "export",
    "partitions", "layouts", "upload", "dev",
)  # fmt: skip

ERROR_EXIT_CODE = 2
DEBUG_VARIABLE = "RATEHOUSE_DEBUG"

app = typer.Typer(
    name="ratehouse",
    help="Usage billing for telecoms: load files, rate usage, draft invoices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _register_commands() -> None:
    for name in COMMAND_MODULES:
        importlib.import_module(f"orchestration.cli.{name}").register(app)


_register_commands()


def main() -> None:
    """Run the command; an operator sees a message, never a stack trace."""
    try:
        app()
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"ratehouse: {explain(error)}", file=sys.stderr)
        sys.exit(ERROR_EXIT_CODE)


def explain(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, RatehouseError):
        return str(error)
    if isinstance(error, psycopg2.OperationalError) and error.pgcode is None:
        return describe_failure(error)
    if isinstance(error, psycopg2.Error):
        reason = error.diag.message_primary or " ".join(str(error).split())
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        if isinstance(error, psycopg2.errors.UndefinedTable):
            detail += ". The warehouse is not complete: run `ratehouse up`, then rate a file"
        return f"the database refused: {reason}{detail}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return (
        f"an error nobody expected: {type(error).__name__}: {error}. "
        f"Set {DEBUG_VARIABLE}=1 and run it again to see where."
    )


if __name__ == "__main__":
    main()
