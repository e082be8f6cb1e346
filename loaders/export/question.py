"""What is asked for: the rows, the columns and the form of an export."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from loaders.errors import RatehouseError
from loaders.runs import parse_period

FORMATS = ("csv", "parquet")
STATES = ("billed", "not_billable", "duplicate", "error")
USAGE_TYPES = ("voice", "sms", "mms", "data", "feature", "other")


@dataclass(frozen=True)
class Dataset:
    """A mart that can be exported, and the order that makes its rows the same every time."""

    name: str
    relation: str
    # The last column is unique, so that the order is total.
    order: tuple[str, ...]
    has_usage_type: bool


DATASETS = {
    "usage": Dataset("usage", "fct_rated_usage", ("started_at", "usage_id"), True),
    "charges": Dataset("charges", "fct_charge", ("period_from", "charge_id"), False),
}


class ExportRefused(RatehouseError):
    """The question cannot be answered as it stands."""


@dataclass(frozen=True)
class Question:
    """Which rows of which mart; empty filters mean all."""

    dataset: str
    period: str = ""
    usage_type: str = ""
    account: str = ""
    carrier: str = ""
    source: str = ""
    state: str = ""
    columns: tuple[str, ...] = ()
    format: str = "csv"
    # A condition as JSON (loaders/export/rules.py), beside the filters.
    where: str = ""
    # Numbers and names whole; else as bi_reader sees them.
    unmasked: bool = False

    def __post_init__(self) -> None:
        require_one_of("dataset", self.dataset, tuple(DATASETS))
        require_one_of("format", self.format, FORMATS)
        if self.state:
            require_one_of("state", self.state, STATES)
        if self.usage_type:
            if not DATASETS[self.dataset].has_usage_type:
                raise ExportRefused("only usage has a type (voice, sms ...), charges have none")
            require_one_of("type", self.usage_type, USAGE_TYPES)
        self.rules  # noqa: B018 - as the next
        self.period_month  # noqa: B018 - refused early, in words

    @property
    def period_month(self) -> date | None:
        """First day of the billing period's month."""
        return parse_period(self.period) if self.period else None

    @property
    def rules(self) -> Any:
        """The condition, checked as to its form; None without one."""
        from loaders.export.rules import read_rules

        return read_rules(self.where) if self.where else None

    @property
    def mart(self) -> Dataset:
        """Where the rows stand."""
        return DATASETS[self.dataset]

    def file_name(self) -> str:
        """A name that tells what was asked."""
        asked = (
            self.dataset, self.period, self.usage_type, self.account, self.carrier, self.source,
            self.state,
        )  # fmt: skip
        words = [re.sub(r"[^A-Za-z0-9_.-]+", "_", word) for word in asked if word]
        if self.where:
            words.append(hashlib.sha256(self.where.encode()).hexdigest()[:8])
        return "-".join(words) + (".parquet.zip" if self.format == "parquet" else ".csv.zip")

    def to_json(self) -> dict[str, Any]:
        """What was asked, without what was left open."""
        asked = asdict(self) | {"columns": list(self.columns), "where": self.rules}
        return {name: value for name, value in asked.items() if value}


def require_one_of(what: str, value: str, known: Sequence[str]) -> None:
    """Refuse a word nobody knows, with the words that are known."""
    if value in known:
        return
    close = get_close_matches(value, known, 1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    shown = ", ".join(known[:60]) + (" ..." if len(known) > 60 else "")
    raise ExportRefused(f"there is no {what} '{value}'{hint} Known: {shown or 'none'}")
