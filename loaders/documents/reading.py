"""Documents as the marts give them: nothing is added up or rounded here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extras import RealDictCursor

from loaders.errors import RatehouseError

Row = Mapping[str, Any]
POSTED, DRAFT = "posted", "draft"
# Rows of the register fetched at a time: what a document of any length takes of memory.
_BATCH = 2_000


class DocumentRefused(RatehouseError):
    """There is no such document."""


@dataclass(frozen=True)
class Selection:
    """Which documents: one, or those of a billing run. Constant columns keep the views quick."""

    status: str
    invoice_run_id: int
    account_id: int | None = None
    invoice_id: int | None = None
    document_key: str | None = None

    def condition(self) -> tuple[str, dict[str, Any]]:
        """As SQL, over the columns that every document mart has."""
        given = {
            "document_status": self.status,
            "invoice_run_id": self.invoice_run_id,
            "account_id": self.account_id,
            "invoice_id": self.invoice_id,
            "document_key": self.document_key,
        }
        values = {name: value for name, value in given.items() if value is not None}
        return " and ".join(f"{name} = %({name})s" for name in values), values


@dataclass(frozen=True)
class Document:
    """One document; its register is read once, as it is written."""

    head: Row
    lines: tuple[Row, ...]
    register: Iterable[Row]

    @property
    def is_draft(self) -> bool:
        return self.head["document_status"] == DRAFT

    @property
    def key(self) -> str:
        return self.head["document_key"]

    def sections(self) -> Iterator[tuple[str, Any, tuple[Row, ...]]]:
        """Title, sum and lines of each section, in the order of the document."""
        for title, lines in groupby(self.lines, key=lambda line: line["section"]):
            rows = tuple(lines)
            yield title, rows[0]["section_amount"], rows


@contextmanager
def snapshot(connection: Any) -> Iterator[None]:
    """One view of the data for everything read inside."""
    connection.rollback()
    before = connection.isolation_level
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("set local timezone to 'UTC'")
            cursor.execute("select to_regclass('marts.rpt_invoice__register') is null")
            if cursor.fetchone()[0]:
                raise DocumentRefused(
                    "documents are made from marts that this warehouse has not built yet: draft "
                    "a period first (ratehouse bill)"
                )
        yield
    finally:
        connection.rollback()
        connection.set_session(isolation_level=before, readonly=False)


def find_document(connection: Any, key: str) -> Selection:
    """The posted document with this number, or the draft with this name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select invoice_run_id, account_id, invoice_id from marts.fct_ledger_invoice "
            "where invoice_label = %s",
            (key,),
        )
        found = cursor.fetchone()
        if found is not None:
            return Selection(POSTED, *found)
        cursor.execute(
            "select invoice_run_id, account_id from marts.rpt_invoice__document "
            "where document_status = 'draft' and document_key = %s",
            (key,),
        )
        found = cursor.fetchone()
    if found is None:
        raise DocumentRefused(
            f"there is no posted invoice and no draft '{key}'. Drafts are named DRAFT, period, "
            "account and currency (DRAFT-2026-10-ACME-USD); `ratehouse invoice list 2026-10` "
            "names all of a period. Drafts that are held, or that change nothing, have no document"
        )
    return Selection(DRAFT, *found, document_key=key)


def runs_of_period(connection: Any, period_month: date, bill_group: str) -> list[Selection]:
    """Billing runs of a period with documents, oldest first; of all groups for `all`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select invoice_run_id, status from control.invoice_run where build_schema = '' "
            "and period_month = %s and %s in ('all', bill_group) and is_building = false "
            "and drafted_at is not null and (status = 'posted' or is_current) "
            "order by invoice_run_id",
            (period_month, bill_group),
        )
        return [
            Selection(POSTED if status == POSTED else DRAFT, run_id)
            for run_id, status in cursor.fetchall()
        ]


def select_run(connection: Any, invoice_run_id: int) -> Selection:
    """The documents of one billing run."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select status from control.invoice_run where build_schema = '' "
            "and invoice_run_id = %s",
            (invoice_run_id,),
        )
        found = cursor.fetchone()
    if found is None:
        raise DocumentRefused(f"there is no invoice run {invoice_run_id}")
    return Selection(POSTED if found[0] == POSTED else DRAFT, invoice_run_id)


def read_heads(connection: Any, selection: Selection) -> list[Row]:
    """What stands at the top of each document, by key."""
    return _fetch(connection, "rpt_invoice__document", selection, 'document_key collate "C"')


def read_lines(connection: Any, selection: Selection) -> list[Row]:
    """Their lines, in the order of the documents."""
    return _fetch(
        connection,
        "rpt_invoice__document_line",
        selection,
        'document_key collate "C", section_no, period_month desc, line_no',
    )


def read_documents(connection: Any, selection: Selection) -> Iterator[Document]:
    """The documents one after the other. Each register must be read before the next document."""
    heads = read_heads(connection, selection)
    lines = _by_document(read_lines(connection, selection))
    with _stream(connection, selection) as rows:
        registers = _by_document(rows)
        key, register = next(registers, (None, iter(())))
        for head in heads:
            own: tuple[Row, ...] = ()
            if head["line_count"]:
                line_key, of_document = next(lines)
                assert line_key == head["document_key"]
                own = tuple(of_document)
            if key == head["document_key"]:
                yield Document(head, own, register)
                key, register = next(registers, (None, iter(())))
            else:
                yield Document(head, own, ())


def read_document(connection: Any, selection: Selection) -> Iterator[Document]:
    """One document, as read_documents gives it; refused if it has gone."""
    found = False
    for document in read_documents(connection, selection):
        found = True
        yield document
    if not found:
        raise DocumentRefused("the document is no more: it was drafted again meanwhile")


def _by_document(rows: Iterable[Row]) -> Iterator[tuple[str, Iterator[Row]]]:
    return iter(groupby(rows, key=lambda row: row["document_key"]))


def _fetch(connection: Any, mart: str, selection: Selection, order: str) -> list[Row]:
    condition, values = selection.condition()
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(f"select * from marts.{mart} where {condition} order by {order}", values)
        return cursor.fetchall()


@contextmanager
def _stream(connection: Any, selection: Selection) -> Iterator[Iterator[Row]]:
    condition, values = selection.condition()
    # A named cursor: the rows stay in the database until they are written.
    with connection.cursor(name="ratehouse_register", cursor_factory=RealDictCursor) as cursor:
        cursor.itersize = _BATCH
        cursor.execute(
            f"select * from marts.rpt_invoice__register where {condition} "
            'order by document_key collate "C", kind_no, local_time, record_id, rating_run_id, '
            "entry desc",
            values,
        )
        yield iter(cursor)
