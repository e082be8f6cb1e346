"""Suspended records (state `error`): choose them, count the money at risk, take them into a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from loaders.errors import RatehouseError
from loaders.runs.schemas import build_relation, relation_exists


@dataclass(frozen=True)
class SuspenseFilters:
    """Which suspended records. Everything empty means all of them."""

    reasons: tuple[str, ...] = ()
    source_codes: tuple[str, ...] = ()
    file_ids: tuple[int, ...] = ()
    started_from: date | None = None
    started_before: date | None = None
    only_without_account: bool = False

    def __post_init__(self) -> None:
        if (
            self.started_from is not None
            and self.started_before is not None
            and self.started_from >= self.started_before
        ):
            raise RatehouseError(
                f"the date range is empty: from {self.started_from} is not before "
                f"{self.started_before} (the second date is not included)"
            )

    def to_config(self) -> dict[str, Any]:
        """The filters as control.rating_run.config keeps them."""
        config = asdict(self)
        for name in ("started_from", "started_before"):
            if config[name] is not None:
                config[name] = config[name].isoformat()
        return {name: value for name, value in config.items() if value}


def parse_day(text: str) -> date | None:
    """`2026-10-31` as a date; nothing as no limit."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise RatehouseError(f"'{text}' is not a day; write it as 2026-10-31") from error


@dataclass(frozen=True)
class SuspenseGroup:
    """Suspended records of one kind and reason."""

    record_kind: str
    reason: str
    source_code: str
    record_count: int
    file_count: int
    currency_code: str | None
    at_risk_amount: Decimal


# Usage knows what it would cost by the default plan; a charge is at risk with the carrier's amount.
# A charge without a readable period has no date: it is found by every filter but the date range.
_SUSPENDED = """
    select
        'usage' as record_kind, s.reason, s.source_id, s.file_id, s.line_no, s.account_id,
        s.started_at, s.currency_code, s.at_risk_amount
    from {usage} as s
    where s.state = 'error'
    union all
    select
        'charge' as record_kind, s.reason, s.source_id, s.file_id, s.line_no, s.account_id,
        s.period_from::timestamp at time zone 'UTC' as started_at, s.currency_code,
        s.carrier_amount as at_risk_amount
    from {charge} as s
    where s.state = 'error'
"""


def chosen_records(
    cursor: Any, build_schema: str, filters: SuspenseFilters
) -> tuple[Any, dict[str, Any]]:
    """The query of the suspended records that fit, and its values."""
    for name in ("current_rated_usage", "current_rated_charge"):
        if not relation_exists(cursor, build_schema, "rating", name):
            raise RatehouseError(
                f"rating.{name} does not exist yet: rate something first (ratehouse rate)"
            )
    conditions = ["true"]
    values: dict[str, Any] = {}
    if filters.reasons:
        conditions.append("s.reason = any(%(reasons)s)")
        values["reasons"] = list(filters.reasons)
    if filters.source_codes:
        conditions.append("k.source_code = any(%(source_codes)s)")
        values["source_codes"] = list(filters.source_codes)
    if filters.file_ids:
        conditions.append("s.file_id = any(%(file_ids)s)")
        values["file_ids"] = list(filters.file_ids)
    if filters.started_from is not None:
        conditions.append("s.started_at >= %(started_from)s::date::timestamp at time zone 'UTC'")
        values["started_from"] = filters.started_from
    if filters.started_before is not None:
        conditions.append("s.started_at < %(started_before)s::date::timestamp at time zone 'UTC'")
        values["started_before"] = filters.started_before
    if filters.only_without_account:
        conditions.append("s.account_id = 0")
    query = sql.SQL(
        "select s.*, k.source_code from (" + _SUSPENDED + ") as s "
        "left join reference.source_key as k on s.source_id = k.source_id "
        "where " + " and ".join(conditions)
    ).format(
        usage=build_relation(build_schema, "rating", "current_rated_usage"),
        charge=build_relation(build_schema, "rating", "current_rated_charge"),
    )
    return query, values


def preview_reprocess(
    connection: Any, filters: SuspenseFilters, *, build_schema: str = ""
) -> list[SuspenseGroup]:
    """What a reprocess run would take, and the money waiting in it. Changes nothing."""
    with connection, connection.cursor() as cursor:
        query, values = chosen_records(cursor, build_schema, filters)
        cursor.execute(
            sql.SQL(
                """
                select s.record_kind, s.reason, coalesce(s.source_code, '(unknown)'),
                    count(distinct (s.file_id, s.line_no)), count(distinct s.file_id),
                    s.currency_code, coalesce(sum(s.at_risk_amount), 0)
                from ({}) as s
                group by 1, 2, 3, 6
                order by 4 desc, 1, 2, 3, 6
                """
            ).format(query),
            values,
        )
        return [SuspenseGroup(*row) for row in cursor.fetchall()]


def insert_suspended_records(
    cursor: Any, run_id: int, build_schema: str, filters: SuspenseFilters
) -> int:
    """Write the work set by record and the files it comes from; the number of files."""
    query, values = chosen_records(cursor, build_schema, filters)
    cursor.execute(
        sql.SQL(
            """
            insert into control.rating_run_record (rating_run_id, file_id, line_no)
            select distinct %(run_id)s::bigint, s.file_id, s.line_no from ({}) as s
            """
        ).format(query),
        {**values, "run_id": run_id},
    )
    cursor.execute(
        """
        insert into control.rating_run_file (rating_run_id, file_id, build_schema, is_initial)
        select distinct %(run_id)s::bigint, file_id, %(build_schema)s, false
        from control.rating_run_record
        where rating_run_id = %(run_id)s
        """,
        {"run_id": run_id, "build_schema": build_schema},
    )
    return cursor.rowcount


def filters_from_config(config: Mapping[str, Any]) -> SuspenseFilters:
    """The filters a stored run was opened with."""
    values = dict(config)
    for name in ("started_from", "started_before"):
        if values.get(name):
            values[name] = date.fromisoformat(values[name])
    for name in ("reasons", "source_codes", "file_ids"):
        values[name] = tuple(values.get(name, ()))
    return SuspenseFilters(**values)
