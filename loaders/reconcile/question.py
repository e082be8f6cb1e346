"""What to compare: whose records, of when, and how exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from loaders.errors import RatehouseError

DIRECTIONS = ("", "outbound", "inbound")


@dataclass(frozen=True)
class Question:
    """One reconciliation, as it was asked for."""

    our_sources: tuple[str, ...]
    their_sources: tuple[str, ...]
    from_at: datetime
    to_at: datetime
    # The carrier's charge records (SDR), for whole amounts.
    charge_sources: tuple[str, ...] = ()
    # Only our calls of this direction; empty: all.
    direction: str = ""
    # Seconds between the starts of one call, once clocks are put right.
    start_tolerance: Decimal = Decimal(60)
    # Seconds by which durations may differ.
    seconds_tolerance: Decimal = Decimal(2)
    # Of one call, in its currency.
    amount_tolerance: Decimal = Decimal("0.0001")
    # False where the carrier replaces calling numbers.
    match_callers: bool = True
    # What the carrier's invoice says, if there is one.
    invoice_total: Decimal | None = None
    invoice_currency: str = ""

    def __post_init__(self) -> None:
        has_amounts = bool(self.charge_sources) or self.invoice_total is not None
        if not self.our_sources or not (self.their_sources or has_amounts):
            raise RatehouseError(
                "name a source of our calls and, to compare them with, a source of the carrier's "
                "records, of its charges, or the total of its invoice"
            )
        if both := set(self.our_sources) & set(self.their_sources):
            raise RatehouseError(
                f"source {', '.join(sorted(both))} is on both sides: a source cannot be compared "
                "with itself"
            )
        if self.from_at >= self.to_at:
            raise RatehouseError("the period begins after it ends")
        if self.direction not in DIRECTIONS:
            raise RatehouseError(f"direction {self.direction!r}? There are outbound and inbound")
        for name in ("start_tolerance", "seconds_tolerance", "amount_tolerance"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value < 0:
                raise RatehouseError(f"{name} cannot be {value}")
        # Half a quarter of an hour: clocks are told apart by those.
        if self.start_tolerance > 450:
            raise RatehouseError("start_tolerance is at most 450 seconds")
        if self.seconds_tolerance > 60:
            raise RatehouseError("seconds_tolerance is at most 60 seconds")
        if self.invoice_total is not None and not self.invoice_currency:
            raise RatehouseError("say the currency of the invoice total")

    def to_json(self) -> dict[str, Any]:
        """For control.reconciliation: money and times as text."""
        return {
            name: str(value) if isinstance(value, Decimal | datetime) else value
            for name, value in asdict(self).items()
        }
