"""Amounts, dates and durations as the seller wants them written. Nothing is rounded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_SEPARATORS = {
    "comma_point": (",", "."),
    "point_comma": (".", ","),
    # Narrow and unbroken, so that no number is cut at the end of a line.
    "space_comma": ("\u202f", ","),
    "quote_point": ("\u2019", "."),
    "plain": ("", "."),
}
_SYMBOLS = {
    "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "CN¥", "CAD": "CA$", "AUD": "A$",
    "NZD": "NZ$", "CHF": "CHF", "INR": "₹", "KRW": "₩", "UAH": "₴", "PLN": "zł", "TRY": "₺",
    "ILS": "₪", "BRL": "R$", "MXN": "MX$", "ZAR": "R", "RUB": "₽", "NGN": "₦", "VND": "₫",
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How one document writes its values."""

    number_style: str
    date_style: str
    currency_style: str
    currency_code: str
    currency_decimals: int

    @classmethod
    def of(cls, head: Mapping[str, Any]) -> Style:
        return cls(*(head[name] for name in cls.__dataclass_fields__))

    def amount(self, value: Decimal, decimals: int | None = None) -> str:
        """With the decimals given; without, as many as the value has, the currency's at least."""
        if decimals is None:
            decimals = max(self.currency_decimals, decimals_of(value))
        return self._number(value, decimals)

    def money(self, value: Decimal, decimals: int | None = None) -> str:
        """An amount with its currency."""
        text = self.amount(value, decimals)
        if self.currency_style != "symbol" or self.currency_code not in _SYMBOLS:
            return f"{text}\u00a0{self.currency_code}"
        sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
        symbol = _SYMBOLS[self.currency_code]
        return f"{sign}{symbol}{chr(0xA0) if symbol[-1].isalpha() else ''}{text}"

    def count(self, value: Any) -> str:
        """A number of something."""
        number = Decimal(value)
        return self._number(number, decimals_of(number))

    def _number(self, value: Decimal, decimals: int) -> str:
        thousands, point = _SEPARATORS[self.number_style]
        text = f"{value:,.{decimals}f}"
        if not value:
            text = text.lstrip("-")
        return text.translate({ord(","): thousands, ord("."): point})

    def day(self, value: date | None) -> str:
        """A date."""
        if value is None:
            return ""
        if self.date_style == "words":
            return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
        return f"{value:{_DATES[self.date_style]}}"

    def short_day(self, value: date) -> str:
        """A date where there is little room."""
        return f"{value:{_DATES.get(self.date_style, '%Y-%m-%d')}}"

    def moment(self, value: datetime) -> str:
        """A time of day on its date."""
        return f"{self.short_day(value)} {value:%H:%M:%S}"

    @staticmethod
    def month(value: date) -> str:
        """A billing period."""
        return f"{_MONTHS[value.month - 1]} {value.year}"

    @staticmethod
    def duration(seconds: Any) -> str:
        """h:mm:ss, or m:ss of less than an hour."""
        sign, whole = ("-", -int(seconds)) if seconds < 0 else ("", int(seconds))
        hours, rest = divmod(whole, 3600)
        if hours:
            return f"{sign}{hours}:{rest // 60:02d}:{rest % 60:02d}"
        return f"{sign}{rest // 60}:{rest % 60:02d}"


_DATES = {"iso": "%Y-%m-%d", "dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}


def decimals_of(value: Decimal) -> int:
    """Digits behind the point that are needed."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def size(quantity: Decimal) -> str:
    """Bytes as people read them."""
    amount, unit = Decimal(quantity), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(amount) < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
