"""Which service owns a number or key at an instant: rules sections 5 and 8."""

import datetime as dt
from dataclasses import dataclass

from tests.oracle.reference import Reference, Row


@dataclass(frozen=True)
class Match:
    """A service found, and how."""

    service: Row
    method: str


def _service_of(
    reference: Reference, kind: str, value: str, direction: str | None, at: dt.datetime
) -> Row | None:
    """Service of an identifier, both valid at the instant; direction None takes any."""
    for identifier in sorted(
        reference.identifiers(kind, value, at), key=lambda row: row["service_code"]
    ):
        if direction is None or identifier["direction"] in (direction, "both"):
            service = reference.service(identifier["service_code"], at)
            if service is not None:
                return service
    return None


def match_number(
    reference: Reference, digits: str | None, direction: str | None, at: dt.datetime
) -> Match | None:
    """Exact number, else longest pattern."""
    if not digits:
        return None
    service = _service_of(reference, "number", digits, direction, at)
    if service is not None:
        return Match(service, "number")
    for length in reference.pattern_lengths:
        if length <= len(digits):
            service = _service_of(reference, "pattern", digits[:length] + "{!}", direction, at)
            if service is not None:
                return Match(service, "pattern")
    return None


def match_key(
    reference: Reference, kind: str, value: str | None, direction: str | None, at: dt.datetime
) -> Match | None:
    """A circuit or an account key, as text."""
    text = (value or "").strip()
    if not text:
        return None
    service = _service_of(reference, kind, text, direction, at)
    return Match(service, kind) if service is not None else None


def _services_of(reference: Reference, kind: str, value: str, at: dt.datetime) -> list[Row]:
    """Services of an identifier whatever its direction."""
    found = [reference.service(row["service_code"], at)
             for row in reference.identifiers(kind, value, at)]  # fmt: skip
    return [service for service in found if service is not None]


def match_numbers(reference: Reference, digits: str | None, at: dt.datetime) -> list[Match]:
    """All services of the exact number, else of the longest pattern of either direction."""
    if not digits:
        return []
    found = [Match(row, "number") for row in _services_of(reference, "number", digits, at)]
    sides: dict[str, Match] = {}
    for length in reference.pattern_lengths:
        if found or length > len(digits):
            continue
        for row in reference.identifiers("pattern", digits[:length] + "{!}", at):
            service = reference.service(row["service_code"], at)
            for side in ("outbound", "inbound"):
                if service is not None and row["direction"] in (side, "both"):
                    sides.setdefault(side, Match(service, "pattern"))
    return found or list(sides.values())


def match_keys(reference: Reference, kind: str, value: str, at: dt.datetime) -> list[Match]:
    """All services of a circuit or other key, as text."""
    text = (value or "").strip()
    return [Match(row, kind) for row in _services_of(reference, kind, text, at)] if text else []
