"""Refresh: work the totals and balances out again from the facts, and compare with what stands.

Totals are written with the rows they sum, in the run that made both, and only ever added to: they
cannot fall behind. So a refresh is a proof and changes nothing; a difference means that somebody
changed rows past the database's guards, and it is shown, never papered over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from loaders.errors import RatehouseError
from loaders.runs.schemas import relation_exists
from loaders.runs.withdrawal import execute, relations

DIFFERENCE_COLUMNS = (
    "what",
    "account",
    "period",
    "state",
    "currency",
    "measure",
    "stands",
    "facts",
)
BALANCE_COLUMNS = (
    "account", "currency", "posted", "in_drafts", "unbilled", "balance", "from_the_facts",
)  # fmt: skip

_USAGE = {
    "records": ("sum(t.record_count)", "count(*) filter (where f.leg_no = 1)"),
    "legs": ("sum(t.leg_count)", "count(*)"),
    "seconds": ("sum(t.billable_seconds)", "sum(f.billable_seconds)"),
    "billed_seconds": ("sum(t.billed_seconds)", "sum(f.retail_billed_seconds)"),
    "unbilled_seconds": ("sum(t.unbilled_seconds)", "sum(f.retail_unbilled_fraction)"),
    "amount": ("sum(t.retail_amount)", "sum(f.retail_amount)"),
    "cost": ("sum(t.cost_amount)", "sum(f.cost_amount)"),
    "at_risk": ("sum(t.at_risk_amount)", "sum(f.at_risk_amount)"),
}
_CHARGES = {
    "records": ("sum(t.record_count)", "count(*)"),
    "amount": ("sum(t.charge_amount)", "sum(f.charge_amount)"),
    "cost": ("sum(t.cost_amount)", "sum(f.cost_amount)"),
}
_COMPARED = """
    with stands as (
        select t.account_id, t.period_month, t.state, t.reason, t.currency_code, {stands}
        from {{total}} as t
        inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
        where r.status = 'closed' and {{where_t}}
        group by 1, 2, 3, 4, 5
    ),
    facts as (
        select f.account_id, f.period_month, f.state, f.reason, f.currency_code, {facts}
        from {{current}} as f
        where {{where_f}}
        group by 1, 2, 3, 4, 5
    ),
    compared as (
        select account_id, period_month, state, reason, currency_code, {given}
        from (
            select account_id, period_month, state, reason, currency_code, {as_stands}
            from stands
            union all
            select account_id, period_month, state, reason, currency_code, {as_facts}
            from facts
        ) as u
        group by 1, 2, 3, 4, 5
    )
    select %(what)s, coalesce(k.account_code, 'suspense'), to_char(b.period_month, 'YYYY-MM'),
        concat_ws(': ', b.state, b.reason), b.currency_code, m.measure, m.stands, m.facts
    from compared as b
    left join reference.account_key as k on b.account_id = k.account_id
    cross join lateral (values {measures}) as m (measure, stands, facts)
    where m.stands <> m.facts
    order by 2, 3, 4, 6
"""


@dataclass(frozen=True)
class Refreshed:
    """What was compared, and what differs."""

    group_count: int
    differences: list[tuple[Any, ...]]
    balances: list[tuple[Any, ...]]

    @property
    def is_equal(self) -> bool:
        """Whether everything stands as the facts say."""
        return not self.differences and all(row[-2] == row[-1] for row in self.balances)

    def sentences(self) -> list[str]:
        """What it comes to."""
        wrong = [row[0] for row in self.balances if row[-2] != row[-1]]
        if self.is_equal:
            return [
                f"{self.group_count:,} totals and {len(self.balances):,} balances worked out from "
                "the facts: all are equal to what stands."
            ]
        said = []
        if self.differences:
            said.append(f"{len(self.differences):,} total(s) DIFFER from the facts.")
        if wrong:
            said.append(f"The balance of {', '.join(wrong[:10])} DIFFERS from the facts.")
        said.append(
            "Rows were changed past the guards of the database. Nothing was repaired: find who "
            "did it, then rate the runs again (ratehouse replay names the run that differs)."
        )
        return said


def refresh(
    cursor: Any, *, account: str = "", period: date | None = None, build_schema: str = ""
) -> Refreshed:
    """Compare totals and balances with the facts, of all or of one account or period."""
    if not relation_exists(cursor, build_schema, "rating", "charge_total"):
        raise RatehouseError("nothing is rated yet: rate something first (ratehouse rate)")
    conditions = ["true"]
    values: dict[str, Any] = {"period": period}
    if account:
        cursor.execute(
            "select account_id from reference.account_key where account_code = %s", (account,)
        )
        row = cursor.fetchone()
        if row is None:
            raise RatehouseError(f"there is no account '{account}'")
        values["account_id"] = row[0]
        conditions.append("{alias}.account_id = %(account_id)s")
    if period is not None:
        conditions.append("{alias}.period_month = %(period)s")
    where = " and ".join(conditions)
    differences: list[tuple[Any, ...]] = []
    known = relations(build_schema)
    for what, measures, total, current in (
        ("usage", _USAGE, "usage_total", "current_rated_usage"),
        ("charges", _CHARGES, "charge_total", "current_rated_charge"),
    ):
        query = _query(measures)
        query = query.replace("{where_t}", where.format(alias="t"))
        query = query.replace("{where_f}", where.format(alias="f"))
        query = query.replace("{total}", known[total].as_string(cursor))
        query = query.replace("{current}", known[current].as_string(cursor))
        cursor.execute(query, {**values, "what": what})
        differences += cursor.fetchall()
    return Refreshed(
        _count(cursor, build_schema), differences, _balances(cursor, build_schema, account)
    )


def _query(measures: dict[str, tuple[str, str]]) -> str:
    names = list(measures)
    return _COMPARED.format(
        stands=", ".join(f"coalesce({measures[n][0]}, 0)::numeric as {n}" for n in names),
        facts=", ".join(f"coalesce({measures[n][1]}, 0)::numeric as {n}" for n in names),
        given=", ".join(
            f"sum(stands_{n}) as stands_{n}, sum(facts_{n}) as facts_{n}" for n in names
        ),
        as_stands=", ".join(f"{n} as stands_{n}, 0::numeric as facts_{n}" for n in names),
        as_facts=", ".join(f"0::numeric as stands_{n}, {n} as facts_{n}" for n in names),
        measures=", ".join(f"('{n}', b.stands_{n}, b.facts_{n})" for n in names),
    )


def _count(cursor: Any, build_schema: str) -> int:
    execute(
        cursor,
        build_schema,
        """
        select (select count(*) from {usage_total}) + (select count(*) from {charge_total})
        """,
    )
    return cursor.fetchone()[0]


# What is unbilled, once more from the facts: no total is read.
_BALANCES = """
    select coalesce(k.account_code, b.account_id::text), b.currency_code, b.posted_amount,
        b.drafted_amount, b.unbilled_amount, b.balance_amount,
        b.posted_amount + b.drafted_amount + coalesce(f.amount, 0)
    from marts.rpt_account_balance as b
    left join reference.account_key as k on b.account_id = k.account_id
    left join (
        select r.account_id, r.currency_code, sum(r.amount) as amount
        from (
            select account_id, period_month, currency_code, retail_amount as amount
            from {current_rated_usage} where state = 'billed'
            union all
            select account_id, period_month, currency_code, charge_amount
            from {current_rated_charge} where state = 'billed'
        ) as r
        where not exists (
            select from marts.fct_invoice as i
            where i.account_id = r.account_id and i.period_month = r.period_month
        )
        group by 1, 2
    ) as f on b.account_id = f.account_id and b.currency_code = f.currency_code
    where %(account)s in ('', k.account_code)
    order by 1, 2
"""


def _balances(cursor: Any, build_schema: str, account: str) -> list[tuple[Any, ...]]:
    if build_schema or not relation_exists(cursor, "", "marts", "rpt_account_balance"):
        return []
    execute(cursor, build_schema, _BALANCES, {"account": account})
    return cursor.fetchall()
