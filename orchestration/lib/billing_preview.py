"""What a billing run would draft, read from what rating decided. Writes nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

from psycopg2 import sql

from loaders.runs.schemas import build_relation
from orchestration.lib import paths
from orchestration.lib.figures import fetch, require_rated

PREVIEW_COLUMNS = (
    "bill_group",
    "account_code",
    "customer_name",
    "usage_records",
    "usage_amount",
    "charge_records",
    "charge_amount",
    "currency_code",
)

# Sums of what rating decided, before the rounding of lines: no price is worked out here.
_PREVIEW = """
    select
        a.bill_group, a.account_code, a.customer_name,
        coalesce(sum(t.usage_records), 0)::bigint, round(coalesce(sum(t.usage_amount), 0), 4),
        coalesce(sum(t.charge_records), 0)::bigint, round(coalesce(sum(t.charge_amount), 0), 4),
        t.currency_code
    from (
        select u.account_id, u.currency_code, u.leg_count as usage_records,
            u.retail_amount as usage_amount, 0 as charge_records, 0::numeric as charge_amount
        from {usage_total} as u
        inner join control.rating_run as r on u.rating_run_id = r.rating_run_id
        where r.status = 'closed' and u.state = 'billed' and u.period_month = %(period_month)s
        union all
        select c.account_id, c.currency_code, 0, 0, c.record_count, c.charge_amount
        from {charge_total} as c
        inner join control.rating_run as r on c.rating_run_id = r.rating_run_id
        where r.status = 'closed' and c.state = 'billed' and c.period_month = %(period_month)s
    ) as t
    inner join lateral (
        select account_code, customer_name, bill_group
        from reference.account
        where account_id = t.account_id and recorded_to = 'infinity'
        order by valid_from desc
        limit 1
    ) as a on true
    where a.bill_group = any(%(bill_groups)s)
    group by a.bill_group, a.account_code, a.customer_name, t.currency_code
    order by a.bill_group, 5 desc, a.account_code
"""


def preview_bill(
    connection: Any, period_month: date, bill_groups: list[str]
) -> list[tuple[Any, ...]]:
    """What would be billed per account (PREVIEW_COLUMNS), without writing anything."""
    build_schema = paths.build_schema()
    require_rated(connection)
    return fetch(
        connection,
        sql.SQL(_PREVIEW).format(
            usage_total=build_relation(build_schema, "rating", "usage_total"),
            charge_total=build_relation(build_schema, "rating", "charge_total"),
        ),
        {"period_month": period_month, "bill_groups": bill_groups},
    )
