"""A look for alerts: over the traffic that came since the last one, each finding kept once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.runs.schemas import build_relation, relation_exists

_LOCK = 0x52480043
COLUMNS = (
    "rule_code", "severity", "subject_kind", "subject", "account_id", "window_from", "window_to",
    "measured", "expected", "threshold", "unit", "sentence", "figures", "usage_ids",
)  # fmt: skip
# A late record of long ago does not make a look read all of history.
_LONGEST_DAYS = 35


@dataclass(frozen=True)
class Alert:
    """Something a rule found."""

    rule_code: str
    severity: str
    subject: str
    window_from: datetime
    window_to: datetime
    sentence: str
    usage_ids: tuple[int, ...]
    account_id: int | None = None


@dataclass(frozen=True)
class Scan:
    """What a look came to. ``scan_id`` is None where nothing was kept."""

    scan_id: int | None
    from_at: datetime
    to_at: datetime
    found: int
    new: tuple[Alert, ...]


def scan(
    connection: Any,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    *,
    preview: bool = False,
    actor: str | None = None,
) -> Scan:
    """Look by every rule that is switched on; without times over what came since the last look."""
    with transaction(connection) as cursor:
        require_rules(cursor)
        cursor.execute("select pg_try_advisory_xact_lock(%s)", (_LOCK,))
        if not cursor.fetchone()[0]:
            raise RatehouseError("somebody else is looking for alerts just now; try again")
        begin, end, last_run = _bounds(cursor, from_at, to_at)
        look_at(cursor, begin, end)
        cursor.execute("drop table if exists pg_temp.alerts_found")
        cursor.execute(
            sql.SQL("create temporary table alerts_found on commit drop as {}").format(
                candidates(enabled_rules(cursor))
            )
        )
        cursor.execute("select count(*) from alerts_found")
        found = cursor.fetchone()[0]
        new = _new(cursor)
        if preview:
            return Scan(None, begin, end, found, new)
        cursor.execute(
            "insert into control.alert_scan (from_at, to_at, last_run_id, found_count, new_count, "
            "actor) values (%s, %s, %s, %s, %s, coalesce(%s, session_user)) "
            "returning alert_scan_id",
            (begin, end, last_run, found, len(new), actor),
        )
        scan_id = cursor.fetchone()[0]
        names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        cursor.execute(
            sql.SQL(
                "insert into control.alert (alert_scan_id, parameters, {names}) "
                "select %s, (select to_jsonb(r) from {rules} as r "
                "where r.rule_code = f.rule_code), {found} from alerts_found as f "
                "on conflict on constraint alert_once do nothing"
            ).format(
                names=names,
                rules=build_relation("", "seeds", "alert_rules"),
                found=sql.SQL(", ").join(sql.Identifier("f", name) for name in COLUMNS),
            ),
            (scan_id,),
        )
        return Scan(scan_id, begin, end, found, new)


def require_rules(cursor: Any) -> None:
    """Refuse in words while the rules have not been built."""
    if not relation_exists(cursor, "", "alerts", "alert_traffic_spike"):
        raise RatehouseError("the alert rules are not built yet: start `ratehouse rate` first")


def look_at(cursor: Any, from_at: datetime, to_at: datetime, *, received: bool = False) -> None:
    """Say to the rules' views, for this transaction, which traffic they are about.

    ``received``: files are those received in that time too, else those of the last seven days.
    """
    for name, value in (("alerts_from", from_at), ("alerts_to", to_at)):
        cursor.execute("select set_config(%s, %s, true)", (f"ratehouse.{name}", str(value)))
    if received:
        bounds: tuple[Any, Any] = (from_at, to_at)
    else:
        cursor.execute("select least(%s, now() - interval '7 days'), 'infinity'", (from_at,))
        bounds = cursor.fetchone()
    for name, value in zip(("from", "to"), bounds, strict=True):
        cursor.execute(
            "select set_config(%s, %s, true)", (f"ratehouse.alerts_received_{name}", str(value))
        )


def enabled_rules(cursor: Any) -> list[str]:
    """Rules that are switched on, in their order."""
    cursor.execute(
        sql.SQL("select rule_code from {} where is_enabled order by rule_order").format(
            build_relation("", "seeds", "alert_rules")
        )
    )
    return [code for (code,) in cursor.fetchall()]


def candidates(rules: Sequence[str]) -> sql.Composable:
    """A query over what these rules find."""
    if not rules:
        raise RatehouseError("no alert rule is switched on (seeds/alert_rules.csv)")
    names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    return sql.SQL(" union all ").join(
        sql.SQL("select {} from {}").format(names, build_relation("", "alerts", f"alert_{rule}"))
        for rule in rules
    )


def _bounds(
    cursor: Any, from_at: datetime | None, to_at: datetime | None
) -> tuple[datetime, datetime, int]:
    """From when to when to look, and the last run that is looked at then."""
    cursor.execute("select coalesce(max(last_run_id), 0) from control.alert_scan")
    before = cursor.fetchone()[0]
    cursor.execute(
        "select coalesce(max(rating_run_id), 0), now() from control.rating_run "
        "where status = 'closed' and build_schema = ''"
    )
    last_run, now = cursor.fetchone()
    if from_at is not None or to_at is not None:
        if from_at is None or (to_at is not None and to_at <= from_at):
            raise RatehouseError("say from when, and until when after that")
        # What lies outside has not been looked at: the next look begins where the last one did.
        return from_at, to_at or now, before
    cursor.execute(
        sql.SQL(
            "select greatest(min(t.hour_at), max(t.hour_at) - %s * interval '1 day'), "
            "max(t.hour_at) + interval '1 hour' from {} as t "
            "inner join control.rating_run as r on t.rating_run_id = r.rating_run_id "
            "where r.status = 'closed' and t.rating_run_id > %s"
        ).format(build_relation("", "rating", "traffic_hour")),
        (_LONGEST_DAYS, before),
    )
    begin, end = cursor.fetchone()
    return begin or now, end or now, max(before, last_run)


def _new(cursor: Any) -> tuple[Alert, ...]:
    cursor.execute(
        """
        select f.rule_code, f.severity, f.subject, f.window_from, f.window_to, f.sentence,
            f.usage_ids, f.account_id
        from alerts_found as f
        where not exists (
            select from control.alert as a
            where a.rule_code = f.rule_code and a.subject_kind = f.subject_kind
                and a.subject = f.subject and a.window_from = f.window_from
        )
        order by array_position(array['critical', 'warning', 'information'], f.severity),
            f.window_from, f.rule_code, f.subject
        """
    )
    return tuple(Alert(*row[:6], tuple(row[6]), row[7]) for row in cursor.fetchall())


def as_number(value: Decimal | None) -> str:
    """A measured figure for people."""
    return "" if value is None else f"{value:,.2f}".removesuffix(".00")
