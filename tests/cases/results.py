"""What the models made of the records, as they stand in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg2.extensions import cursor as Cursor

from tests.cases.book import NotSupported
from tests.cases.world import Bench, Record

Row = dict[str, Any]
Ask = Callable[["Results"], Any]

# The decision beside the rated row: of what is not billed the rated row does not say the tariff.
_LEGS = """
    select rated.file_id, rated.line_no, (
        to_jsonb(rated) || jsonb_build_object(
            'decision', to_jsonb(decided), 'rate', to_jsonb(rate),
            'service_code', service_key.service_code
        )
    )::text
    from dry_rating.rated_usage as rated
    left join dry_rating.int_rating__decided as decided
        on rated.file_id = decided.file_id and rated.line_no = decided.line_no
        and rated.leg_no = decided.leg_no
    left join reference.rate on rate.rate_id = decided.retail_rate_id
    left join reference.service_key on rated.service_id = service_key.service_id
    order by rated.file_id, rated.line_no, rated.leg_no
"""
_CHARGES = """
    select rated.file_id, rated.line_no, to_jsonb(rated)::text
    from dry_rating.rated_charge as rated
    order by rated.file_id, rated.line_no
"""
_INVOICE_LINES = """
    select account_key.account_code, to_jsonb(line)::text
    from dry_billing.draft_invoice_line as line
    inner join reference.account_key on line.account_id = account_key.account_id
    order by line.account_id, line.line_no
"""
_INVOICES = """
    select account_key.account_code, to_jsonb(invoice)::text
    from dry_billing.draft_invoice as invoice
    inner join reference.account_key on invoice.account_id = account_key.account_id
"""
_USF = """
    select to_jsonb(base)::text from dry_marts.rpt_usf__contribution_base as base
"""
_USF_FACTORS = """
    select to_jsonb(factor)::text from dry_marts.rpt_usf__factor as factor
"""
_MARGINS = """
    select file_id, line_no, leg_no, margin_amount from dry_marts.fct_rated_usage
"""
_CHARGE_MARGINS = """
    select file_id, line_no, margin_percent from dry_marts.fct_charge
"""
_RECOGNISED = """
    select charge.file_id, charge.line_no, month.recognised_amount
    from dry_marts.rpt_charge_recognition as month
    inner join dry_marts.fct_charge as charge on month.charge_id = charge.charge_id
    order by charge.file_id, charge.line_no, month.month_no
"""
_ALLOWANCE_USES = """
    select used.usage_id, to_jsonb(used)::text
    from dry_billing.allowance_use as used
    order by used.usage_id, used.piece_no
"""
_ALLOWANCE_BALANCES = """
    select account_key.account_code, to_jsonb(balance)::text
    from dry_billing.allowance_balance as balance
    inner join reference.account_key on balance.account_id = account_key.account_id
    order by balance.grant_no
"""


class Results:
    """Rated legs and charges of each record, and the invoices of the months asked for."""

    def __init__(self, cursor: Cursor, file_ids: dict[str, int]) -> None:
        self._file_ids = file_ids
        self._legs = _by_line(cursor, _LEGS)
        self._charges = _by_line(cursor, _CHARGES)
        self._lines: dict[tuple[date, str], list[Row]] = {}
        self._invoices: dict[tuple[date, str], Row] = {}
        self._margins: dict[tuple[int, int, int], Decimal | None] = {}
        self._charge_margins: dict[tuple[int, int], Decimal | None] = {}
        self._recognised: dict[tuple[int, int], list[Decimal]] = {}
        self._usf: dict[str, list[Row]] = {}
        self._usf_factors: dict[str, Row] = {}
        self._uses: dict[int, list[Row]] = {}
        self._balances: dict[tuple[date, str], list[Row]] = {}

    def read_invoices(self, cursor: Cursor, month: date) -> None:
        """The draft invoices of a month, while they stand."""
        cursor.execute(_INVOICE_LINES)
        for account, text in cursor.fetchall():
            self._lines.setdefault((month, account), []).append(_row(text))
        cursor.execute(_INVOICES)
        for account, text in cursor.fetchall():
            self._invoices[month, account] = _row(text)
        cursor.execute(_ALLOWANCE_USES)
        for usage_id, text in cursor.fetchall():
            self._uses.setdefault(usage_id, []).append(_row(text))
        cursor.execute(_ALLOWANCE_BALANCES)
        for account, text in cursor.fetchall():
            self._balances.setdefault((month, account), []).append(_row(text))
        cursor.execute(_MARGINS)
        self._margins = {(row[0], row[1], row[2]): row[3] for row in cursor.fetchall()}
        cursor.execute(_CHARGE_MARGINS)
        self._charge_margins = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
        cursor.execute(_RECOGNISED)
        self._recognised = {}
        for file_id, line_no, month_amount in cursor.fetchall():
            self._recognised.setdefault((file_id, line_no), []).append(month_amount)
        self._usf = {}
        cursor.execute(_USF)
        for (text,) in cursor.fetchall():
            row = _row(text)
            self._usf.setdefault(row["period_month"], []).append(row)
        cursor.execute(_USF_FACTORS)
        for (text,) in cursor.fetchall():
            row = _row(text)
            self._usf_factors[row["fund_code"]] = row

    def legs(self, record: Record) -> list[Row]:
        """The rated legs of a usage record."""
        return self._legs.get(self._place(record), [])

    def leg(self, record: Record) -> Row:
        """The only leg of a usage record."""
        legs = self.legs(record)
        if len(legs) != 1:
            raise LookupError(f"{len(legs)} rated legs in place of one")
        return legs[0]

    def charge(self, record: Record) -> Row:
        """The rated charge of a charge line."""
        charges = self._charges.get(self._place(record), [])
        if len(charges) != 1:
            raise LookupError(f"{len(charges)} rated charges in place of one")
        return charges[0]

    def margin(self, record: Record) -> Decimal | None:
        """Retail less cost of a call, from the mart."""
        leg = self.leg(record)
        return self._margins.get((leg["file_id"], leg["line_no"], leg["leg_no"]))

    def charge_margin_percent(self, record: Record) -> Decimal | None:
        """Margin of a charge in percent of its price, from the mart."""
        return self._charge_margins.get(self._place(record))

    def recognised(self, record: Record) -> list[Decimal]:
        """Revenue of a charge by month, from the mart."""
        return self._recognised.get(self._place(record), [])

    def lines(self, month: date, account_code: str) -> list[Row]:
        """All lines of an account's draft invoice."""
        return self._lines.get((month, account_code), [])

    def usage_lines(self, month: date, account_code: str) -> list[Row]:
        """The usage lines of an account's draft invoice."""
        lines = self._lines.get((month, account_code), [])
        return [line for line in lines if line["line_kind"] == "usage"]

    def usage_line(self, month: date, account_code: str) -> Row:
        """The only usage line of an account's draft invoice."""
        lines = self.usage_lines(month, account_code)
        if len(lines) != 1:
            raise LookupError(f"{len(lines)} usage lines on the invoice in place of one")
        return lines[0]

    def invoice(self, month: date, account_code: str) -> Row:
        """The totals of an account's draft invoice."""
        invoice = self._invoices.get((month, account_code))
        if invoice is None:
            raise LookupError("there is no invoice")
        return invoice

    def allowance_uses(self, record: Record) -> list[Row]:
        """What a call took from allowances."""
        return self._uses.get(self.leg(record)["usage_id"], [])

    def allowance_balances(self, month: date, account_code: str) -> list[Row]:
        """The allowances of an account at the end of a month."""
        return self._balances.get((month, account_code), [])

    def usf_base(self, month: date) -> Row:
        """The only row of the universal service report of a month."""
        rows = self._usf.get(month.isoformat(), [])
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} rows of the USF report in place of one")
        return rows[0]

    def usf_factor(self, fund_code: str) -> Row:
        """A fund's factor, as the report of factors has it."""
        return self._usf_factors[fund_code]

    def _place(self, record: Record) -> tuple[int, int]:
        return self._file_ids[record.source_code], record.line_no


def amount_of(leg: Row, column: str = "retail_amount") -> Any:
    """What a leg costs: nothing where a rule says not billable, never where it is an error."""
    if leg["state"] == "billed":
        return leg[column]
    if leg["state"] == "not_billable":
        return 0
    raise LookupError(f"{leg['state']}: {leg['reason']}")


def fact(record: Record, column: str) -> Ask:
    """Ask for a column of the rated leg."""
    return lambda results: results.leg(record)[column]


def amount(record: Record, column: str = "retail_amount") -> Ask:
    """Ask for what a call costs."""
    return lambda results: amount_of(results.leg(record), column)


def charge_amount(record: Record) -> Ask:
    """Ask for what a charge line costs."""
    return lambda results: amount_of(results.charge(record), "charge_amount")


def charge_fact(record: Record, column: str) -> Ask:
    """Ask for a column of the rated charge."""
    return lambda results: results.charge(record)[column]


def usage_total(bench: Bench, account_code: str) -> Ask:
    """Ask for the usage of the account on its invoice, unrounded to cents."""
    month = bench.invoiced()
    return lambda results: results.invoice(month, account_code)["usage_amount"]


def needs(what: str) -> Ask:
    """An answer the models do not give yet."""

    def ask(_: Results) -> Any:
        raise NotSupported(f"needs {what}")

    return ask


def _by_line(cursor: Cursor, query: str) -> dict[tuple[int, int], list[Row]]:
    cursor.execute(query)
    found: dict[tuple[int, int], list[Row]] = {}
    for file_id, line_no, text in cursor.fetchall():
        found.setdefault((file_id, line_no), []).append(_row(text))
    return found


def _row(text: str) -> Row:
    row: Row = json.loads(text, parse_float=Decimal)
    return row
