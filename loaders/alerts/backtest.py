"""A rule over history: how often it would have hit, and how often it would have been right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from loaders.alerts.scanning import candidates, look_at, require_rules
from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.runs.schemas import build_relation

# These ask about now, not about a time.
_OF_NOW = frozenset({"source_overdue"})


@dataclass(frozen=True)
class Hit:
    """What the rule would have found."""

    window_from: datetime
    subject: str
    sentence: str
    # Code of the confirmed case it is part of.
    case_code: str | None


@dataclass(frozen=True)
class Backtest:
    """What a rule comes to over a time."""

    rule_code: str
    from_at: datetime
    to_at: datetime
    threshold: Decimal
    minimum: Decimal
    hits: tuple[Hit, ...]
    # Code, account, and whether the rule found it.
    cases: tuple[tuple[str, str, bool], ...]

    @property
    def per_day(self) -> list[tuple[date, int]]:
        """Hits of the days that have any (UTC)."""
        days: dict[date, int] = {}
        for hit in self.hits:
            day = hit.window_from.date()
            days[day] = days.get(day, 0) + 1
        return sorted(days.items())

    @property
    def precision(self) -> Decimal | None:
        """Percent of the hits that are part of a confirmed case."""
        if not self.hits or not self.cases:
            return None
        right = sum(hit.case_code is not None for hit in self.hits)
        return round(Decimal(100 * right) / len(self.hits), 1)

    @property
    def recall(self) -> Decimal | None:
        """Percent of the confirmed cases that the rule found."""
        if not self.cases:
            return None
        return round(Decimal(100 * sum(found for *_, found in self.cases)) / len(self.cases), 1)

    def sentence(self) -> str:
        """The outcome in words."""
        days = max((self.to_at - self.from_at).days, 1)
        text = (
            f"{self.rule_code} (threshold {self.threshold.normalize():f}, minimum "
            f"{self.minimum.normalize():f}) hits {len(self.hits)} times in {days} days"
        )
        if not self.cases:
            return text + "; no confirmed case lies in that time to say how many are right"
        return text + (
            f"; it finds {sum(found for *_, found in self.cases)} of {len(self.cases)} confirmed "
            f"cases (recall {self.recall} %), and {self.precision or 0} % of its hits are part of "
            "one (precision)"
        )


def backtest(
    connection: Any,
    rule_code: str,
    from_at: datetime,
    to_at: datetime,
    *,
    threshold: Decimal | None = None,
    minimum: Decimal | None = None,
) -> Backtest:
    """Run one rule over a past time, with other numbers if given. Keeps nothing."""
    if rule_code in _OF_NOW:
        raise RatehouseError(f"{rule_code} asks what is overdue now; it has no past to test with")
    if from_at >= to_at:
        raise RatehouseError("the time to test begins after it ends")
    rules = build_relation("", "seeds", "alert_rules")
    with transaction(connection) as cursor:
        require_rules(cursor)
        # The rules read their numbers from the seed: changed for this transaction alone.
        cursor.execute(
            sql.SQL(
                "update {} set is_enabled = true, threshold = coalesce(%s, threshold), "
                "minimum = coalesce(%s, minimum) where rule_code = %s "
                "returning threshold, minimum"
            ).format(rules),
            (threshold, minimum, rule_code),
        )
        numbers = cursor.fetchone()
        if numbers is None:
            cursor.execute(sql.SQL("select rule_code from {} order by rule_order").format(rules))
            known = ", ".join(code for (code,) in cursor.fetchall())
            raise RatehouseError(f"there is no rule {rule_code!r}; there are: {known}")
        look_at(cursor, from_at, to_at, received=True)
        cursor.execute(
            sql.SQL(
                "create temporary table alerts_tested on commit drop as "
                "select f.*, c.case_code from ({}) as f left join lateral ("
                "  select c.case_code from reference.confirmed_fraud as c "
                "  inner join reference.account_key as k on c.account_code = k.account_code "
                "  where c.recorded_to = 'infinity' and k.account_id = f.account_id "
                "  and c.valid_from < f.window_to and c.valid_to > f.window_from "
                "  order by c.case_code limit 1"
                ") as c on true where f.window_from < %s"
            ).format(candidates([rule_code])),
            (to_at,),
        )
        cursor.execute(
            "select window_from, subject, sentence, case_code from alerts_tested order by 1, 2"
        )
        hits = tuple(Hit(*row) for row in cursor.fetchall())
        cursor.execute(
            """
            select c.case_code, c.account_code, exists (
                select from alerts_tested as f
                inner join reference.account_key as k on f.account_id = k.account_id
                where k.account_code = c.account_code
                    and c.valid_from < f.window_to and c.valid_to > f.window_from
            )
            from reference.confirmed_fraud as c
            where c.recorded_to = 'infinity' and c.valid_from < %s and c.valid_to > %s
            order by 1
            """,
            (to_at, from_at),
        )
        cases = tuple(cursor.fetchall())
        cursor.connection.rollback()
    return Backtest(rule_code, from_at, to_at, *numbers, hits, cases)
