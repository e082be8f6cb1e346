"""Transactions and COPY, as every loader uses them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor


@contextmanager
def transaction(connection: Connection) -> Iterator[Cursor]:
    """One transaction, whatever mode the connection is in. Commits what the caller left open."""
    if connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
        connection.commit()
    was_autocommit = connection.autocommit
    connection.autocommit = False
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        if not connection.closed:
            connection.autocommit = was_autocommit


def copy_from(
    cursor: Cursor, statement: str | sql.Composable, pieces: Iterator[bytes]
) -> int:
    """COPY from a generator; its own exceptions come out as they are. Returns rows copied."""
    readable = _Readable(pieces)
    try:
        cursor.copy_expert(statement, readable)
    except psycopg2.Error as error:
        if readable.failure is not None:
            raise readable.failure from error
        raise
    return cursor.rowcount


class _Readable:
    """The pieces of a generator as the file that copy_expert reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        # psycopg2 turns what is raised here into a database error of its own.
        self.failure: BaseException | None = None

    def read(self, _size: int = -1) -> bytes:
        """The next piece, whatever its size: psycopg2 sends what it is given."""
        try:
            return next(self._pieces, b"")
        except BaseException as error:
            self.failure = error
            raise
