"""One customer, one plan, one price: reference data for tests that are about something else."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Row = Mapping[str, str]

CARRIER_COLUMNS = {
    "Start": "start_time", "From": "calling_number", "To": "called_number",
    "Seconds": "duration", "Customer": "service_key", "Note": "category",
}  # fmt: skip
HEADERLESS_COLUMNS = {
    "1": "start_time", "2": "calling_number", "3": "called_number", "4": "duration",
    "5": "service_key",
}  # fmt: skip


def write_kind(folder: Path, kind: str, rows: Iterable[Row]) -> Path:
    """A reference file; rows may have different columns."""
    folder.mkdir(parents=True, exist_ok=True)
    given = list(rows)
    columns = list(dict.fromkeys(name for row in given for name in row))
    path = folder / f"{kind}.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(given)
    return path


def source(code: str, layout: str, **settings: str) -> Row:
    """A source of calls in UTC that go out."""
    return {
        "source_code": code, "carrier_code": "own", "file_kind": "cdr", "layout_code": layout,
        "time_zone": "UTC", "direction_mode": "outbound",
    } | settings  # fmt: skip


def write_small_reference(folder: Path) -> Path:
    """Everything to bill the calls of one customer, whom the account key `acme` names."""
    kinds: dict[str, list[Row]] = {
        "deck": [{"deck_code": "D", "deck_name": "D", "side": "retail", "currency_code": "USD"}],
        "rate": [
            {"deck_code": "D", "prefix": "1", "price_per_minute": "0.06"},
            {"deck_code": "D", "prefix": "44", "price_per_minute": "0.12"},
        ],
        "plan": [
            {"plan_code": "P", "plan_name": "P", "deck_code": "D", "is_default": "true"},
        ],
        "account": [{"account_code": "ACME", "customer_name": "Acme", "plan_code": "P"}],
        "service": [{"service_code": "ACME-1", "account_code": "ACME"}],
        "service_identifier": [
            {
                "service_code": "ACME-1", "identifier_kind": "account_key",
                "identifier_value": "acme",
            },
        ],
        "source": [
            source("pbx", "asterisk_cdr"),
            source("carrier", "mapped_usage", column_map=json.dumps(CARRIER_COLUMNS)),
            source("plain", "mapped_usage", column_map=json.dumps(HEADERLESS_COLUMNS)),
        ],
    }  # fmt: skip
    for kind, rows in kinds.items():
        write_kind(folder, kind, rows)
    return folder
