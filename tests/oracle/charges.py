"""Fixed-fee charges of carriers: rules section 8."""

import calendar
import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from tests.oracle.invoice import period_of
from tests.oracle.matching import Match, match_key, match_number
from tests.oracle.numbers import NumberPlan, read_number
from tests.oracle.reading import RawFile, RawRecord
from tests.oracle.reference import Reference, Row, decimal
from tests.oracle.rounding import round_amount
from tests.oracle.times import localise, read_day

Key = tuple[int, int]


@dataclass(frozen=True)
class Charge:
    """The final facts of a charge."""

    file_id: int
    line_no: int
    source_code: str
    state: str
    reason: str | None = None
    original: Key | None = None
    product_code: str | None = None
    service_code: str | None = None
    match_method: str | None = None
    account_code: str | None = None
    charge_class: str | None = None
    price_mode: str | None = None
    period_from: dt.date | None = None
    period_to: dt.date | None = None
    quantity: Decimal | None = None
    carrier_amount: Decimal | None = None
    unrounded_amount: Fraction | None = None
    charge_amount: Fraction | None = None
    cost_amount: Decimal | None = None
    period_month: dt.date | None = None


def read_amount(raw: str | None, decimal_mark: str) -> Decimal | None:
    """Read a signed amount; None when it is not one."""
    text = re.sub(r"[\s$€£]", "", raw or "")
    negative = False
    if text.startswith("(") and text.endswith(")"):
        negative, text = True, text[1:-1]
    if text.upper().endswith("CR"):
        negative, text = True, text[:-2]
    elif text.endswith("-"):
        negative, text = True, text[:-1]
    if text.startswith("-"):
        negative, text = True, text[1:]
    if not re.fullmatch(rf"[0-9]+({re.escape(decimal_mark)}[0-9]+)?", text):
        return None
    value = Decimal(text.replace(decimal_mark, "."))
    return -value if negative else value


def part_of_month(period_from: dt.date, period_to: dt.date) -> Fraction:
    """Days from first to last, both counted, over the days of the first one's month; at most 1."""
    days = (period_to - period_from).days + 1
    month = calendar.monthrange(period_from.year, period_from.month)[1]
    return min(Fraction(1), Fraction(days, month))


def charge_price(
    tariff: Row, amount: Decimal, quantity: Decimal, part: Fraction
) -> tuple[Fraction, Fraction]:
    """Unrounded and rounded retail amount of a charge that is billed."""
    mode = tariff["price_mode"]
    if mode == "list":
        exact = Fraction(decimal(tariff["unit_price"])) * Fraction(quantity) * part
        exact = -exact if amount < 0 else exact
    elif mode == "pass_through":
        exact = Fraction(amount)
    else:
        percent = Fraction(decimal(tariff["markup_percent"]))
        exact = Fraction(amount) * (1 + percent / 100)
    rounded = round_amount(exact, int(tariff["rounding_decimals"]), tariff["rounding_mode"])
    return exact, Fraction(rounded)


class ChargeRater:
    """Takes charge files in the order in which they landed."""

    def __init__(self, reference: Reference, number_plans: dict[str, NumberPlan]) -> None:
        self.reference = reference
        self.number_plans = number_plans
        self._seen: dict[tuple[object, ...], Key] = {}

    def rate_file(self, file: RawFile) -> list[Charge]:
        """Rate every record of a landed charge file."""
        source = self.reference.source(file.source_code)
        running: Counter[tuple[object, ...]] = Counter()
        return [self._rate(file, record, source, running) for record in file.records]

    def _rate(
        self, file: RawFile, record: RawRecord, source: Row, running: Counter[tuple[object, ...]]
    ) -> Charge:
        get = record.values.get
        mark, order = source["decimal_mark"], source["date_order"]
        charge = Charge(
            file.file_id, record.line_no, file.source_code, "error",
            product_code=get("product_code", "").strip() or None,
        )  # fmt: skip

        record_id = get("record_id", "").strip()
        if record_id:
            identity: tuple[object, ...] = (file.source_code, record_id)
        else:
            line = tuple(record.values.items())
            running[line] += 1
            identity = (file.source_code, line, running[line])
        original = self._seen.setdefault(identity, (file.file_id, record.line_no))

        amount = read_amount(get("net_amount"), mark)
        charge = replace(charge, carrier_amount=amount, cost_amount=amount)
        if amount is None:
            return replace(charge, reason="invalid_amount")
        quantity_text = get("quantity", "").strip()
        quantity = read_amount(quantity_text, mark) if quantity_text else Decimal(1)
        if quantity is None:
            return replace(charge, reason="invalid_quantity")
        charge = replace(charge, quantity=quantity)
        try:
            first = read_day(get("period_from"), order)
            last = read_day(get("period_to"), order)
            event = None if first else read_day(get("event_date"), order)
        except ValueError:
            return replace(charge, reason="invalid_period")
        start = first or event
        if start is None or (last is not None and last < start):
            return replace(charge, reason="invalid_period")
        charge = replace(charge, period_from=start, period_to=last)
        if original != (file.file_id, record.line_no):
            return replace(charge, state="duplicate", reason="repeated_record", original=original)
        at = dt.datetime(start.year, start.month, start.day, tzinfo=dt.UTC)
        match = self._match(get("service_key", ""), get("account_key", ""), source, at)
        if match is None:
            return replace(charge, reason="service_not_found")
        charge = replace(
            charge, service_code=match.service["service_code"], match_method=match.method
        )
        account = self.reference.account(match.service["account_code"], at)
        if account is None:
            return replace(charge, reason="account_not_found")
        local = localise(dt.datetime(start.year, start.month, start.day), account["time_zone"])[0]
        charge = replace(
            charge,
            account_code=account["account_code"],
            period_month=period_of(local, account["time_zone"], int(account["anchor_day"])),
        )
        if source["rating_mode"] == "none":
            return replace(charge, state="not_billable", reason="information_only_source")
        tariff = self.reference.charge_price(
            source.get("charge_tariff_code", ""), charge.product_code or "", at
        )
        if tariff is None:
            return replace(charge, reason="missing_charge_price")
        charge = replace(
            charge, price_mode=tariff["price_mode"], charge_class=tariff["charge_class"]
        )
        if tariff["price_mode"] in ("included", "excluded"):
            reason = {"included": "included_in_plan", "excluded": "excluded_product"}
            return replace(charge, state="not_billable", reason=reason[tariff["price_mode"]])
        part = Fraction(1)
        is_one_off = get("charge_type", "").lower() == "one_off"
        is_for_period = first is not None and last is not None and not is_one_off
        if tariff["proration"] == "actual_days" and is_for_period:
            part = part_of_month(first, last)
        unrounded, rounded = charge_price(tariff, amount, quantity, part)
        return replace(
            charge, state="billed", reason=None, unrounded_amount=unrounded, charge_amount=rounded
        )

    def _match(
        self, service_key: str, account_key: str, source: Row, at: dt.datetime
    ) -> Match | None:
        reference = self.reference
        number = read_number(service_key, self.number_plans[source["number_plan"]])
        return (
            match_number(reference, number.e164, None, at)
            or match_key(reference, "circuit", service_key, None, at)
            or match_key(reference, "account_key", service_key, None, at)
            or match_key(reference, "account_key", account_key, None, at)
        )
