"""Usage records to final legs: rules sections 2 to 7, in the order in which they apply."""

import datetime as dt
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from tests.oracle.classify import (
    Call,
    Place,
    basis_of,
    charge_class_of,
    jurisdiction_of,
    place_of,
    special_class,
    stated_jurisdiction,
)
from tests.oracle.clock import Zones, area_zone
from tests.oracle.invoice import period_of
from tests.oracle.matching import Match, match_key, match_number
from tests.oracle.numbers import Number, NumberPlan, read_called, read_number
from tests.oracle.rating import cost_price, deck_of, retail_price
from tests.oracle.reading import RawFile, RawRecord
from tests.oracle.reference import Reference, Row, truth
from tests.oracle.times import Start, read_duration, read_start

Key = tuple[int, int]  # file, line

_USAGE_TYPES = {
    "": "voice", "voice": "voice", "call": "voice", "calls": "voice", "sms": "sms", "text": "sms",
    "message": "sms", "messages": "sms", "mms": "mms", "data": "data", "gprs": "data",
    "internet": "data", "feature": "feature",
}  # fmt: skip
_DIRECTIONS = {
    "outbound": "outbound", "outgoing": "outbound", "out": "outbound", "origination": "outbound",
    "originating": "outbound", "inbound": "inbound", "incoming": "inbound", "in": "inbound",
    "termination": "inbound", "terminating": "inbound", "internal": "internal",
    "on-net": "internal", "transit": "transit",
}  # fmt: skip
_DISPOSITIONS = {
    "ANSWERED": "answered", "ANSWER": "answered", "OK": "answered", "COMPLETED": "answered",
    "16": "answered", "200": "answered", "NO ANSWER": "no_answer", "NOANSWER": "no_answer",
    "NO_ANSWER": "no_answer", "NO-ANSWER": "no_answer",
    "BUSY": "busy", "FAILED": "failed", "CONGESTION": "congestion", "CANCEL": "canceled",
    "CANCELED": "canceled", "CANCELLED": "canceled",
}  # fmt: skip


@dataclass(frozen=True)
class UsageLeg:
    """The final facts of a leg, as far as the rules determine them."""

    file_id: int
    line_no: int
    leg_no: int
    source_code: str
    state: str
    reason: str | None = None
    original: Key | None = None
    direction: str | None = None
    started_at: dt.datetime | None = None
    time_quality: str | None = None
    billable_seconds: Decimal | None = None
    duration_seconds: Decimal | None = None
    disposition: str | None = None
    calling_class: str | None = None
    calling_number: str | None = None
    called_number_class: str | None = None
    called_number: str | None = None
    service_code: str | None = None
    match_method: str | None = None
    account_code: str | None = None
    plan_code: str | None = None
    plan_source: str | None = None
    called_class: str | None = None
    number_class: str | None = None
    dialling: str | None = None
    carrier_access_code: str | None = None
    lata_scope: str | None = None
    is_local: bool | None = None
    lrn_number: str | None = None
    retail_jurisdiction: str | None = None
    # What decks read differently; not a column of the warehouse.
    call: Call | None = None
    calling_state: str | None = None
    called_state: str | None = None
    jurisdiction: str | None = None
    charge_class: str | None = None
    rated_number: str | None = None
    retail_deck_code: str | None = None
    retail_prefix: str | None = None
    retail_billed_seconds: int | None = None
    retail_unbilled: Fraction = Fraction(0)
    retail_unrounded_amount: Fraction | None = None
    retail_amount: Fraction | None = None
    retail_components: dict[str, Fraction | None] = field(default_factory=dict)
    currency_code: str | None = None
    cost_status: str | None = None
    cost_prefix: str | None = None
    cost_billed_seconds: int | None = None
    cost_unrounded_amount: Fraction | None = None
    cost_amount: Fraction | None = None
    cost_components: dict[str, Fraction | None] = field(default_factory=dict)
    at_risk_amount: Fraction | None = None
    period_month: dt.date | None = None


@dataclass(frozen=True)
class _Raw:
    """The values of a record that the rules speak of, whatever its layout calls them."""

    start: str
    calling: str
    called: str
    duration: str
    billable: str
    disposition: str
    service_keys: tuple[str, ...]
    account_key: str
    identity: tuple[object, ...]
    usage_type: str = "voice"
    direction: str | None = None
    quantity: str = ""
    bytes_up: str = ""
    bytes_down: str = ""
    category: str = ""
    lrn: str = ""
    end: str = ""
    answer: str | None = None

    @property
    def content(self) -> tuple[str, ...]:
        common = (self.start, self.calling, self.called, self.billable, self.disposition)
        if self.usage_type == "voice":
            return common
        return (*common, self.quantity, self.bytes_up, self.bytes_down)


def _interpret(record: RawRecord, source: Row) -> _Raw:
    values = record.values
    get = values.get
    if source["layout_code"] == "asterisk_cdr":
        unique, sequence = get("uniqueid", "").strip(), get("sequence", "").strip()
        identity: tuple[object, ...] = (
            (unique + "|" + sequence,) if unique and sequence else tuple(values.items())
        )
        return _Raw(
            get("start_time", ""), get("src", ""), get("dst", ""), get("duration", ""),
            get("billsec", ""), get("disposition", ""), (), get("accountcode", ""),
            (source["source_code"], *identity),
        )  # fmt: skip
    start = get("start_time", "")
    if not start.strip():
        start = f"{get('start_date', '')} {get('start_clock', '')}".strip()
    record_id = get("record_id", "").strip()
    identity = (record_id,) if record_id else tuple(values.items())
    billable = get("billable_duration", "")
    return _Raw(
        start, get("calling_number", ""), get("called_number", ""), get("duration", ""),
        billable if billable.strip() else get("duration", ""), get("disposition", ""),
        (get("service_key", ""),), get("account_key", ""), (source["source_code"], *identity),
        _USAGE_TYPES.get(get("usage_type", "").lower().strip(" *"), "other"),
        _DIRECTIONS.get(get("direction", "").strip().lower()),
        get("quantity", ""), get("bytes_up", ""), get("bytes_down", ""),
        get("category", ""), get("lrn", ""), get("end_time", ""), get("answer_time"),
    )  # fmt: skip


class UsageRater:
    """Takes files in the order in which they landed and gives the final legs."""

    def __init__(
        self,
        reference: Reference,
        number_plans: dict[str, NumberPlan],
        received_at: dt.datetime,
    ) -> None:
        self.reference = reference
        self.number_plans = number_plans
        self.received_at = received_at
        # Identity -> content -> first record with it, in order of arrival.
        self._seen: dict[tuple[object, ...], dict[tuple[str, ...], Key]] = {}

    def rate_file(self, file: RawFile) -> list[UsageLeg]:
        """Rate every record of a landed file."""
        source = self.reference.source(file.source_code)
        legs: list[UsageLeg] = []
        for record in file.records:
            legs += self._rate(file, record, source)
        return legs

    def _rate(self, file: RawFile, record: RawRecord, source: Row) -> list[UsageLeg]:
        raw = _interpret(record, source)
        start = read_start(raw.start, source["time_zone"], source["date_order"], self.received_at)
        plan = self.number_plans[source["number_plan"]]
        calling = read_number(raw.calling, plan)
        called = read_called(raw.called, plan, calling.e164)
        lrn = read_number(raw.lrn, plan) if re.fullmatch("[0-9]{10,11}", raw.lrn) else None
        raw = _timed_by_end(raw, start, source, self.received_at)
        billable, disposition, duration_error = _billable(raw, source)

        here = (file.file_id, record.line_no)
        day = start.at.astimezone(dt.UTC).date() if start.at else None
        contents = self._seen.setdefault((*raw.identity, day), {})
        original = contents.get(raw.content)
        conflict = original is None and bool(contents)
        contents.setdefault(raw.content, here)

        leg = UsageLeg(
            file.file_id, record.line_no, 1, file.source_code, "error",
            direction="inbound" if _mode(raw, source) == "inbound" else "outbound",
            started_at=start.at, time_quality=start.quality, billable_seconds=billable,
            duration_seconds=read_duration(raw.duration or raw.billable, source["decimal_mark"])[0],
            disposition=disposition, calling_class=calling.number_class,
            calling_number=calling.e164, called_number_class=called.number_class,
            called_number=called.e164, number_class=special_class(called, calling),
            dialling=called.dialling, carrier_access_code=called.carrier_code,
            lrn_number=lrn.e164 if lrn and plan.is_nanp else None,
        )  # fmt: skip

        def early(state: str, reason: str) -> list[UsageLeg]:
            return [self._with_period(replace(leg, state=state, reason=reason))]

        if start.error:
            return early("error", start.error)
        if original is not None:
            leg = replace(leg, original=original)
            return early("duplicate", "repeated_record")
        if conflict:
            leg = replace(leg, original=next(iter(contents.values())))
            return early("error", "key_conflict")
        value_error = _volume_error(raw, source["decimal_mark"]) or duration_error
        if value_error:
            return early("error", value_error)
        reason = _not_billable(raw, disposition, billable, calling, called)
        if reason:
            return early("not_billable", reason)
        if raw.usage_type in ("voice", "sms", "mms"):
            if called.number_class in ("missing", "anonymous"):
                return early("error", "missing_called_number")
            if called.number_class in ("invalid", "name"):
                return early("error", "invalid_called_number")
        if "scientific" in (called.number_class, calling.number_class):
            return early("error", "scientific_notation_number")
        return self._match_and_price(leg, raw, start, calling, called, source)

    def _match_and_price(
        self, leg: UsageLeg, raw: _Raw, start: Start, calling: Number, called: Number, source: Row
    ) -> list[UsageLeg]:
        assert start.at is not None
        at = start.at
        mode = _mode(raw, source)
        paying = "inbound" if mode == "inbound" else "outbound"
        named, keyed = self._match_keys(raw, source, paying, mode, called, at)
        caller = match_number(self.reference, calling.e164, "outbound", at)
        callee = match_number(self.reference, called.e164, "inbound", at)
        if paying == "inbound":
            callee = named or callee or keyed
        else:
            caller = named or caller or keyed
        sides: list[tuple[str, Match | None]]
        if mode == "outbound":
            sides = [("outbound", caller)]
        elif mode == "inbound":
            sides = [("inbound", callee)]
        elif caller and callee:
            sides = [("outbound", caller), ("inbound", callee)]
        elif callee:
            sides = [("inbound", callee)]
        else:
            sides = [("outbound", caller)]
        legs = []
        for number, (direction, match) in enumerate(sides, start=1):
            side = replace(leg, leg_no=number, direction=direction)
            finished = self._price(side, match, raw, calling, called, source)
            if finished.reason in ("service_not_found", "account_not_found"):
                finished = self._with_risk(finished, raw, calling, called, source)
            legs.append(self._with_period(finished))
        return legs

    def _match_keys(
        self, raw: _Raw, source: Row, paying: str, mode: str, called: Number, at: dt.datetime
    ) -> tuple[Match | None, Match | None]:
        """The service a service key names by its number; the one a key names as an account key."""
        named: Match | None = None
        for key in raw.service_keys:
            number = read_number(key, self.number_plans[source["number_plan"]]).e164
            if mode == "indeterminate" and number == called.e164:
                continue
            found = match_number(self.reference, number, paying, at)
            if named is None and found is not None and found.method == "number":
                named = found
        keyed: Match | None = None
        for key in (*raw.service_keys, raw.account_key):
            keyed = keyed or match_key(self.reference, "account_key", key, paying, at)
        return named, keyed

    def _classify(
        self, leg: UsageLeg, raw: _Raw, calling: Number, called: Number, source: Row
    ) -> UsageLeg:
        assert leg.started_at is not None and leg.direction is not None
        at, mode = leg.started_at, source["classify_mode"]
        there = place_of(called, self.reference, at, by_area_code=mode == "npa")
        here: Place | None = None
        if calling.e164:
            here = place_of(calling, self.reference, at, by_area_code=mode == "npa")
        service_state = None
        if there.called_class == "toll_free" and leg.direction == "inbound" and leg.service_code:
            service = self.reference.service(leg.service_code, at)
            service_state = (service or {}).get("state_code")
        stated = stated_jurisdiction(raw.category) if mode == "pre_classified" else None
        jurisdiction = stated or jurisdiction_of(here, there, service_state)
        basis = None if stated else basis_of(here, there, service_state)
        if mode == "none":
            jurisdiction, basis = None, None
        by_lrn, lrn_state = jurisdiction, None
        if leg.lrn_number:
            lrn_row = self.reference.exchange(leg.lrn_number[1:7], at)
            if lrn_row is not None and truth(lrn_row.get("is_in_service")):
                lrn_state = lrn_row["state_code"]
        if lrn_state and mode != "pre_classified" and jurisdiction in ("intrastate", "interstate"):
            assert here is not None
            by_lrn = "intrastate" if here.state == lrn_state else "interstate"
        is_operator = leg.direction == "outbound" and called.dialling in (
            "operator_assisted", "local_operator", "long_distance_operator"
        )  # fmt: skip
        charge_class = charge_class_of(leg.direction, there, jurisdiction, is_operator)
        call = Call(
            jurisdiction, basis, by_lrn, leg.lrn_number,
            called.e164 if there.called_class == "domestic" else None, is_operator,
            (here.centre, there.centre)
            if leg.direction == "outbound" and here and here.centre and there.centre else None,
            bool(here and here.centre and there.centre),
        )  # fmt: skip
        lata_scope = None
        if here and here.lata and there.lata:
            lata_scope = "intralata" if here.lata == there.lata else "interlata"
        rated_number: str | None
        if raw.usage_type != "voice":
            rated_number = {"data": "1002", "sms": called.e164, "mms": called.e164}.get(
                raw.usage_type
            )
            charge_class = {"sms": "messages", "mms": "messages", "data": "data"}.get(
                raw.usage_type, charge_class
            )
        elif leg.direction == "inbound" and there.called_class == "toll_free":
            rated_number = calling.e164
        elif called.number_class == "n11":
            rated_number = f"1{called.dialled}"
        elif (
            there.number_class == "directory_assistance"
            and leg.direction == "outbound"
            and mode != "none"
        ):
            rated_number = "1411"
        elif called.dialling in ("local_operator", "long_distance_operator"):
            rated_number = "1000" if called.dialling == "local_operator" else "1001"
        else:
            rated_number = called.e164
        return replace(
            leg,
            called_class=there.called_class,
            number_class=there.number_class or leg.number_class,
            lata_scope=lata_scope,
            call=call,
            calling_state=here.state if here else None,
            called_state=there.state,
            jurisdiction=jurisdiction,
            charge_class=charge_class,
            rated_number=rated_number,
        )

    def _price(
        self, leg: UsageLeg, match: Match | None, raw: _Raw, calling: Number, called: Number,
        source: Row,
    ) -> UsageLeg:  # fmt: skip
        assert leg.started_at is not None
        at, reference = leg.started_at, self.reference
        if match is not None:
            leg = replace(
                leg, service_code=match.service["service_code"], match_method=match.method
            )
        leg = self._classify(leg, raw, calling, called, source)
        if match is None:
            return replace(leg, state="error", reason="service_not_found")
        account = reference.account(match.service["account_code"], at)
        if account is None:
            return replace(leg, state="error", reason="account_not_found")
        leg = replace(leg, account_code=account["account_code"])
        if source["rating_mode"] == "none":
            return replace(leg, state="not_billable", reason="information_only_source")
        plan, plan_source = self._plan(match.service, account, at)
        if plan is None:
            return replace(leg, state="error", reason="no_plan")
        leg = replace(leg, plan_code=plan["plan_code"], plan_source=plan_source)
        inbound = leg.direction == "inbound"
        deck_code = deck_of(plan, raw.usage_type, leg.direction or "")
        includes = raw.usage_type == "voice" or (
            raw.usage_type == "sms" and plan.get("sms_deck_code")
        )
        if inbound and includes and not deck_code:
            return replace(leg, state="not_billable", reason="inbound_included")
        version = reference.rating_version(self._billing_period(leg))
        zones = self._zones(leg, source, account["time_zone"])
        retail = retail_price(
            reference, plan, leg.direction or "", leg.rated_number, leg.call,
            _volume(leg, raw, source), at, raw.usage_type, version, zones,
        )  # fmt: skip
        number = leg.rated_number
        leg = replace(leg, retail_deck_code=deck_code, retail_prefix=retail.prefix)
        deck = reference.deck(deck_code, at)
        if deck is not None and leg.call is not None:
            leg = self._as_read_by(leg, deck)
        if retail.amount is None:
            return replace(leg, state="error", reason=retail.status)
        leg = replace(
            leg, state="billed", retail_billed_seconds=retail.billed_seconds,
            retail_unbilled=retail.unbilled,
            retail_unrounded_amount=retail.unrounded, retail_amount=retail.amount,
            currency_code=retail.currency, retail_components=retail.components,
        )  # fmt: skip
        cost_deck = source.get("cost_deck_code", "")
        priced = reference.deck(cost_deck, at) if cost_deck else None
        if inbound or not cost_deck:
            return leg
        if priced is not None and (priced.get("usage_type") or "voice") != raw.usage_type:
            return leg
        cost = cost_price(
            reference, cost_deck, number,
            replace(leg.call, centres=None) if leg.call else None, _volume(leg, raw, source), at,
            raw.usage_type, version, zones,
        )  # fmt: skip
        return replace(
            leg, cost_status=cost.status, cost_prefix=cost.prefix,
            cost_billed_seconds=cost.billed_seconds, cost_unrounded_amount=cost.unrounded,
            cost_amount=cost.amount, cost_components=cost.components,
        )  # fmt: skip

    def _as_read_by(self, leg: UsageLeg, deck: Row) -> UsageLeg:
        """What the retail deck makes of the call."""
        call, at = leg.call, leg.started_at
        assert call is not None and at is not None
        is_local = call.is_local(self.reference, deck, at)
        is_known = bool(deck.get("calling_area_code")) and call.has_centres
        divided = leg.charge_class in ("intrastate", "interstate", "indeterminate")
        return replace(
            leg,
            rated_number=call.read_by(self.reference, deck, leg.rated_number, at)[1],
            retail_jurisdiction=call.jurisdiction_by(self.reference, deck, at),
            is_local=is_local if is_known else None,
            charge_class="local" if is_local and divided else leg.charge_class,
        )

    def _plan(self, service: Row, account: Row, at: dt.datetime) -> tuple[Row | None, str]:
        for owner, name in ((service, "service"), (account, "account")):
            if owner.get("plan_code"):
                return self.reference.plan(owner["plan_code"], at), name
        return self.reference.default_plan(at), "default"

    def _with_risk(
        self, leg: UsageLeg, raw: _Raw, calling: Number, called: Number, source: Row
    ) -> UsageLeg:
        """Money at risk: the price by the default plan, where start, seconds and number allow."""
        if leg.started_at is None:
            return leg
        plan = self.reference.default_plan(leg.started_at)
        if plan is None or source["rating_mode"] == "none":
            return leg
        classified = self._classify(leg, raw, calling, called, source)
        found = retail_price(
            self.reference, plan, leg.direction or "", classified.rated_number,
            classified.call, _volume(leg, raw, source), leg.started_at, raw.usage_type,
            self.reference.rating_version(period_of(leg.started_at, "UTC", 1)),
            self._zones(leg, source, "UTC"),
        )  # fmt: skip
        return replace(leg, at_risk_amount=found.amount)

    def _zones(self, leg: UsageLeg, source: Row, account_zone: str) -> Zones:
        """The clocks that a deck may go by."""
        number, area = leg.calling_number or "", None
        if len(number) == 11 and number.startswith("1") and leg.started_at:
            area = self.reference.area_code(number[1:4], leg.started_at)
        is_served = area is not None and truth(area["is_in_service"])
        return Zones(
            account_zone, source["time_zone"],
            area_zone(area.get("time_zone_letters"), area.get("location")) if is_served else None,
        )  # fmt: skip

    def _with_period(self, leg: UsageLeg) -> UsageLeg:
        if leg.started_at is None:
            return leg
        return replace(leg, period_month=self._billing_period(leg))

    def _billing_period(self, leg: UsageLeg) -> dt.date:
        account = (
            self.reference.account(leg.account_code, leg.started_at) if leg.account_code else None
        )
        zone, anchor = (account["time_zone"], int(account["anchor_day"])) if account else ("UTC", 1)
        at = leg.started_at
        if account and account.get("call_period") == "end":
            at += dt.timedelta(seconds=float(leg.duration_seconds or 0))
        return period_of(at, zone, anchor)


def _mode(raw: _Raw, source: Row) -> str:
    """Which side pays: as the record says, else as is said of its source."""
    if raw.direction in ("outbound", "inbound"):
        return raw.direction
    return source["direction_mode"]


def _volume(leg: UsageLeg, raw: _Raw, source: Row) -> Decimal:
    """Seconds, bytes or messages: what the record is rated by."""

    def number(text: str) -> Decimal:
        mark = source["decimal_mark"]
        return Decimal((text.strip() or "0").replace(mark, "."))

    if raw.usage_type == "voice":
        assert leg.billable_seconds is not None
        return leg.billable_seconds
    if raw.usage_type == "data":
        return number(raw.bytes_up) + number(raw.bytes_down)
    return number(raw.quantity) if raw.quantity.strip() else Decimal(1)


def _volume_error(raw: _Raw, decimal_mark: str) -> str | None:
    """Data needs bytes; of anything else there is one unless the file says how many."""

    def unreadable(text: str) -> bool:
        number = text.strip()
        if decimal_mark == ",":
            number = number.replace(",", ".", 1)
        return bool(number) and not re.fullmatch(r"[0-9]{1,18}([.][0-9]{1,6})?", number)

    if raw.usage_type == "voice":
        return None
    if raw.usage_type == "data":
        if not (raw.bytes_up.strip() or raw.bytes_down.strip()):
            return "missing_volume"
        if unreadable(raw.bytes_up) or unreadable(raw.bytes_down):
            return "invalid_volume"
        return None
    return "invalid_quantity" if unreadable(raw.quantity) else None


def _timed_by_end(raw: _Raw, start: Start, source: Row, received_at: dt.datetime) -> _Raw:
    """A call that states no duration lasts from its start, and its answer, to its end."""
    if raw.usage_type != "voice" or raw.duration or raw.billable or start.at is None:
        return raw

    def read(text: str) -> dt.datetime | None:
        return read_start(text, source["time_zone"], source["date_order"], received_at).at

    end = read(raw.end)
    if end is None:
        return raw
    answer = read(raw.answer or "") or start.at
    mark = source["decimal_mark"]
    duration, billable = (
        str(Decimal(str((end - since).total_seconds()))).replace(".", mark)
        for since in (start.at, answer)
    )
    if raw.answer is not None and not raw.answer.strip():
        billable = "0"
    return replace(raw, duration=duration, billable=billable)


def _billable(raw: _Raw, source: Row) -> tuple[Decimal | None, str | None, str | None]:
    """Billable seconds, disposition and the error of the durations."""
    mark = source["decimal_mark"]
    duration, first_error = read_duration(raw.duration, mark)
    billable, error = read_duration(raw.billable, mark)
    error = error or first_error
    word = raw.disposition.strip().upper()
    stated = _DISPOSITIONS.get(word, "unknown") if word else None
    if raw.usage_type != "voice":
        if error == "implausible_duration":
            error = None  # a session may last weeks; its seconds are not compared
        return (None if error else billable), stated or "unknown", error
    if error is None and billable is None:
        error = "missing_duration"
    if error:
        return None, stated, error
    assert billable is not None
    if stated is None:
        return billable, "answered" if billable > 0 else "no_answer", None
    return billable if stated == "answered" else Decimal(0), stated, None


def _not_billable(
    raw: _Raw,
    disposition: str | None,
    billable: Decimal | None,
    calling: Number,
    called: Number,
) -> str | None:
    is_call = raw.usage_type == "voice"
    if is_call and disposition != "answered":
        return "unanswered"
    if is_call and billable == 0:
        return "zero_duration"
    vertical = called.dialling == "vertical_service" and calling.number_class == "e164"
    if is_call and (called.number_class == "service_code" or vertical):
        return "service_code"
    if called.number_class == "emergency":
        return "emergency_call"
    if raw.direction == "internal":
        return "internal_call"
    inside = called.number_class in ("extension", "name") and calling.number_class != "e164"
    return "internal_call" if is_call and inside else None
