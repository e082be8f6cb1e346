"""Rounding of exact fractions: one step, declared decimals and mode."""

from decimal import Decimal
from fractions import Fraction


def round_amount(value: Fraction, decimals: int, mode: str) -> Decimal:
    """Round once; negatives mirror positives. `up` is away from zero, `down` towards it."""
    scaled = abs(value) * 10**decimals
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    twice = 2 * rest
    if mode == "up":
        whole += rest > 0
    elif mode == "half_up":
        whole += twice >= scaled.denominator
    elif mode == "half_down":
        whole += twice > scaled.denominator
    elif mode == "half_even":
        whole += twice > scaled.denominator or (twice == scaled.denominator and whole % 2 == 1)
    elif mode != "down":
        raise ValueError(f"unknown rounding mode {mode}")
    sign = -1 if value < 0 else 1
    return Decimal(sign * whole).scaleb(-decimals)


def to_ten_places(value: Fraction) -> Decimal:
    """Show an exact amount with ten decimals, for comparing and printing."""
    return round_amount(value, 10, "half_up")
