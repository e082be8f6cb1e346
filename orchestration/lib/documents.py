"""Invoices as documents: listed, shown and written, as commands and jobs do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loaders import documents, runs
from loaders.documents.reading import Row, Selection, runs_of_period, select_run
from loaders.errors import RatehouseError
from orchestration.lib import paths

HEAD_COLUMNS = (
    "document", "kind", "account", "customer", "lines", "net", "tax", "rounding", "total",
    "currency", "adjusts",
)  # fmt: skip
LINE_COLUMNS = (
    "line", "section", "description", "period", "records", "quantity", "amount", "adjusts",
)  # fmt: skip
ALL = "all"


def formats_of(word: str) -> tuple[str, ...]:
    """csv, json, pdf, some of them with commas, or all."""
    if word == ALL:
        return documents.FORMATS
    chosen = tuple(name.strip() for name in word.split(",") if name.strip())
    wrong = [name for name in chosen if name not in documents.FORMATS]
    if wrong or not chosen:
        raise RatehouseError(
            f"'{word}' is no format; it may be {', '.join(documents.FORMATS)}, several with "
            "commas, or all"
        )
    return chosen


def select(
    connection: Any, *, period: str = "", bill_group: str = ALL, run_id: int = 0
) -> list[Selection]:
    """Billing runs by their period and group, or one by its number."""
    _require_production()
    if run_id:
        return [select_run(connection, run_id)]
    if not period:
        raise RatehouseError("say which period (2026-10), or which invoice run")
    month = runs.parse_period(period)
    found = runs_of_period(connection, month, bill_group)
    if not found:
        raise RatehouseError(
            f"there is no billing run of {month:%Y-%m}, bill group {bill_group}: draft one "
            f"(ratehouse bill {month:%Y-%m})"
        )
    return found


def head_rows(heads: Sequence[Row]) -> list[tuple[Any, ...]]:
    """One row per document (HEAD_COLUMNS)."""
    return [
        (
            head["document_key"],
            head["invoice_kind"].replace("_", " "),
            head["account_code"],
            head["customer_name"],
            head["line_count"],
            head["net_amount"],
            head["tax_amount"],
            head["rounding_amount"],
            head["invoice_total"],
            head["currency_code"],
            head["adjusts_label"],
        )
        for head in heads
    ]


def line_rows(lines: Sequence[Row]) -> list[tuple[Any, ...]]:
    """One row per line of a document (LINE_COLUMNS)."""
    return [
        (
            line["line_no"],
            line["section"],
            line["description"],
            f"{line['period_month']:%Y-%m}",
            line["record_count"],
            line["quantity"],
            line["printed_amount"],
            f"{line['original_label']}, line {line['original_line_no']}"
            if line["original_label"]
            else None,
        )
        for line in lines
    ]


def list_documents(connection: Any, period: str, bill_group: str) -> list[Row]:
    """The documents of a period: posted ones, then drafts of what would be posted next."""
    heads: list[Row] = []
    for selection in select(connection, period=period, bill_group=bill_group):
        with documents.snapshot(connection):
            heads += documents.read_heads(connection, selection)
    return heads


def show(connection: Any, key: str) -> tuple[Row, list[Row]]:
    """One document: what stands at its top, and its lines."""
    _require_production()
    with documents.snapshot(connection):
        selection = documents.find_document(connection, key)
        (head,) = documents.read_heads(connection, selection)
        return head, documents.read_lines(connection, selection)


def write_one(
    connection: Any, key: str, formats: Sequence[str], folder: Path | None
) -> list[documents.WrittenDocument]:
    """Write one document into a folder."""
    _require_production()
    with documents.snapshot(connection):
        selection = documents.find_document(connection, key)
    return documents.write_document(connection, selection, formats, folder or paths.export_folder())


def write_many(
    connection: Any, selections: Sequence[Selection], formats: Sequence[str], to: Path
) -> list[documents.WrittenDocument]:
    """Write the documents of billing runs into a zip."""
    return documents.export_documents(connection, selections, formats, to)


def zip_name(period: str, bill_group: str, run_id: int, formats: Sequence[str]) -> str:
    """Name of the zip where none is given."""
    what = f"run{run_id}" if run_id else f"{period}_{bill_group}"
    return f"invoices_{what}_{'_'.join(formats)}.zip"


def _require_production() -> None:
    if paths.build_schema():
        raise RatehouseError("documents are made of production, not of a build schema")
