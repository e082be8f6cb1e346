"""Small worlds whose answers are known: what a mutant must change something in."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import psycopg2
from psycopg2.extensions import cursor as Cursor

from loaders.database import connect
from loaders.demo.generate import DemoOptions, generate
from loaders.files import load_paths
from loaders.reference import load_folder
from loaders.runs.dry import DryModels, dry_run
from tests.cases.book import read_cases
from tests.cases.running import Prepared
from tests.cases.test_cases import write_reports
from tests.end_to_end.test_charging_terms import write_terms
from tests.end_to_end.test_random_classes import write_classes
from tests.end_to_end.test_random_decks import write_decks
from tests.end_to_end.test_random_fees import write_fees
from tests.oracle.compare import compare, oracle_outcome

_PERIOD = dt.date(2026, 10, 1)
# What the comparison with the oracle reads, as it stands in a dry run.
_STANDS_FOR = {
    "rating.current_rated_usage": "dry_rating.rated_usage",
    "rating.current_rated_charge": "dry_rating.rated_charge",
    "billing.draft_invoice": "dry_billing.draft_invoice",
    "billing.draft_invoice_line": "dry_billing.draft_invoice_line",
}


class World(Protocol):
    """Records whose answers are known."""

    def complaints(self, models: DryModels) -> list[str]:
        """Answers of these models that are wrong."""


class Cases:
    """The made-up worked cases."""

    def __init__(self, url: str, folder: Path) -> None:
        book = Path(__file__).parents[1] / "cases" / "made_up.csv"
        reports = folder / "reports"
        reports.mkdir()
        write_reports(reports)
        self._prepared = Prepared(read_cases(book), url, [reports], folder)

    def complaints(self, models: DryModels) -> list[str]:
        return [
            str(outcome) for outcome in self._prepared.run(models) if outcome.status != "passed"
        ]


class Compared:
    """A folder of reference data and files, whose answers the oracle knows."""

    def __init__(self, url: str, folder: Path, bill_group: str) -> None:
        self._url = url
        self._folder = folder
        self._bill_group = bill_group
        with self._session() as connection:
            load_folder(connection, folder / "reference")
            load_paths(connection, [folder / "files"])
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "select array_agg(file_id) from control.file where status = 'landed'"
                )
                (self._file_ids,) = cursor.fetchone()
                self._outcome = oracle_outcome(connection, folder)

    def complaints(self, models: DryModels) -> list[str]:
        with self._session() as connection, dry_run(connection, models) as run:
            run.file_ids = self._file_ids
            run.rate()
            with run.invoice(_PERIOD, self._bill_group):
                _stand_in(run.cursor, self._bill_group)
                return list(map(str, compare(connection, self._folder, self._outcome)))

    def _session(self) -> contextlib.closing[psycopg2.extensions.connection]:
        return contextlib.closing(connect(url=self._url, application_name="ratehouse mutants"))


def _stand_in(cursor: Cursor, bill_group: str) -> None:
    for relation, source in _STANDS_FOR.items():
        cursor.execute(f"create schema if not exists {relation.split('.')[0]}")
        cursor.execute(f"create view {relation} as select * from {source}")
    cursor.execute(
        "insert into control.invoice_run (invoice_run_id, period_month, bill_group, status, "
        "reference_cutoff) overriding system value values (-1, %s, %s, 'draft', now())",
        (_PERIOD, bill_group),
    )


def _month(folder: Path) -> None:
    generate(folder, DemoOptions(cdrs=900, charges=80, dirt_share=0.15))


# In the order in which they are asked; each with the bill group that is invoiced.
_FOLDERS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "month": (_month, "main"),
    "terms": (write_terms, "main"),
    "classes": (write_classes, "main"),
    "fees": (write_fees, "G"),
    "decks": (lambda folder: write_decks(folder, 400), "main"),
}
NAMES = ("cases", *_FOLDERS)


def make_world(name: str, url: str, folder: Path) -> World:
    """Write and load one world into a fresh database."""
    folder.mkdir()
    if name == "cases":
        return Cases(url, folder)
    write, bill_group = _FOLDERS[name]
    write(folder)
    return Compared(url, folder, bill_group)
