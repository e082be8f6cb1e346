"""Documents as CSV and JSON: exact values, no looks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from loaders.documents.reading import Document, Row
from loaders.export.query import FORMULA, NUMBER

SCHEMA = "ratehouse.invoice/1"
# How a document looks, and keys of ours: no business of who reads its values.
_NOT_TOLD = frozenset(
    {
        "account_id", "invoice_id", "invoice_run_id", "posting_id", "logo_path", "accent_colour",
        "date_style", "number_style", "currency_style", "page_size", "kind_no", "record_id",
        "rating_run_id", "is_itemised", "number_display", "line_decimals",
    }
)  # fmt: skip
_OF_DOCUMENT = frozenset({"document_key", "document_status"})


def write_lines_csv(document: Document, stream: IO[bytes]) -> None:
    """The lines, one row each; the first column names the document."""
    _write_csv(document.lines, _LINE_COLUMNS, stream)


def write_register_csv(document: Document, stream: IO[bytes]) -> None:
    """The register, one row per record."""
    _write_csv(document.register, _REGISTER_COLUMNS, stream)


_LINE_COLUMNS = (
    "document_key", "line_no", "section", "period_month", "line_kind", "charge_class",
    "product_code", "description", "record_count", "billed_seconds", "quantity", "unit",
    "unrounded_amount", "line_amount", "currency_code", "source_amount", "source_currency_code",
    "exchange_rate", "exchange_source", "exchange_rate_from", "base_amount", "percent",
    "billed_before", "billed_now", "is_carried", "original_label", "original_date",
    "original_line_no",
)  # fmt: skip
_REGISTER_COLUMNS = (
    "document_key", "record_kind", "entry", "period_month", "started_at", "local_time",
    "time_zone", "period_from", "period_to", "service_code", "direction", "calling_number",
    "called_number", "charge_class", "product_code", "description", "billed_seconds", "quantity",
    "unit", "amount", "currency_code",
)  # fmt: skip


def write_json(document: Document, stream: IO[bytes]) -> None:
    """The whole document; amounts are texts, so that no reader makes floats of them."""

    def put(text: str) -> None:
        stream.write(text.encode())

    put(f'{{"schema": {json.dumps(SCHEMA)},\n"document": ')
    put(_json(_told(document.head)))
    for name, rows in (("lines", document.lines), ("register", document.register)):
        put(f',\n"{name}": [')
        comma = ""
        for row in rows:
            put(f"{comma}\n{_json(_told(row, without=_OF_DOCUMENT))}")
            comma = ","
        put("\n]")
    put("}\n")


def _told(row: Row, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {name: row[name] for name in row if name not in _NOT_TOLD | without}


def _json(values: dict[str, Any]) -> str:
    return json.dumps(
        {n: v if isinstance(v, (bool, int)) else _text(v) for n, v in values.items()},
        ensure_ascii=False,
    )


def _write_csv(rows: Iterable[Row], columns: tuple[str, ...], stream: IO[bytes]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
        if text.tell() > 65_536:
            stream.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    stream.write(text.getvalue().encode())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and re.search(FORMULA, value) and not re.fullmatch(NUMBER, value):
        return f"'{value}"
    return _text(value) or ""


def _text(value: Any) -> str | None:
    """Exact and without needless zeros; times in UTC say so, local ones have no zone."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
