"""Databases of a benchmark's own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from loaders.database import migrate


class ScratchDatabase(AbstractContextManager["ScratchDatabase"]):
    """A migrated database on the server of `url`, dropped at the end."""

    def __init__(self, url: str, name: str) -> None:
        self._server, self._name = url, name
        self.url = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    def __enter__(self) -> ScratchDatabase:
        self._administer(f"drop database if exists {self._name} with (force)")
        self._administer(f"create database {self._name}")
        migrate(self.url)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._administer(f"drop database if exists {self._name} with (force)")

    def _administer(self, statement: str) -> None:
        connection = psycopg2.connect(self._server)
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()
