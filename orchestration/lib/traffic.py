"""The proof that traffic by hour is what the usage says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.runs.schemas import relation_exists

COLUMNS = ("stands", "hour", "account_id", "source_id", "calls", "sell", "buy")
_SHOWN = 100


@dataclass(frozen=True)
class TrafficProof:
    """Rows of the aggregate, of its rebuild, and those that are in one of them only."""

    rows: int
    rebuilt_rows: int
    differences: list[tuple[Any, ...]]

    def sentence(self) -> str:
        """The outcome in words."""
        if self.differences:
            return f"traffic by hour is not what the usage says: {self.rows:,} rows stand"
        return f"{self.rows:,} rows of traffic by hour are what the usage says"


def compare(connection: Any) -> TrafficProof:
    """Aggregate all usage again and compare row by row."""
    with transaction(connection) as cursor:
        if not relation_exists(cursor, "", "rating", "current_traffic_hour"):
            raise RatehouseError("nothing has been rated yet: start `ratehouse rate` first")
        cursor.execute(
            "create temporary table traffic_stands on commit drop as "
            "select * from rating.current_traffic_hour"
        )
        cursor.execute(
            "create temporary table traffic_rebuilt on commit drop as "
            "select * from rating.rebuilt_traffic_hour"
        )
        cursor.execute(
            "select (select count(*) from traffic_stands), (select count(*) from traffic_rebuilt)"
        )
        rows, rebuilt = cursor.fetchone()
        cursor.execute(
            """
            select d.stands, d.hour_at, d.account_id, d.source_id, d.attempt_count,
                d.sell_amount, d.buy_amount
            from (
                select 'in the aggregate' as stands, t.*
                from (table traffic_stands except all table traffic_rebuilt) as t
                union all
                select 'in the usage', t.*
                from (table traffic_rebuilt except all table traffic_stands) as t
            ) as d order by 2, 3, 4, 1 limit %s
            """,
            (_SHOWN,),
        )
        return TrafficProof(rows, rebuilt, list(cursor.fetchall()))
