"""Fixed-fee charges of carriers: rules section 8."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from tests.oracle.invoice import period_of
from tests.oracle.matching import Match, match_keys, match_numbers
from tests.oracle.numbers import NumberPlan, read_number
from tests.oracle.proration import Part, prorate
from tests.oracle.reading import RawFile, RawRecord
from tests.oracle.reference import Reference, Row, decimal
from tests.oracle.rounding import round_amount
from tests.oracle.times import localise, read_day, zone_of

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
    margin_amount: Fraction | None = None
    period_month: dt.date | None = None
    part: Part | None = None


_ONE_OFFS = {
    "one_off", "oneoff", "one_time", "onetime", "once", "non_recurring", "nrc", "setup", "set_up",
    "activation", "installation", "connection",
}  # fmt: skip
_CREDITS = {"credit", "credit_note", "refund", "cr"}
_SCOPES = ("service", "account", "group", "list")


def kind_of(charge_type: str) -> str:
    """What the supplier's word for a charge means, as far as the price depends on it."""
    word = "_".join(re.findall("[a-z]+", charge_type.lower()))
    if word in _ONE_OFFS:
        return "one_off"
    if word in _CREDITS:
        return "credit"
    if word in ("discount", "tax"):
        return word
    return "usage_summary" if word in ("usage", "usage_summary") else "recurring"


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


def charge_price(
    tariff: Row, amount: Decimal, quantity: Decimal, part: Fraction
) -> tuple[Fraction, Fraction]:
    """Unrounded and rounded retail amount of a charge that is billed; signs are the amount's."""
    mode = tariff["price_mode"]
    units = Fraction(abs(quantity))
    cost = abs(Fraction(amount))
    if mode != "list" and not units:
        units = Fraction(1)
    each = cost / units if units else Fraction(0)

    def setting(name: str) -> Fraction:
        return Fraction(decimal(tariff.get(name)))

    price = {
        "list": lambda: setting("unit_price"),
        "pass_through": lambda: each,
        "markup": lambda: each
        + max(
            each * setting("markup_percent") / 100,
            setting("markup_floor") if tariff.get("markup_floor") else Fraction(-(10**12)),
        ),
        "margin": lambda: each / (1 - setting("margin_percent") / 100),
        "add_on": lambda: each + setting("add_on_amount"),
        "percentage": lambda: each * setting("percentage") / 100 + setting("event_fee"),
    }[mode]()
    if tariff.get("minimum_price"):
        price = max(price, setting("minimum_price"))
    if tariff.get("maximum_price"):
        price = min(price, setting("maximum_price"))
    if tariff.get("price_point"):
        point = setting("price_point")
        price = -(-price // point) * point
    sign = -1 if amount < 0 else 1
    exact = sign * price * units * part
    decimals, rounding = int(tariff["rounding_decimals"]), tariff["rounding_mode"]
    if tariff["rounding_level"] == "unit":
        return exact, sign * units * Fraction(round_amount(price * part, decimals, rounding))
    return exact, Fraction(round_amount(exact, decimals, rounding))


def _stated_instant(raw: str | None) -> dt.datetime | None:
    """A first day that is an instant: written with a clock and how far that is from UTC."""
    try:
        moment = dt.datetime.fromisoformat((raw or "").strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else None


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

        kind = kind_of(get("charge_type", ""))
        amount = read_amount(get("net_amount"), mark)
        charge = replace(charge, carrier_amount=amount, cost_amount=amount)
        if amount is None:
            return replace(charge, reason="invalid_amount")
        quantity_text = get("quantity", "").strip()
        quantity = read_amount(quantity_text, mark) if quantity_text else Decimal(1)
        if quantity is None:
            return replace(charge, reason="invalid_quantity")
        if quantity < 0 or kind in ("credit", "discount"):
            amount = -abs(amount)
        charge = replace(charge, quantity=abs(quantity), cost_amount=amount)
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
        instant = _stated_instant(get("period_from"))
        at = instant or dt.datetime(start.year, start.month, start.day, tzinfo=dt.UTC)
        matches = self._match(get, source, at)
        if not matches:
            return replace(charge, reason="service_not_found")
        match = matches[0]
        if len({found.service["service_code"] for found in matches}) > 1:
            return replace(charge, reason="ambiguous_service", match_method=match.method)
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
        tariff = self._tariff(source, charge, account, at)
        if tariff is None:
            return replace(charge, reason="missing_charge_price")
        charge = replace(
            charge, price_mode=tariff["price_mode"], charge_class=tariff["charge_class"]
        )
        if tariff["price_mode"] in ("included", "excluded"):
            reason = {"included": "included_in_plan", "excluded": "excluded_product"}
            return replace(
                charge, state="not_billable", reason=reason[tariff["price_mode"]],
                margin_amount=-Fraction(amount),
            )  # fmt: skip
        if tariff["price_mode"] == "percentage":
            charge = replace(charge, cost_amount=None)
        currency = get("currency_code", "").strip() or source["currency_code"]
        if tariff["price_mode"] != "list" and currency != tariff["currency_code"]:
            return replace(charge, reason="charge_currency_differs")
        method = tariff["proration"]
        if (
            tariff["price_mode"] != "list"
            or first is None
            or kind in ("one_off", "tax", "usage_summary")
            or (method == "actual_days" and last is None)
        ):
            method = "none"
        opened = dt.datetime(start.year, start.month, start.day)
        if instant is not None:
            opened = instant.astimezone(zone_of(account["time_zone"])).replace(tzinfo=None)
        since = self.reference.service_start(match.service["service_code"])
        if method != "none" and int(tariff["trial_days"]) and since is not None:
            there = since.astimezone(zone_of(account["time_zone"])).date()
            trial_end = there + dt.timedelta(days=int(tariff["trial_days"]))
            opened = max(opened, dt.datetime(trial_end.year, trial_end.month, trial_end.day))
        final = (start if first is None else last) and (last or start) + dt.timedelta(days=1)
        part = prorate(
            method, opened, final and dt.datetime(final.year, final.month, final.day),
            int(account["anchor_day"]), account["time_zone"], tariff,
        )  # fmt: skip
        unrounded, rounded = charge_price(tariff, amount, quantity, part.total)
        margin = rounded - Fraction(amount) if currency == tariff["currency_code"] else None
        if tariff["price_mode"] == "percentage":
            margin = None
        return replace(
            charge, state="billed", reason=None, unrounded_amount=unrounded,
            charge_amount=rounded, part=part, margin_amount=margin,
            period_month=self._invoice_month(charge, tariff, account, part),
        )  # fmt: skip

    def _tariff(self, source: Row, charge: Charge, account: Row, at: dt.datetime) -> Row | None:
        """The narrowest scope that names the product, then the narrowest markup rule."""
        codes = {
            "service": charge.service_code, "account": account["account_code"],
            "group": account["bill_group"], "list": "",
        }  # fmt: skip
        for product in (charge.product_code or "", "*"):
            for scope in _SCOPES:
                tariff = self.reference.charge_price(
                    source.get("charge_tariff_code", ""), product, scope, codes[scope] or "", at
                )
                if tariff is not None:
                    return tariff
        return None

    def _invoice_month(
        self, charge: Charge, tariff: Row, account: Row, part: Part
    ) -> dt.date | None:
        """The period whose invoice the charge stands on."""
        timing = tariff["invoice_timing"]
        month = charge.period_month
        if timing == "last_day":
            day = part.end - dt.timedelta(microseconds=1)
            midnight = dt.datetime(day.year, day.month, day.day)
            local = localise(midnight, account["time_zone"])[0]
            month = period_of(local, account["time_zone"], int(account["anchor_day"]))
        if timing == "period_before" and month is not None:
            month = (month - dt.timedelta(days=1)).replace(day=1)
        return month

    def _match(
        self, get: Callable[..., str], source: Row, at: dt.datetime
    ) -> list[Match]:
        """The services named by the first key that names any."""
        reference = self.reference
        service_key, account_key = get("service_key", ""), get("account_key", "")
        product = f"{account_key.strip()}/{get('product_code', '').strip()}"
        number = read_number(service_key, self.number_plans[source["number_plan"]])
        return (
            match_keys(reference, "circuit", service_key, at)
            or match_numbers(reference, number.e164, at)
            or match_keys(reference, "account_product", product, at)
            or match_keys(reference, "account_key", service_key, at)
            or match_keys(reference, "account_key", account_key, at)
            or match_keys(reference, "customer_reference", get("order_ref", ""), at)
        )
