"""Header words of rate sheets: which column says what."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

# Field -> how suppliers call it, without case, brackets, currency and punctuation.
ALIASES: dict[str, tuple[str, ...]] = {
    "destination": (
        "destination", "destinations", "destination name", "dest", "dest name", "zone", "route",
        "route name", "target pattern name", "zone name", "destination country", "name",
        "termination", "destination zone", "area name", "code name",
    ),
    "place": (
        "country", "country name", "network", "network name", "operator", "region", "location",
        "description", "carrier", "type", "state",
    ),
    "code": (
        "code", "codes", "prefix", "prefixes", "dial code", "dial codes", "dialcode", "dialcodes",
        "dialling code", "dialling codes", "dialing code", "dialing codes", "dialing prefix",
        "dialling prefix", "dial prefix", "destination code", "destination codes",
        "destination prefix", "area prefix", "country prefix", "breakout", "breakouts",
        "breakout code", "breakout codes", "code list", "e164", "e 164", "e164 code",
        "e 164 code", "e164 prefix", "e 164 prefix", "phone prefix", "prefix code",
        "number prefix", "pattern", "dst prefix", "dialed prefix", "route code", "dialed digits",
        "digits", "dest code", "dest codes", "full code", "removed codes", "deleted codes",
        "closed codes", "prefix list", "prefixes list",
    ),
    "npanxx": ("npanxx", "npa nxx", "npa nxx code", "npanxx code", "npanxxx", "npa nxx x"),
    "npa": ("npa",),
    "nxx": ("nxx",),
    "country_code": ("country code", "cc", "country codes"),
    "area_code": (
        "area code", "area codes", "city code", "city codes", "ndc", "national code",
        "national codes", "area city code", "area city codes",
    ),
    "price": (
        "rate", "price", "tariff", "cost", "rate per minute", "price per minute", "rate min",
        "price min", "per minute", "per min", "cost min", "cost per minute", "per minute charge",
        "rate per min", "price per min", "minute rate", "minute price", "charge per minute",
        "call rate", "sell rate", "buy rate", "buying rate", "selling rate", "retail rate",
        "wholesale rate", "usage rate", "rate minute", "price minute", "termination rate", "rpm",
        "flat rate", "charge", "minute charge", "voice rate", "sell price", "buy price",
    ),
    "new_price": ("new rate", "new price", "new rate per minute", "new rate min", "future rate"),
    "price_second": (
        "rate per second", "price per second", "rate sec", "price sec", "per second", "per sec",
        "per second charge", "cost per second", "rate per sec", "price per sec",
    ),
    "current_price": ("current rate", "current price", "present rate"),
    "old_price": ("old rate", "previous rate", "old price", "previous price", "prior rate"),
    "interstate": (
        "interstate", "interstate rate", "inter", "inter rate", "inter state",
        "inter state rate", "interstate price", "interstate rate per minute",
    ),
    "intrastate": (
        "intrastate", "intrastate rate", "intra", "intra rate", "intra state",
        "intra state rate", "intrastate price", "intrastate rate per minute",
    ),
    "indeterminate": (
        "indeterminate", "indeterminate rate", "indeter", "indeter rate", "indeterm",
        "indeterm rate", "indeterminate price", "undetermined", "undetermined rate",
        "indeterminate rate per minute", "indet", "indet rate",
    ),
    "billing": (
        "billing", "billing increment", "billing increments", "increments", "billing interval",
        "billing intervals", "billing terms", "charge period", "billing period", "rounding",
        "billing rounding", "billing unit", "min incr", "interval", "intervals",
        "increment", "increment s", "bill increment", "rate increment", "billing method",
        "minimum increment",
    ),
    "first": (
        "first interval", "initial increment", "initial interval", "minimum duration",
        "minimum seconds", "min seconds", "min time", "initial period", "first increment",
        "first period", "interval 1", "min increment", "initial", "minimum time",
        "minimal time", "min duration", "first interval s", "initial seconds", "first block",
        "minimum billing", "minimum billed seconds", "interval1",
    ),
    "sub": (
        "sub interval", "next interval", "next increment", "additional increment",
        "subsequent interval", "subsequent increment", "increment seconds", "sub increment",
        "recurring interval", "interval n", "interval 2", "subsequent", "next period",
        "subsequent interval s", "intervaln", "sub interval s", "second interval",
    ),
    "fee": (
        "connection charge", "connection fee", "connect fee", "connection cost", "setup fee",
        "set up fee", "flagfall", "flag fall", "call setup", "call setup fee", "connect charge",
        "connect cost", "setup charge", "setup", "set up charge", "setup cost", "set up",
    ),
    "effective": (
        "effective", "effective date", "effective from", "valid from", "start date", "start",
        "from", "date effective", "activation date", "active from", "from date", "eff date",
        "effective time", "begin date", "valid from date", "new rate effective date", "date",
        "effective date time", "validity", "rate effective date", "date from",
    ),
    "end": (
        "end", "end date", "valid to", "valid until", "until", "expiry", "expiry date",
        "expiration date", "effective to", "to date", "effective until", "expires", "last day",
        "valid till", "valid through", "date to",
    ),
    "status": ("status", "code status", "route status", "rate status"),
    "change": (
        "change", "change mark", "changes", "change type", "action", "type of change",
        "rate change", "change status", "change indicator", "movement", "rate status change",
    ),
    "currency": ("currency", "curr", "ccy", "currency code"),
    "origin": (
        "origin", "origin code", "origin codes", "origin prefix", "origin group", "origination",
        "originating country", "from country", "origin set", "calling prefix", "a number",
        "a number prefix", "origin name",
    ),
    "grace": ("grace", "grace time", "grace seconds", "grace period", "free seconds"),
    "minimum_charge": ("minimum charge", "min charge", "minimum cost", "min cost"),
    "maximum_charge": ("maximum charge", "max charge", "maximum cost", "max cost"),
    "per_call": (
        "per call", "price per call", "rate per call", "cost per call", "charge per call",
    ),
    "mcc": ("mcc", "mcc mnc", "mccmnc", "mobile country code"),
    "mnc": ("mnc", "mobile network code"),
    "message_price": ("price per sms", "rate per sms", "sms rate", "sms price", "per sms"),
    "volume_price": ("price per mb", "rate per mb", "per mb", "price mb", "price per gb"),
}  # fmt: skip
FIELDS = frozenset(ALIASES)
_FIELD_OF = {alias: name for name, aliases in ALIASES.items() for alias in aliases}

# What asks for money and is read by nothing may not be passed over in silence.
_ABOUT_MONEY = re.compile(
    r"\b(rate|price|tariff|cost|charge|fee|peak|weekend|night|surcharge|discount|tax)\b"
)
_CURRENCY_CODES = (
    "USD EUR GBP CAD AUD NZD CHF SEK NOK DKK PLN CZK HUF RON BGN TRY ILS AED SAR INR JPY CNY HKD "
    "SGD MYR THB IDR PHP KRW ZAR NGN KES EGP MAD BRL MXN ARS CLP COP PEN RUB UAH KZT"
)
_CURRENCIES = frozenset(_CURRENCY_CODES.split())
_JURISDICTIONS = ("interstate", "intrastate", "indeterminate")


def normalised(text: str) -> str:
    """Header words as they are compared: `Rate/min (USD)` is `rate min`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", " ", plain.casefold()).split()
    return " ".join(word for word in words if word.upper() not in _CURRENCIES) or " ".join(words)


def currencies_in(text: str) -> set[str]:
    """Currencies that a header or a cell names by code."""
    return set(re.findall(r"\b[A-Z]{3}\b", text.upper())) & _CURRENCIES


@dataclass
class Header:
    """Where a sheet says what: field -> position of the column."""

    row: int
    names: list[str]
    columns: dict[str, int]
    # Descriptive columns that make a name where no destination is given.
    places: list[int] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    unread_money: list[str] = field(default_factory=list)
    # Field -> columns that all could be it.
    doubtful: dict[str, list[str]] = field(default_factory=dict)
    in_cents: list[str] = field(default_factory=list)

    @property
    def has_codes(self) -> bool:
        found = self.columns.keys()
        return bool(
            found & {"code", "npanxx", "area_code", "country_code"} or {"npa", "nxx"} <= found
        )

    @property
    def has_prices(self) -> bool:
        return bool(self.columns.keys() & {"price", "price_second", "per_call", *_JURISDICTIONS})

    @property
    def is_of_networks(self) -> bool:
        """Messages or data, priced by mobile network."""
        return "mcc" in self.columns

    def name_of(self, name: str) -> str:
        """A field as the sheet calls it."""
        position = self.columns.get(name)
        if position is None:
            return name
        return self.names[position] or f"column {position + 1}"


def recognise(row: int, names: list[str], chosen: dict[str, str], ignored: set[str]) -> Header:
    """What the cells of a row say as column names. ``chosen``: field -> header, by the operator."""
    found: dict[str, list[int]] = {}
    header = Header(row, names, {})
    by_operator = {normalised(text): name for name, text in chosen.items()}
    for position, text in enumerate(names):
        words = normalised(text)
        if not words or words in ignored:
            if words:
                header.unread.append(text)
            continue
        name = by_operator.get(words) or _FIELD_OF.get(_without_unit(words))
        if name is not None:
            found.setdefault(name, []).append(position)
            if re.search(r"¢|\bcents?\b|\bpence\b", text.casefold()):
                header.in_cents.append(text)
        else:
            header.unread.append(text)
            if _ABOUT_MONEY.search(words):
                header.unread_money.append(text)
    header.places = found.pop("place", [])
    _settle_prices(found)
    for name, positions in found.items():
        header.columns[name] = positions[0]
        if name in chosen:
            header.columns[name] = next(
                (p for p in positions if normalised(names[p]) == normalised(chosen[name])),
                positions[0],
            )
        elif len(positions) > 1:
            header.doubtful[name] = [names[position] for position in positions]
    _settle_increments(header)
    return header


def _without_unit(words: str) -> str:
    return re.sub(r" (cents?|pence)\b", "", words)


def _settle_prices(found: dict[str, list[int]]) -> None:
    """A list with an old and a new price: the new one counts."""
    if "new_price" in found:
        for name in ("price", "current_price"):
            found.setdefault("old_price", []).extend(found.pop(name, []))
        if not found.get("old_price"):
            found.pop("old_price", None)
        found["price"] = found.pop("new_price")
    elif "current_price" in found:
        found.setdefault("price", []).extend(found.pop("current_price"))
    # Old prices are for reading only, however many.
    if "old_price" in found:
        found["old_price"] = found["old_price"][:1]


def _settle_increments(header: Header) -> None:
    """`Increment` beside a first interval is the one that follows it."""
    columns = header.columns
    if "first" in columns and "sub" not in columns and "billing" in columns:
        columns["sub"] = columns.pop("billing")
