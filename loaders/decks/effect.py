"""What a change of prices would have meant for a month of traffic: an estimate, all in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from loaders.runs.schemas import build_relation, relation_exists

_SHOWN = 10


@dataclass(frozen=True)
class SideEffect:
    """Calls of codes that change, on one side: what customers pay, or what we pay."""

    side: str
    calls: int
    minutes: Decimal
    old_amount: Decimal
    new_amount: Decimal
    # Calls that would no longer be possible or priced; their old amount is not in new_amount.
    blocked_calls: int
    unpriced_calls: int

    @property
    def difference(self) -> Decimal:
        return self.new_amount - self.old_amount


@dataclass(frozen=True)
class PrefixEffect:
    """The same of one code, as priced after the change."""

    side: str
    prefix: str
    calls: int
    minutes: Decimal
    old_amount: Decimal
    new_amount: Decimal


@dataclass(frozen=True)
class Effect:
    """The estimate. No sides: the month has no calls of codes that change."""

    month: date
    currency_code: str
    sides: list[SideEffect] = field(default_factory=list)
    largest: list[PrefixEffect] = field(default_factory=list)


# Billed seconds stay as they were rated: what other increments would do is not in it. A call has
# the price of its longest code among those of the deck at its end: before, as it is known now to
# hold today; after, with all lines of the sheet in force.
_PRICES = """
create temporary table deck_price on commit drop as
with last_change as (
    select distinct on (c.prefix, c.jurisdiction) c.*
    from deck_change as c
    inner join deck_cut as t on c.prefix = t.prefix and c.jurisdiction = t.jurisdiction
    where c.valid_from >= t.cut_at
    order by c.prefix, c.jurisdiction, c.valid_from desc
)

select
    false as is_new, k.prefix, k.jurisdiction, k.status, k.price_per_minute,
    k.connection_fee + coalesce(k.price_per_call, 0) as price_per_call
from deck_known as k
where k.valid_from <= clock_timestamp() and k.valid_to > clock_timestamp()
union all
select
    true, k.prefix, k.jurisdiction, k.status, k.price_per_minute,
    k.connection_fee + coalesce(k.price_per_call, 0)
from deck_known as k
where k.valid_from <= clock_timestamp() and k.valid_to > clock_timestamp()
    and not exists (
        select from deck_cut as t
        where t.prefix = k.prefix and t.jurisdiction = k.jurisdiction
    )
union all
select
    true, c.prefix, c.jurisdiction, c.new_status, c.new_price_per_minute,
    c.new_connection_fee + coalesce(c.new_price_per_call, 0)
from last_change as c
where c.action <> 'close' or {closed_is_blocked}
"""

_TRAFFIC = """
create temporary table deck_traffic on commit drop as
with changed_length as (
    select length(t.prefix) as digits from deck_cut as t group by length(t.prefix)
),

leg as (
    select
        'retail' as side, u.rated_number, {retail_jurisdiction} as jurisdiction,
        u.retail_billed_seconds as seconds
    from {usage} as u
    where u.retail_deck_id = {deck_id} and u.state = 'billed'
        and u.started_at >= {first} and u.started_at < {last}
    union all
    select 'cost', {cost_number}, {cost_jurisdiction}, u.cost_billed_seconds
    from {usage} as u
    where u.cost_deck_id = {deck_id} and u.cost_status = 'priced'
        and u.started_at >= {first} and u.started_at < {last}
),

grouped as (
    select
        leg.side,
        left(leg.rated_number::text, 13) as digits,
        case
            when {is_jurisdictional} then coalesce(leg.jurisdiction, 'indeterminate')
            else 'any'
        end as jurisdiction,
        count(*) as calls,
        sum(leg.seconds) as seconds
    from leg
    where leg.rated_number is not null
    group by 1, 2, 3
)

select row_number() over () as group_no, g.*
from grouped as g
where exists (
    select from changed_length as l
    inner join deck_cut as t on t.prefix = left(g.digits, l.digits)
    where t.jurisdiction in ('any', g.jurisdiction)
)
"""

_PRICED = """
create temporary table deck_effect on commit drop as
with code_length as (
    select length(p.prefix) as digits from deck_price as p group by length(p.prefix)
),

priced as (
    select distinct on (g.group_no, p.is_new)
        g.group_no, p.is_new, p.prefix, p.status,
        case
            when p.status = 'open'
                then g.calls * p.price_per_call
                    + g.seconds * coalesce(p.price_per_minute, 0) / 60
        end as amount
    from deck_traffic as g
    inner join code_length as l on length(g.digits) >= l.digits
    inner join deck_price as p
        on p.prefix = left(g.digits, l.digits) and p.jurisdiction in ('any', g.jurisdiction)
    order by g.group_no, p.is_new, length(p.prefix) desc, p.jurisdiction = 'any'
)

select
    g.side, g.calls, g.seconds, coalesce(n.prefix, o.prefix) as prefix, n.status,
    coalesce(o.amount, 0) as old_amount, coalesce(n.amount, 0) as new_amount
from deck_traffic as g
left join priced as o on o.group_no = g.group_no and not o.is_new
left join priced as n on n.group_no = g.group_no and n.is_new
"""


def last_month(today: date) -> date:
    """The first day of the last full month."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def estimate(
    cursor: Cursor,
    build_schema: str,
    deck: tuple[int, str, bool],
    month: date,
    *,
    closed_is_blocked: bool,
) -> Effect | None:
    """Re-price a month's billed seconds. ``deck``: id, currency, is jurisdictional.

    Needs the temporary tables of a comparison. None: nothing has been rated yet.
    """
    deck_id, currency_code, is_jurisdictional = deck
    if not relation_exists(cursor, build_schema, "rating", "current_rated_usage"):
        return None
    after = (month + timedelta(days=32)).replace(day=1)
    usage = build_relation(build_schema, "rating", "current_rated_usage")
    values = {
        "usage": usage,
        "retail_jurisdiction": sql.SQL("u.retail_jurisdiction"),
        "cost_jurisdiction": sql.SQL("u.cost_jurisdiction"),
        "cost_number": sql.SQL("coalesce(u.cost_rated_number, u.rated_number)"),
        "deck_id": sql.Literal(deck_id),
        "is_jurisdictional": sql.Literal(is_jurisdictional),
        "first": sql.SQL("{}::timestamptz").format(sql.Literal(f"{month} 00:00:00+00")),
        "last": sql.SQL("{}::timestamptz").format(sql.Literal(f"{after} 00:00:00+00")),
        "closed_is_blocked": sql.Literal(closed_is_blocked),
    }
    for statement, table in (
        (_PRICES, "deck_price"), (_TRAFFIC, "deck_traffic"), (_PRICED, "deck_effect"),
    ):  # fmt: skip
        cursor.execute(sql.SQL(statement).format(**values))
        cursor.execute(f"analyze {table}")
    cursor.execute(
        "select side, sum(calls), round(sum(seconds) / 60, 1), round(sum(old_amount), 4), "
        "round(sum(new_amount), 4), coalesce(sum(calls) filter (where status = 'blocked'), 0), "
        "coalesce(sum(calls) filter (where status is null), 0) "
        "from deck_effect group by side order by side desc"
    )
    sides = [
        SideEffect(side, int(calls), minutes, old, new, int(blocked), int(unpriced))
        for side, calls, minutes, old, new, blocked, unpriced in cursor.fetchall()
    ]
    cursor.execute(
        f"select side, prefix, sum(calls), round(sum(seconds) / 60, 1), "
        f"round(sum(old_amount), 4), round(sum(new_amount), 4) from deck_effect "
        f"group by side, prefix order by abs(sum(new_amount) - sum(old_amount)) desc, prefix "
        f"limit {_SHOWN}"
    )
    largest = [
        PrefixEffect(side, prefix, int(calls), *amounts)
        for side, prefix, calls, *amounts in cursor.fetchall()
    ]
    return Effect(month, currency_code, sides, largest)
