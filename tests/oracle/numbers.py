"""Telephone numbers: rules section 3, "Numbers"."""

import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path

_ANONYMOUS = ("anonymous", "restricted", "unavailable", "unknown", "private", "withheld")
_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+")
_N11 = re.compile(r"[2-9]11")
_MASKED = re.compile(r"\+?[0-9]{2,}[xX]{2,}")


@dataclass(frozen=True)
class NumberPlan:
    """One row of the number_plans seed."""

    code: str
    country_code: str
    international_prefix: str
    national_prefix: str
    shortest: int
    longest: int

    @property
    def is_nanp(self) -> bool:
        return self.code == "nanp"

    def permits(self, digits: str) -> bool:
        """Tell whether the length is that of a national number."""
        return self.shortest <= len(digits) <= self.longest


def load_number_plans(path: Path) -> dict[str, NumberPlan]:
    """Read the seed: it is data of the rules, not code of the product."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {
            row["number_plan"]: NumberPlan(
                row["number_plan"],
                row["country_code"] or "",
                row["international_prefix"] or "",
                row["national_prefix"] or "",
                int(row["national_length_min"] or 0),
                int(row["national_length_max"] or 0),
            )
            for row in csv.DictReader(stream)
        }


@dataclass(frozen=True)
class Number:
    """A number as read: its class, its E.164 digits, and the digits as dialled."""

    number_class: str
    e164: str | None = None
    dialled: str | None = None
    # operator_assisted, local_operator, long_distance_operator or vertical_service
    dialling: str | None = None
    carrier_code: str | None = None


def unwrap(raw: str) -> str:
    """Take off what spreadsheets put around a number."""
    text = raw.strip()
    if text.startswith('="') and text.endswith('"') and len(text) >= 3:
        text = text[2:-1].strip()
    if text.startswith("'"):
        text = text[1:].strip()
    return text


def read_called(raw: str | None, plan: NumberPlan, caller: str | None) -> Number:
    """A number as dialled: a carrier may be named in front, seven digits need the caller."""
    number = _read(raw, plan, is_called=True)
    short = number.dialled or ""
    if (
        number.number_class == "invalid"
        and plan.is_nanp
        and re.fullmatch(r"[2-9][0-9]{6}", short)
        and (caller or "").startswith("1")
        and len(caller or "") == 11
    ):
        return replace(number, number_class="e164", e164=(caller or "")[:4] + short)
    return number


def read_number(raw: str | None, plan: NumberPlan) -> Number:
    """Give class and E.164 digits of a number as received."""
    return _read(raw, plan, is_called=False)


def _read(raw: str | None, plan: NumberPlan, *, is_called: bool) -> Number:
    text = unwrap(raw or "")
    if not text:
        return Number("missing")
    if any(word in text.lower() for word in _ANONYMOUS):
        return Number("anonymous")
    if _SCIENTIFIC.fullmatch(text):
        return Number("scientific")
    text = re.sub(r"^(sips?|tel):", "", text, flags=re.IGNORECASE)
    text = re.split(r"[@;]", text, maxsplit=1)[0].strip()
    if text[:1] in ("*", "#"):
        return Number("service_code")
    if text.startswith("+"):
        text = "+" + text[1:].replace("(0)", "", 1)
    text = re.sub(r"[ ().\/-]", "", text)
    if _MASKED.fullmatch(text):
        return Number("invalid")
    if not re.fullmatch(r"\+?[0-9]+", text):
        return Number("name")
    has_plus = text.startswith("+")
    digits = text.removeprefix("+")
    code, dialling = None, None
    if is_called and plan.is_nanp and not has_plus:
        if digits[:3] == "101" and len(digits) >= 7:
            code = digits[3:7]
            if len(digits) > 7:
                digits = digits[7:]
        elif digits[:3] == "950" and len(digits) == 7:
            code = digits[3:]
        dialling = _dialling(digits)
    number = _classed(digits, has_plus, plan)
    return replace(number, dialling=dialling, carrier_code=code)


def _dialling(digits: str) -> str | None:
    if re.fullmatch(r"0[2-9][0-9]{9}|01[2-9][0-9]{6,}", digits):
        return "operator_assisted"
    if re.fullmatch(r"11[0-9]{2}", digits):
        return "vertical_service"
    return {"0": "local_operator", "00": "long_distance_operator"}.get(digits)


def _classed(digits: str, has_plus: bool, plan: NumberPlan) -> Number:
    if not has_plus:
        if plan.is_nanp and re.fullmatch(r"(101|950)[0-9]{4}", digits):
            return Number("service_code", dialled=digits)
        emergency = ("911", "933", "988") if plan.is_nanp else ("112", "999")
        if digits in emergency:
            return Number("emergency", dialled=digits)
        if plan.is_nanp and _N11.fullmatch(digits):
            return Number("n11", dialled=digits)
        if len(digits) <= 6:
            return Number("extension", dialled=digits)
    e164 = digits if has_plus else _to_e164(digits, plan)
    if e164 is not None and is_e164(e164):
        return Number("e164", e164=e164, dialled=digits)
    return Number("invalid", dialled=digits)


def _to_e164(digits: str, plan: NumberPlan) -> str | None:
    if plan.code == "e164":
        return digits
    prefix = plan.international_prefix
    if prefix and digits.startswith(prefix) and len(digits) - len(prefix) >= 7:
        return digits[len(prefix) :]
    if plan.is_nanp:
        if len(digits) == 11 and digits[0] == "1":
            return digits
        if len(digits) == 10:
            return "1" + digits
        if re.fullmatch(r"0[2-9][0-9]{9}", digits):
            return "1" + digits[1:]
        if len(digits) >= 9 and re.match(r"01[2-9]", digits):
            return digits[2:]
        return digits if 12 <= len(digits) <= 15 else None
    trunk = plan.national_prefix
    if trunk and digits.startswith(trunk) and plan.permits(digits[len(trunk) :]):
        return plan.country_code + digits[len(trunk) :]
    if plan.permits(digits) and not (trunk and digits.startswith(trunk)):
        return plan.country_code + digits
    country = plan.country_code
    if digits.startswith(country) and plan.permits(digits[len(country) :]):
        return digits
    return digits if 12 <= len(digits) <= 15 else None


def is_e164(digits: str) -> bool:
    """Tell whether digits are a number of the world, and of North America where they claim so."""
    if not 7 <= len(digits) <= 15 or digits[0] == "0":
        return False
    if digits[0] != "1":
        return True
    return (
        len(digits) == 11
        and digits[1] in "23456789"
        and digits[4] in "23456789"
        and not _N11.fullmatch(digits[1:4])
    )
