"""What rating suspended records again would clear: they are rated, looked at, and rolled back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from loaders.runs.dry import DryModels, dry_run
from loaders.runs.suspense import SuspenseFilters, chosen_records

# Measured on two cores: 4 s, and 7 s more for each 100,000 records. Beyond this somebody who only
# wants to look would wait for more than half a minute.
MOST_RECORDS = 500_000

_OUTCOMES = """
    select o.record_kind, coalesce(k.source_code, '(unknown)'), o.state, coalesce(o.reason, ''),
        count(distinct (o.file_id, o.line_no)), o.currency_code, sum(o.amount), sum(o.at_risk)
    from (
        select 'usage' as record_kind, source_id, file_id, line_no, state, reason, currency_code,
            retail_amount as amount, at_risk_amount as at_risk
        from dry_rating.rated_usage
        union all
        select 'charge', source_id, file_id, line_no, state, reason,
            coalesce(currency_code, cost_currency_code), charge_amount,
            case when state = 'error' then cost_amount end
        from dry_rating.rated_charge
    ) as o
    left join reference.source_key as k on o.source_id = k.source_id
    group by 1, 2, 3, 4, 6
    order by o.state = 'billed' desc, o.state, 5 desc, 1, 2, 4, 6
"""


@dataclass(frozen=True)
class Outcome:
    """Records that would end in one state."""

    record_kind: str
    source_code: str
    state: str
    reason: str
    record_count: int
    currency_code: str | None
    # What they would be billed with; of those still suspended, what is known to be at risk.
    amount: Decimal | None
    at_risk_amount: Decimal | None

    @property
    def in_words(self) -> str:
        """`would be billed`, `still suspended: missing_rate`, `would not be billed: ...`."""
        if self.state == "billed":
            return "would be billed"
        words = "still suspended" if self.state == "error" else "would not be billed"
        return f"{words}: {self.reason}"


def what_reprocess_would_clear(
    connection: Any, models: Callable[[], DryModels], filters: SuspenseFilters
) -> list[Outcome] | None:
    """States the suspended records would end in with what is known now; changes nothing.

    None when they are too many to try. ``models`` is asked only if there is something to rate.
    """
    with connection, connection.cursor() as cursor:
        query, values = chosen_records(cursor, "", filters)
        cursor.execute(
            sql.SQL("select count(distinct (s.file_id, s.line_no)) from ({}) as s").format(query),
            values,
        )
        (count,) = cursor.fetchone()
    if count == 0:
        return []
    if count > MOST_RECORDS:
        return None
    with dry_run(connection, models()) as run:
        run.cursor.execute(
            sql.SQL("select distinct s.file_id, s.line_no from ({}) as s").format(query), values
        )
        records = run.cursor.fetchall()
        run.file_ids = sorted({file_id for file_id, _ in records})
        run.rate(records=records, until="rated_charge")
        run.cursor.execute(_OUTCOMES)
        return [Outcome(*row) for row in run.cursor.fetchall()]
