"""What a re-rating changes, or has changed: sums over rpt_rerated_usage, and its rows as CSV.

Nothing is priced here. Of a preview the relation stands in the open transaction of a dry run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]

TOTAL_COLUMNS = ("side", "currency", "before", "after", "difference")
CUSTOMER_COLUMNS = (
    "account", "customer", "legs", "changed", "before", "after", "difference", "currency",
)  # fmt: skip
TARIFF_COLUMNS = ("plan", "deck", "legs", "before", "after", "difference", "currency")
CAUSE_COLUMNS = ("cause", "legs", "difference", "currency", "cost_difference", "cost_currency")
STATE_COLUMNS = ("before", "after", "legs")
CALL_COLUMNS = (
    "record", "leg", "account", "started_at", "called", "seconds_before", "seconds_after",
    "before", "after", "difference", "currency", "cost_before", "cost_after", "cause",
)  # fmt: skip
INVOICE_COLUMNS = ("invoice", "account", "period", "difference", "currency")
DRAFT_COLUMNS = ("period", "bill_group", "difference", "currency")
TOP = 20

# Money on the account, plan and deck of the version it belongs to: before and after as two rows.
_SIDES = """
    select c.{side}_account_id as account_id, c.{side}_plan_id as plan_id,
        c.{side}_retail_deck_id as deck_id, c.{side}_period_month as period_month,
        c.{side}_state as state, c.{side}_currency_code as currency_code,
        c.{side}_retail_amount as amount, c.{side}_cost_currency_code as cost_currency_code,
        c.{side}_cost_amount as cost_amount, c.usage_id, c.is_changed, '{side}' as side
    from {relation} as c
    where c.rating_run_id = %(run)s and c.{side}_state is not null
"""
_SUMS = """
    coalesce(sum(m.amount) filter (where m.side = 'older'), 0) as before,
    coalesce(sum(m.amount) filter (where m.side = 'newer'), 0) as after,
    coalesce(sum(case m.side when 'newer' then m.amount else -m.amount end), 0) as difference
"""
_COUNTS = """
    select count(*), count(distinct (c.file_id, c.line_no)), count(*) filter (where c.is_changed),
        count(distinct (c.file_id, c.line_no)) - count(distinct (c.file_id, c.line_no))
            filter (where c.newer_state is not null)
    from {relation} as c where c.rating_run_id = %(run)s
"""
_TOTALS = (
    "select m.what, m.currency, "
    + _SUMS
    + """
    from (
        select 'retail' as what, currency_code as currency, amount, side from ({money}) as retail
        where amount is not null
        union all
        select 'cost', cost_currency_code, cost_amount, side from ({money}) as cost
        where cost_amount is not null
    ) as m
    group by 1, 2 order by 1 desc, 2
"""
)
_CUSTOMERS = (
    """select coalesce(k.account_code, 'suspense'), coalesce(a.customer_name, ''),
        count(distinct m.usage_id), count(distinct m.usage_id) filter (where m.is_changed), """
    + _SUMS
    + """, m.currency_code
    from ({money}) as m
    left join reference.account_key as k on m.account_id = k.account_id
    left join lateral (
        select customer_name from reference.account
        where account_id = m.account_id and recorded_to = 'infinity'
        order by valid_from desc limit 1
    ) as a on true
    group by 1, 2, m.currency_code
    order by abs(coalesce(sum(case m.side when 'newer' then m.amount else -m.amount end), 0)) desc,
        1, m.currency_code
"""
)
_TARIFFS = (
    """select coalesce(p.plan_code, ''), coalesce(d.deck_code, ''), count(distinct m.usage_id), """
    + _SUMS
    + """, m.currency_code
    from ({money}) as m
    left join reference.plan_key as p on m.plan_id = p.plan_id
    left join reference.deck_key as d on m.deck_id = d.deck_id
    where m.state = 'billed'
    group by 1, 2, m.currency_code
    order by abs(coalesce(sum(case m.side when 'newer' then m.amount else -m.amount end), 0)) desc,
        1, 2, m.currency_code
"""
)
# Where the currency changed, there is no one number.
_DIFFERENCE = """
    case
        when coalesce(c.older_currency_code, c.newer_currency_code)
            = coalesce(c.newer_currency_code, c.older_currency_code)
            then coalesce(c.newer_retail_amount, 0) - coalesce(c.older_retail_amount, 0)
    end
"""
_CAUSES = (
    "select c.cause, count(*), sum("
    + _DIFFERENCE
    + """),
        coalesce(c.newer_currency_code, c.older_currency_code),
        sum(coalesce(c.newer_cost_amount, 0) - coalesce(c.older_cost_amount, 0)),
        coalesce(c.newer_cost_currency_code, c.older_cost_currency_code)
    from {relation} as c
    where c.rating_run_id = %(run)s and c.is_changed
    group by 1, 4, 6 order by 2 desc, 1, 4, 6
"""
)
_STATES = """
    select coalesce(c.older_reason, c.older_state, '(none)'),
        coalesce(c.newer_reason, c.newer_state, '(none)'), count(*)
    from {relation} as c where c.rating_run_id = %(run)s
    group by 1, 2 order by 3 desc, 1, 2
"""
_CALLS = (
    """
    select f.file_name || ':' || c.line_no as record, c.leg_no::integer as leg,
        coalesce(k.account_code, 'suspense') as account, c.started_at at time zone 'UTC'
            as started_at, c.called_number::text as called,
        c.older_billable_seconds as seconds_before, c.newer_billable_seconds as seconds_after,
        c.older_retail_amount as before, c.newer_retail_amount as after, """
    + _DIFFERENCE
    + """ as difference, coalesce(c.newer_currency_code, c.older_currency_code) as currency,
        c.older_cost_amount as cost_before, c.newer_cost_amount as cost_after, c.cause
    from {relation} as c
    inner join control.file as f on c.file_id = f.file_id
    left join reference.account_key as k
        on coalesce(c.newer_account_id, c.older_account_id) = k.account_id
    where c.rating_run_id = %(run)s and c.is_changed
    order by coalesce(c.older_currency_code <> c.newer_currency_code, false) desc,
        abs("""
    + _DIFFERENCE
    + """) desc nulls last,
        abs(coalesce(c.newer_cost_amount, 0) - coalesce(c.older_cost_amount, 0)) desc, c.usage_id
"""
)
_INVOICES = """
    select i.number, coalesce(k.account_code, m.account_id::text),
        to_char(m.period_month, 'YYYY-MM'),
        sum(case m.side when 'newer' then m.amount else -m.amount end), m.currency_code
    from ({money}) as m
    inner join (
        select account_id, period_month,
            string_agg(invoice_label, ', ' order by invoice_label)
                as number
        from ledger.invoice group by 1, 2
    ) as i on m.account_id = i.account_id and m.period_month = i.period_month
    left join reference.account_key as k on m.account_id = k.account_id
    where m.state = 'billed'
    group by 1, 2, 3, m.currency_code
    having sum(case m.side when 'newer' then m.amount else -m.amount end) <> 0
    order by 3, 2
"""
_DRAFTS = """
    select to_char(m.period_month, 'YYYY-MM'), a.bill_group,
        sum(case m.side when 'newer' then m.amount else -m.amount end), m.currency_code
    from ({money}) as m
    inner join lateral (
        select bill_group from reference.account
        where account_id = m.account_id and recorded_to = 'infinity'
        order by valid_from desc limit 1
    ) as a on true
    inner join control.invoice_run as d
        on m.period_month = d.period_month and a.bill_group = d.bill_group
    where m.state = 'billed' and d.build_schema = '' and d.status = 'draft'
        and d.drafted_at is not null and m.is_changed
    group by 1, 2, m.currency_code order by 1, 2
"""


@dataclass(frozen=True)
class Comparison:
    """Old and new side by side."""

    record_count: int
    leg_count: int
    changed_count: int
    totals: Rows
    customers: Rows
    tariffs: Rows
    causes: Rows
    states: Rows
    calls: Rows
    invoices: Rows
    drafts: Rows
    csv: Path | None = None
    # Records that got no decision at all: such a run would not balance.
    lost_count: int = 0

    def tables(self) -> Sequence[tuple[str, tuple[str, ...], Rows]]:
        """Title, columns and rows of everything there is to see."""
        return [
            ("Money before and after", TOTAL_COLUMNS, self.totals),
            ("Customers", CUSTOMER_COLUMNS, self.customers),
            ("Plans and decks", TARIFF_COLUMNS, self.tariffs),
            ("Causes", CAUSE_COLUMNS, self.causes),
            ("What became of them", STATE_COLUMNS, self.states),
            ("Largest differences", CALL_COLUMNS, self.calls),
            ("Posted invoices", INVOICE_COLUMNS, self.invoices),
            ("Drafts", DRAFT_COLUMNS, self.drafts),
        ]

    def sentences(self) -> list[str]:
        """What it comes to."""
        said = [
            f"{self.record_count:,} record(s), {self.leg_count:,} leg(s), "
            f"{self.changed_count:,} of them changed."
        ]
        if self.invoices:
            sums: dict[str, Any] = {}
            for *_, difference, currency in self.invoices:
                sums[currency] = sums.get(currency, 0) + difference
            money = ", ".join(
                f"{round(amount, 6).normalize():f} {currency}" for currency, amount in sums.items()
            )
            said.append(
                f"{len(self.invoices)} posted invoice(s) hold usage that changes: the next "
                f"billing run of their periods posts adjustments of {money}, before rounding, "
                "allowances and taxes."
            )
        if self.drafts:
            drafts = ", ".join(dict.fromkeys(f"{row[0]} {row[1]}" for row in self.drafts))
            said.append(f"Drafts to be made again: {drafts} (ratehouse bill).")
        return said


def compare(
    cursor: Any, relation: str, run_id: int, *, top: int = TOP, csv: Path | None = None
) -> Comparison:
    """Sums of what one run changed; with ``csv``, every changed leg is written there."""
    money = " union all ".join(
        _SIDES.format(side=side, relation=relation) for side in ("older", "newer")
    )

    def ask(query: str) -> Rows:
        cursor.execute(query.format(relation=relation, money=money), {"run": run_id})
        return cursor.fetchall()

    ((legs, records, changed, lost),) = ask(_COUNTS)
    found = Comparison(
        records,
        legs,
        changed,
        *(ask(query) for query in (_TOTALS, _CUSTOMERS, _TARIFFS, _CAUSES, _STATES)),
        ask(f"{_CALLS} limit {int(top)}"),
        *(ask(query) for query in (_INVOICES, _DRAFTS)),
        csv,
        lost,
    )
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        query = cursor.mogrify(_CALLS.format(relation=relation), {"run": run_id}).decode()
        with csv.open("w", encoding="utf-8") as stream:
            cursor.copy_expert(f"copy ({query}) to stdout with (format csv, header)", stream)
    return found
