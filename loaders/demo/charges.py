"""Carrier charge files (SDR): monthly rentals, one-offs and credits of two carriers."""

import datetime as dt
import random
from pathlib import Path

from loaders.demo.customers import Customers, Service
from loaders.demo.month import Month
from loaders.demo.output import OutputFile

ALPHA_COLUMNS = {
    "Account No": "account_key",
    "CLI": "service_key",
    "Product Code": "product_code",
    "Description": "description",
    "Charge Type": "charge_type",
    "From Date": "period_from",
    "To Date": "period_to",
    "Quantity": "quantity",
    "Unit Price": "unit_price",
    "Net Amount": "net_amount",
    "VAT Code": "tax_code",
    "Order Ref": "order_ref",
}
BETA_COLUMNS = {
    "Record ID": "record_id",
    "Customer": "account_key",
    "Circuit": "service_key",
    "USOC": "product_code",
    "Item": "description",
    "Kind": "charge_type",
    "Service From": "period_from",
    "Service To": "period_to",
    "Bill Date": "event_date",
    "Qty": "quantity",
    "Amount": "net_amount",
    "Currency": "currency_code",
}
# Product, description, kind, carrier price in cents, weight.
_PRODUCTS = (
    ("LINE-B", "Business line rental", "Rental", 1250, 30),
    ("DID", "Direct number", "Rental", 35, 26),
    ("SIP-TRUNK", "SIP trunk", "Rental", 1875, 12),
    ("FIBER-100", "Fiber 100 Mb/s", "Rental", 19900, 8),
    ("INST", "Installation", "One-off", 6500, 6),
    ("EQUIP", "Handset", "One-off", 8450, 6),
    ("CARE4", "Care level 4", "Rental", 600, 6),
    ("TAXPT", "Regulatory recovery", "Tax", 113, 4),
    ("MISC-9", "Unlisted item", "One-off", 2100, 2),
)


class _Item:
    """One charge before a carrier writes it down."""

    def __init__(self, rng: random.Random, month: Month, services: list[Service]) -> None:
        weights = [product[4] for product in _PRODUCTS]
        code, text, kind, cents, _ = rng.choices(_PRODUCTS, weights)[0]
        self.service = rng.choice(services)
        self.code, self.text, self.kind = code, text, kind
        self.first = month.first
        self.last = month.next_first - dt.timedelta(days=1)
        if kind == "One-off":
            self.first = self.last = month.day(rng.randint(1, month.days))
        elif rng.random() < 0.18:
            self.first = month.day(rng.randint(2, month.days))
        elif rng.random() < 0.1:
            self.last = month.day(rng.randint(2, month.days - 1))
        self.quantity = rng.choice((1, 1, 1, 1, 1, 2, 3, 10))
        days = (self.last - self.first).days + 1
        part = 1.0 if kind == "One-off" else days / month.days
        self.cents = round(cents * self.quantity * part)
        self.is_credit = rng.random() < 0.07
        self.account_key = self.service.account_key or self.service.account.code
        self.reference = self._reference()

    def _reference(self) -> str:
        service = self.service
        if service.circuit:
            return service.circuit
        if service.numbers:
            return service.numbers[0]
        if service.pattern_stem:
            return service.pattern_stem + "000"
        return service.toll_free


def _comma(cents: int, credit: bool) -> str:
    text = f"{cents // 100},{cents % 100:02d}"
    return f"({text})" if credit else text


def write_alpha_charges(
    folder: Path, month: Month, rng: random.Random, customers: Customers, count: int
) -> list[dict[str, object]]:
    """Write Alpha's file: semicolons, decimal comma, day-first dates, credits in brackets."""
    with OutputFile(folder / f"alpha_charges_{month.name}.csv") as output:
        output.write([";".join(ALPHA_COLUMNS) + "\n"], 0)
        total = 0
        previous = ""
        for number in range(count):
            item = _Item(rng, month, customers.services)
            signed = -item.cents if item.is_credit else item.cents
            reference = item.reference
            if reference.isdigit():
                form = rng.randrange(4)
                digits = reference[1:]
                reference = (
                    digits,
                    f"{digits[:3]} {digits[3:6]} {digits[6:]}",
                    "+" + reference,
                    "'" + digits,
                )[form]
            first, last = f"{item.first:%d/%m/%Y}", f"{item.last:%d/%m/%Y}"
            amount = _comma(item.cents, item.is_credit)
            quantity = str(item.quantity)
            account_key = item.account_key
            dice = rng.random()
            if dice < 0.008:
                output.soil("invalid_amount")
                amount, signed = "n/a", 0
            elif dice < 0.016:
                output.soil("impossible_date")
                first = f"31/02/{month.first.year}"
            elif dice < 0.022:
                output.soil("period_reversed")
                first, last = f"{month.day(20):%d/%m/%Y}", f"{month.day(2):%d/%m/%Y}"
            elif dice < 0.034:
                output.soil("unknown_service")
                reference, account_key = "2015550100", "NOBODY-1"
            elif dice < 0.040:
                output.soil("invalid_quantity")
                quantity = "two"
            elif dice < 0.046:
                output.soil("empty_quantity")
                quantity = ""
            elif dice < 0.056 and not item.is_credit:
                output.soil("trailing_minus")
                amount, signed = amount + "-", -item.cents
            elif dice < 0.066 and not item.is_credit:
                output.soil("credit_suffix")
                amount, signed = amount + " CR", -item.cents
            line = (
                f"{account_key};{reference};{item.code};{item.text};{item.kind};{first};{last};"
                f"{quantity};;{amount};S;ORD-{number}\n"
            )
            lines = [line]
            total += signed
            if previous and dice > 0.985:
                # Two identical lines in one file are two charges.
                output.soil("equal_lines")
                lines.append(line)
                total += signed
            elif dice > 0.975:
                output.soil("delimiters_only")
                lines.insert(0, ";" * 11 + "\n")
            output.write(lines, sum(1 for text in lines if text[0] != ";"))
            previous = line
        sign = "-" if total < 0 else ""
        output.write([f"Total;;;;;;;;;{sign}{abs(total) // 100},{abs(total) % 100:02d};;\n"], 0)
        output.soil("total_row")
    return [output.summary()]


def write_beta_charges(
    folder: Path, month: Month, rng: random.Random, customers: Customers, count: int
) -> list[dict[str, object]]:
    """Write Beta's two files: commas, US dates; the second repeats a part of the first."""
    repeated: list[str] = []
    summaries = []
    serial = 0
    for part, share in ((1, count - count // 2), (2, count // 2)):
        with OutputFile(folder / f"beta_charges_{month.name}_{part}.csv") as output:
            output.write([",".join(BETA_COLUMNS) + "\n"], 0)
            if part == 2 and repeated:
                output.write(repeated, len(repeated))
                output.soil("repeated_row", len(repeated))
            for _ in range(share):
                serial += 1
                item = _Item(rng, month, customers.services)
                sign = "-" if item.is_credit else ""
                amount = f"{sign}${item.cents // 100}.{item.cents % 100:02d}"
                first, last = _us(item.first), _us(item.last)
                if item.kind == "One-off":
                    first = last = ""  # only the bill date tells when
                if rng.random() < 0.01:
                    output.soil("impossible_date")
                    first = f"13/13/{month.first.year}"
                line = (
                    f"B{month.first:%y%m}-{serial:06d},{item.account_key},{item.reference},"
                    f'{item.code},"{item.text}, {item.service.account.state}",{item.kind},{first},'
                    f"{last},{_us(item.first)},{item.quantity},{amount},USD\n"
                )
                if part == 1 and len(repeated) < 5:
                    repeated.append(line)
                output.write([line], 1)
        summaries.append(output.summary())
    return summaries


def _us(date: dt.date) -> str:
    return f"{date.month}/{date.day}/{date.year}"
