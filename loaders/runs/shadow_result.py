"""What a shadow billing run would change: sums over its comparison, and the verdict on them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from loaders.errors import RatehouseError
from loaders.runs.shadow import Shadow

Rows = list[tuple[Any, ...]]

TOP = 20
PASS, LOOK, FAIL = "pass", "look", "fail"

CHECK_COLUMNS = ("what", "found", "look_above", "fail_above", "verdict")
TOTAL_COLUMNS = ("what", "before", "after", "difference", "currency")
CUSTOMER_COLUMNS = (
    "account", "customer", "bill_group", "rated_before", "rated_after", "rated_difference",
    "invoice_before", "invoice_after", "invoice_difference", "percent", "currency",
)  # fmt: skip
RULE_COLUMNS = ("class", "deck", "cause", "records", "before", "after", "difference", "currency")
COST_COLUMNS = ("cost_deck", "legs", "before", "after", "difference", "currency")
STATE_COLUMNS = ("kind", "before", "after", "records")
ERROR_COLUMNS = ("kind", "reason", "was", "records", "amount_before", "currency")
LINE_COLUMNS = (
    "account", "kind", "class", "product", "description", "before", "after", "difference",
    "currency",
)  # fmt: skip
CALL_COLUMNS = (
    "record", "leg", "account", "started_at", "called", "billed_seconds_before",
    "billed_seconds_after", "before", "after", "difference", "currency", "cost_before",
    "cost_after", "cause",
)  # fmt: skip
CHARGE_COLUMNS = (
    "record", "account", "product", "class", "before", "after", "difference", "currency", "now",
)  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """Above `look` somebody should look; above `fail` the change does not pass."""

    look: Decimal | None = Decimal(0)
    fail: Decimal | None = None

    def verdict(self, value: Decimal) -> str:
        """What a value comes to."""
        if self.fail is not None and value > self.fail:
            return FAIL
        return LOOK if self.look is not None and value > self.look else PASS


@dataclass(frozen=True)
class Thresholds:
    """Amounts are of any one currency, up or down. The file `impact.toml` explains each."""

    customer_amount: Limit = Limit(fail=Decimal(100))
    customer_percent: Limit = Limit(fail=Decimal(5))
    total_amount: Limit = Limit(fail=Decimal(1000))
    changed_records: Limit = Limit()
    no_longer_billed: Limit = Limit()
    new_errors: Limit = Limit(fail=Decimal(0))
    # Customers whose amount changes by less are left out of the percentage.
    percent_from: Decimal = Decimal(1)


def read_thresholds(path: Path | None, given: Sequence[str] = ()) -> Thresholds:
    """The defaults, what a file says, and what is said beside it as `customer_amount.fail=50`."""
    said: dict[str, Any] = {}
    if path is not None:
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RatehouseError(f"{path} cannot be read: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise RatehouseError(f"{path} is not TOML: {error}") from error
    for text in given:
        name, equals, value = text.partition("=")
        key, _, side = name.strip().partition(".")
        if not equals:
            raise RatehouseError(f"'{text}' is no threshold; write it as customer_amount.fail=50")
        if side:
            said[key] = {**said.get(key, {}), side: value.strip()}
        else:
            said[key] = value.strip()
    result = Thresholds()
    names = {f.name for f in fields(Thresholds)}
    for key, value in said.items():
        if key not in names:
            raise RatehouseError(
                f"there is no threshold '{key}'; there are: {', '.join(sorted(names))}"
            )
        if key == "percent_from":
            result = replace(result, percent_from=_number(key, value))
            continue
        if not isinstance(value, Mapping) or not set(value) <= {"look", "fail"}:
            raise RatehouseError(f"the threshold {key} has a look and a fail, nothing else")
        sides = {
            side: None if number in ("", "never") else _number(f"{key}.{side}", number)
            for side, number in value.items()
        }
        result = replace(result, **{key: replace(getattr(result, key), **sides)})
    return result


def _number(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except ArithmeticError as error:
        raise RatehouseError(f"{name}: '{value}' is not a number") from error
    if not number.is_finite() or number < 0:
        raise RatehouseError(f"{name}: '{value}' is not an amount from 0 on")
    return number


@dataclass(frozen=True)
class Table:
    """One table of the report."""

    title: str
    columns: tuple[str, ...]
    rows: Rows
    # What a reader has to know about it.
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a shadow came to."""

    verdict: str
    checks: Rows
    tables: list[Table] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def table(self, title: str) -> Table:
        """A table by its title."""
        return next(table for table in self.tables if table.title == title)


# Rated money of the work set: before is what counts, after what the shadow decided. Production's
# records that did not have to be rated are on neither side.
_RATED = """
    select c.account_id, 'before' as side, c.currency_code, c.retail_amount as amount,
        c.cost_currency_code, c.cost_amount
    from {p}_history.current_rated_usage as c
    where c.state = 'billed' and %(usage)s
    union all
    select c.account_id, 'after', c.currency_code, c.retail_amount, c.cost_currency_code,
        c.cost_amount
    from {usage} as c where c.state = 'billed' and %(usage)s
    union all
    select c.account_id, 'before', c.currency_code, c.charge_amount, c.cost_currency_code,
        c.cost_amount
    from {p}_history.current_rated_charge as c where c.state = 'billed' and %(charge)s
    union all
    select c.account_id, 'after', c.currency_code, c.charge_amount, c.cost_currency_code,
        c.cost_amount
    from {charge} as c where c.state = 'billed' and %(charge)s
"""
_SUMS = """
    create table {p}_result.rated as
    select r.account_id, r.side, r.currency_code, sum(r.amount) as amount,
        r.cost_currency_code, sum(r.cost_amount) as cost_amount
    from ({rated}) as r
    group by r.account_id, r.side, r.currency_code, r.cost_currency_code
"""
_BEFORE = "coalesce(sum(m.amount) filter (where m.side = 'before'), 0)"
_AFTER = "coalesce(sum(m.amount) filter (where m.side = 'after'), 0)"
_TOTALS = f"""
    select m.what, {_BEFORE}, {_AFTER}, {_AFTER} - {_BEFORE}, m.currency_code
    from (
        select 1 as place, 'invoices' as what, side, currency_code, amount from {{p}}_result.invoice
        union all
        select 2, 'rated, before invoicing', side, currency_code, amount from {{p}}_result.rated
        where currency_code is not null
        union all
        select 3, 'cost', side, cost_currency_code, cost_amount from {{p}}_result.rated
        where cost_currency_code is not null
    ) as m
    group by m.place, m.what, m.currency_code order by m.place, m.currency_code
"""
_INVOICE = """
    create table {p}_result.invoice as
    select i.account_id, 'before' as side, i.currency_code, i.invoice_total as amount
    from {p}_result.production_draft_invoice as i
    union all
    select i.account_id, 'after', i.currency_code, i.invoice_total
    from {p}_result.shadow_draft_invoice as i
"""
_CUSTOMERS = """
    with rated as (
        select account_id, currency_code,
            coalesce(sum(amount) filter (where side = 'before'), 0) as before,
            coalesce(sum(amount) filter (where side = 'after'), 0) as after
        from {p}_result.rated where currency_code is not null group by 1, 2
    ),
    invoice as (
        select account_id, currency_code,
            coalesce(sum(amount) filter (where side = 'before'), 0) as before,
            coalesce(sum(amount) filter (where side = 'after'), 0) as after
        from {p}_result.invoice group by 1, 2
    )
    select coalesce(a.account_code, k.account_code, 'suspense'), coalesce(a.customer_name, ''),
        coalesce(a.bill_group, ''), r.before, r.after, r.after - r.before,
        i.before, i.after, i.after - i.before,
        case when coalesce(i.before, r.before) <> 0 then round(
            100 * (coalesce(i.after, r.after) - coalesce(i.before, r.before))
            / abs(coalesce(i.before, r.before)), 2
        ) end,
        currency_code
    from rated as r full join invoice as i using (account_id, currency_code)
    left join {p}_control.account as a using (account_id)
    left join reference.account_key as k using (account_id)
    where r.after <> r.before or i.after <> i.before
    order by abs(coalesce(i.after - i.before, r.after - r.before)) desc, 1, currency_code
"""
_RULES = """
    select m.charge_class, m.deck, m.cause, sum(m.records), sum(m.before), sum(m.after),
        sum(m.after - m.before), m.currency_code
    from (
        select coalesce(c.newer_charge_class, c.older_charge_class, '') as charge_class,
            coalesce(d.deck_code, '') as deck, p.cause, 1 as records,
            case when c.older_state = 'billed' then coalesce(c.older_retail_amount, 0) else 0 end
                as before,
            case when c.newer_state = 'billed' then coalesce(c.newer_retail_amount, 0) else 0 end
                as after,
            coalesce(c.newer_currency_code, c.older_currency_code) as currency_code
        from {p}_result.usage_change as c
        left join {p}_control.deck as d
            on coalesce(c.newer_retail_deck_id, c.older_retail_deck_id) = d.deck_id
        -- causes of cost have a table of their own
        cross join lateral (
            select case
                when c.cause = '' then concat('now ', c.newer_reason)
                else btrim(regexp_replace(c.cause, 'cost: [^;]*(; )?', '', 'g'), '; ')
            end as cause
        ) as p
        where p.cause <> ''
        union all
        select coalesce(c.charge_class, ''), coalesce(c.product_code, ''),
            case
                when c.newer_state is distinct from c.older_state then concat(
                    'now ', coalesce(c.newer_reason, c.newer_state, 'gone'), ' (was ',
                    coalesce(c.older_reason, c.older_state, 'absent'), ')'
                )
                else 'charge: other amount or terms'
            end,
            1,
            case when c.older_state = 'billed' then coalesce(c.older_amount, 0) else 0 end,
            case when c.newer_state = 'billed' then coalesce(c.newer_amount, 0) else 0 end,
            coalesce(c.newer_currency_code, c.older_currency_code)
        from {p}_result.charge_change as c
    ) as m
    group by 1, 2, 3, m.currency_code
    order by abs(sum(m.after - m.before)) desc, 4 desc, 1, 2, 3
"""
_COSTS = """
    select coalesce(d.deck_code, ''), count(*), sum(coalesce(c.older_cost_amount, 0)),
        sum(coalesce(c.newer_cost_amount, 0)),
        sum(coalesce(c.newer_cost_amount, 0) - coalesce(c.older_cost_amount, 0)),
        coalesce(c.newer_cost_currency_code, c.older_cost_currency_code)
    from {p}_result.usage_change as c
    left join {p}_control.deck as d
        on coalesce(c.newer_cost_deck_id, c.older_cost_deck_id) = d.deck_id
    where c.newer_cost_amount is distinct from c.older_cost_amount
    group by 1, 6 order by abs(5) desc, 1, 6
"""
_CHANGED = """
    select 'usage' as kind, older_state, newer_state, older_reason, newer_reason,
        older_retail_amount as older_amount, older_currency_code
    from {p}_result.usage_change
    union all
    select 'charge', older_state, newer_state, older_reason, newer_reason, older_amount,
        older_currency_code
    from {p}_result.charge_change
"""
_STATES = """
    select c.kind, coalesce(c.older_reason, c.older_state, '(none)'),
        coalesce(c.newer_reason, c.newer_state, '(none)'), count(*)
    from ({changed}) as c group by 1, 2, 3 order by 4 desc, 1, 2, 3
"""
_ERRORS = """
    select c.kind, c.newer_reason, coalesce(c.older_reason, c.older_state, '(none)'), count(*),
        sum(c.older_amount) filter (where c.older_state = 'billed'), max(c.older_currency_code)
    from ({changed}) as c
    where c.newer_state = 'error'
        and (c.older_state is distinct from 'error' or c.older_reason <> c.newer_reason)
    group by 1, 2, 3 order by 4 desc, 1, 2, 3
"""
_COUNTS = """
    select count(*), count(*) filter (where c.is_error and not c.was_error),
        count(*) filter (where c.was_billed and not c.is_billed),
        count(*) filter (where c.is_billed and not c.was_billed)
    from (
        select coalesce(s.older_state = 'error', false) as was_error,
            coalesce(s.newer_state = 'error', false) as is_error,
            coalesce(s.older_state = 'billed', false) as was_billed,
            coalesce(s.newer_state = 'billed', false) as is_billed
        from ({changed}) as s
    ) as c
"""
_LINE_DIFFERENCE = """
    create table {p}_result.line_change as
    with before as ({numbered_production}), after as ({numbered_shadow})
    select coalesce(a.account_id, b.account_id) as account_id,
        coalesce(a.line_kind, b.line_kind) as line_kind,
        coalesce(a.charge_class, b.charge_class) as charge_class,
        coalesce(a.product_code, b.product_code) as product_code,
        coalesce(a.description, b.description) as description,
        coalesce(a.currency_code, b.currency_code) as currency_code,
        b.line_amount as before, a.line_amount as after,
        coalesce(a.line_amount, 0) - coalesce(b.line_amount, 0) as difference
    from before as b full join after as a on b.line_key = a.line_key
    where (b.line_amount, b.description, b.record_count, b.quantity) is distinct from
        (a.line_amount, a.description, a.record_count, a.quantity)
"""
_NUMBERED = """
    select l.*, concat_ws(
        chr(31), l.account_id, l.currency_code, l.line_kind, coalesce(l.charge_class, ''),
        coalesce(l.product_code, ''), row_number() over (
            partition by l.account_id, l.currency_code, l.line_kind, l.charge_class, l.product_code
            order by l.line_no
        )
    ) as line_key
    from {p}_result.{side}_draft_invoice_line as l
"""
_LINES = """
    select coalesce(a.account_code, l.account_id::text) as account, l.line_kind as kind,
        coalesce(l.charge_class, '') as class, coalesce(l.product_code, '') as product,
        l.description, l.before, l.after, l.difference, l.currency_code as currency
    from {p}_result.line_change as l
    left join {p}_control.account as a using (account_id)
    order by abs(l.difference) desc, 1, 2, 3, 4
"""
_CALLS = """
    select f.file_name || ':' || c.line_no as record, c.leg_no::integer as leg,
        coalesce(k.account_code, 'suspense') as account,
        c.started_at at time zone 'UTC' as started_at, c.called_number::text as called,
        c.older_retail_billed_seconds as billed_seconds_before,
        c.newer_retail_billed_seconds as billed_seconds_after,
        c.older_retail_amount as before, c.newer_retail_amount as after,
        coalesce(c.newer_retail_amount, 0) - coalesce(c.older_retail_amount, 0) as difference,
        coalesce(c.newer_currency_code, c.older_currency_code) as currency,
        c.older_cost_amount as cost_before, c.newer_cost_amount as cost_after,
        case when c.cause = '' then concat('now ', c.newer_reason) else c.cause end as cause
    from {p}_result.usage_change as c
    inner join control.file as f on c.file_id = f.file_id
    left join {p}_control.account_code as k
        on coalesce(c.newer_account_id, c.older_account_id) = k.account_id
    order by abs(coalesce(c.newer_retail_amount, 0) - coalesce(c.older_retail_amount, 0)) desc,
        c.usage_id
"""
_CHARGES = """
    select f.file_name || ':' || c.line_no as record,
        coalesce(k.account_code, 'suspense') as account,
        coalesce(c.product_code, '') as product, coalesce(c.charge_class, '') as class,
        c.older_amount as before, c.newer_amount as after,
        coalesce(c.newer_amount, 0) - coalesce(c.older_amount, 0) as difference,
        coalesce(c.newer_currency_code, c.older_currency_code) as currency,
        coalesce(c.newer_reason, c.newer_state, 'gone') as now
    from {p}_result.charge_change as c
    inner join control.file as f on c.file_id = f.file_id
    left join {p}_control.account_code as k
        on coalesce(c.newer_account_id, c.older_account_id) = k.account_id
    order by abs(coalesce(c.newer_amount, 0) - coalesce(c.older_amount, 0)) desc, c.charge_id
"""


def compare_rating(shadow: Shadow) -> dict[str, int]:
    """Sums of what was rated; how many records are different, and how."""
    plan = shadow.plan
    assert plan is not None
    for name, is_rated in (("usage", plan.rates_usage), ("charge", plan.rates_charges)):
        if not is_rated:
            _stand_in(shadow, name)
    text = _SUMS.replace("{rated}", _RATED)
    text = text.replace("{usage}", _made(plan.rates_usage, "usage"))
    shadow.run_sql(
        text.replace("{charge}", _made(plan.rates_charges, "charge")),
        {"usage": plan.rates_usage, "charge": plan.rates_charges},
    )
    for table, kind in (("deck", "deck"), ("account_code", "account")):
        # Proposed rows may bring new ones.
        is_own = f"{kind}_key" in shadow.reference_tables
        source = f"{shadow.prefix}_reference" if is_own else "reference"
        shadow.run_sql(
            f"create view {{p}}_control.{table} as "
            f"select {kind}_id, {kind}_code from {source}.{kind}_key"
        )
    ((changed, errors, lost, won),) = shadow.ask(_COUNTS.replace("{changed}", _CHANGED))
    return {
        "changed_records": changed,
        "new_errors": errors,
        "no_longer_billed": lost,
        "newly_billed": won,
    }


def _made(is_rated: bool, fact: str) -> str:
    return f"{{p}}_rating.rated_{fact}" if is_rated else f"{{p}}_history.current_rated_{fact}"


_STAND_IN = {
    "usage": (
        "select null::bigint as usage_id, null::bigint as file_id, null::bigint as line_no, "
        "null::smallint as leg_no, null::timestamptz as started_at, null::bigint as called_number, "
        "null::text as cause"
    ),
    "charge": (
        "select null::bigint as charge_id, null::bigint as file_id, null::bigint as line_no, "
        "null::text as product_code, null::text as charge_class, null::numeric as older_amount, "
        "null::numeric as newer_amount"
    ),
}
_BOTH_SIDES = {
    "account_id": "bigint", "state": "text", "reason": "text", "charge_class": "text",
    "retail_deck_id": "integer", "cost_deck_id": "integer", "retail_billed_seconds": "bigint",
    "retail_amount": "numeric", "currency_code": "text", "cost_amount": "numeric",
    "cost_currency_code": "text",
}  # fmt: skip


def _stand_in(shadow: Shadow, fact: str) -> None:
    """Nothing of it was rated: an empty relation of its columns."""
    sides = "".join(
        f", null::{kind} as {side}_{name}"
        for side in ("older", "newer")
        for name, kind in _BOTH_SIDES.items()
    )
    shadow.run_sql(
        f"create table {{p}}_result.{fact}_change as {_STAND_IN[fact]}{sides} where false"
    )


def compare_invoices(shadow: Shadow, billed: bool) -> None:
    """Line by line; without drafts on one of the sides there is nothing to set side by side."""
    if not billed:
        shadow.run_sql(
            "create table {p}_result.invoice (account_id bigint, side text, currency_code text, "
            "amount numeric)"
        )
        shadow.run_sql(
            "create table {p}_result.line_change (account_id bigint, line_kind text, "
            "charge_class text, product_code text, description text, currency_code text, "
            "before numeric, after numeric, difference numeric)"
        )
        return
    shadow.run_sql(_INVOICE)
    text = _LINE_DIFFERENCE
    for side in ("production", "shadow"):
        text = text.replace(f"{{numbered_{side}}}", _NUMBERED.replace("{side}", side))
    shadow.run_sql(text)


def outcome(
    shadow: Shadow, counts: dict[str, int], thresholds: Thresholds, *, top: int = TOP
) -> Outcome:
    """The tables of the report, and the verdict."""

    def ask(query: str, limit: int | None = None) -> Rows:
        text = query.replace("{changed}", _CHANGED)
        return shadow.ask(f"{text} limit {int(limit)}" if limit is not None else text)

    customers, totals = ask(_CUSTOMERS), ask(_TOTALS)
    ((lines,),) = shadow.ask("select count(*) from {p}_result.line_change")
    counts = {**counts, "invoice_lines": lines, "customers": len(customers)}
    checks = judge(thresholds, customers, totals, counts)
    tables = [
        Table("Money", TOTAL_COLUMNS, totals),
        Table("Customers", CUSTOMER_COLUMNS, customers),
        Table("Rules", RULE_COLUMNS, ask(_RULES)),
        Table("Cost", COST_COLUMNS, ask(_COSTS)),
        Table("What became of changed records", STATE_COLUMNS, ask(_STATES)),
        Table("New errors", ERROR_COLUMNS, ask(_ERRORS)),
        Table("Invoice lines", LINE_COLUMNS, ask(_LINES, top), _shown(top, lines)),
        Table("Calls", CALL_COLUMNS, ask(_CALLS, top), _shown(top, counts["changed_records"])),
        Table("Charges", CHARGE_COLUMNS, ask(_CHARGES, top)),
    ]
    return Outcome(worst(row[-1] for row in checks), checks, tables, counts)


def _shown(top: int, count: int) -> str:
    return f"The {top} largest of {count:,}; all are in the CSV file." if count > top else ""


def worst(verdicts: Any) -> str:
    """The gravest of them."""
    order = (PASS, LOOK, FAIL)
    return order[max((order.index(verdict) for verdict in verdicts), default=0)]


def judge(thresholds: Thresholds, customers: Rows, totals: Rows, counts: Mapping[str, int]) -> Rows:
    """Each threshold with what was found (CHECK_COLUMNS)."""
    amounts, percents = [Decimal(0)], [Decimal(0)]
    for row in customers:
        facts = dict(zip(CUSTOMER_COLUMNS, row, strict=True))
        differences = [
            abs(facts[name] or Decimal(0)) for name in ("rated_difference", "invoice_difference")
        ]
        amounts += differences
        if max(differences) >= thresholds.percent_from:
            before = facts["invoice_before"] or facts["rated_before"] or Decimal(0)
            # From nothing to something is more than any percentage.
            percents.append(abs(facts["percent"]) if before else Decimal("Infinity"))
    by_total = [abs(row[3]) for row in totals if row[0] != "cost"]
    found = {
        "customer_amount": ("largest change of a customer's amount", max(amounts)),
        "customer_percent": ("largest change of a customer, percent", max(percents)),
        "total_amount": ("change of the total of a currency", max(by_total, default=Decimal(0))),
        "changed_records": ("records and legs that change", Decimal(counts["changed_records"])),
        "no_longer_billed": ("of them no longer billed", Decimal(counts["no_longer_billed"])),
        "new_errors": ("of them new in suspense", Decimal(counts["new_errors"])),
    }
    rows: Rows = []
    for name, (words, value) in found.items():
        limit: Limit = getattr(thresholds, name)
        is_count = name in ("changed_records", "no_longer_billed", "new_errors")
        shown = int(value) if is_count else value if value.is_finite() else "from nothing"
        rows.append((words, shown, _limit(limit.look), _limit(limit.fail), limit.verdict(value)))
    return rows


def _limit(value: Decimal | None) -> str:
    return "never" if value is None else f"{value:f}"


def write_csv(shadow: Shadow, folder: Path) -> list[Path]:
    """Every changed leg, charge and invoice line."""
    written = []
    for name, query in (("calls", _CALLS), ("charges", _CHARGES), ("lines", _LINES)):
        path = folder / f"{name}.csv"
        text = query.replace("{p}", shadow.prefix)
        with path.open("w", encoding="utf-8") as stream:
            shadow.cursor.copy_expert(f"copy ({text}) to stdout with (format csv, header)", stream)
        written.append(path)
    return written
