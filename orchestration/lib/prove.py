"""The full proof: all that runs check of their own rows, worked out again from the whole history.

Tests of a run look at that run alone, so that a day costs the same after years. What they cannot
see, somebody who changed old rows past the guards or a total that drifted, is looked for here, at
night or whenever it is asked for. Nothing is changed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from loaders import database, partitions
from loaders.runs import locks, refresh
from loaders.runs.schemas import relation_exists
from orchestration.lib import paths, traffic
from orchestration.lib.dbt_in_process import invoke, parsed_project
from orchestration.lib.manifest import Place
from orchestration.lib.standing import Parts

COLUMNS = ("what", "looked at", "wrong", "outcome", "seconds")
_SHOWN = 5
_TESTS = "data tests of the whole history"


@dataclass(frozen=True)
class Found:
    """What one proof looked at, and the first of what it found wrong."""

    looked_at: int
    wrong: int
    words: str = ""


@dataclass(frozen=True)
class Proof:
    """One proof, with how long it took."""

    what: str
    found: Found
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.found.wrong == 0

    @property
    def outcome(self) -> str:
        """In words."""
        said = "holds" if self.holds else "DOES NOT HOLD"
        return f"{said}: {self.found.words}" if self.found.words else said


def rows(proofs: list[Proof]) -> list[tuple[Any, ...]]:
    """For a table."""
    return [
        (p.what, p.found.looked_at, p.found.wrong, p.outcome, round(p.seconds, 1)) for p in proofs
    ]


def prove_warehouse(say: Callable[[str], None] = lambda _: None) -> list[Proof]:
    """Prove the warehouse of this installation."""
    url = database.ensure_database()
    with closing(database.connect(url=url)) as connection:
        proofs = prove(connection, say, alone=paths.dbt_target_name().startswith("citus"))
    say(_TESTS)
    return [*proofs, run_tests(url)]


def run_tests(url: str) -> Proof:
    """The data tests that look at the whole history, which no run has."""
    begun = time.monotonic()
    names = [key.split(".")[2] for key in Parts(parsed_project()).of_history()]
    paths.dbt_runs_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.dbt_runs_folder()) as folder:
        outcome = invoke(
            ["test", "--indirect-selection", "empty", "--select", *names],
            url, Place.of(url), {}, Path(folder),
        )  # fmt: skip
    wrong = [r["unique_id"].split(".")[2] for r in outcome.results if r["status"] != "pass"]
    if not (outcome.succeeded or wrong):
        wrong = [" ".join(outcome.said) or "dbt gave no reason"]
    found = Found(len(outcome.results), len(wrong), ", ".join(wrong[:_SHOWN]))
    return Proof(_TESTS, found, time.monotonic() - begun)


def prove(
    connection: Any, say: Callable[[str], None] = lambda _: None, *, alone: bool = False
) -> list[Proof]:
    """Every proof, each on one view of the data.

    ``alone``: no run may be at work. On a cluster a reader can see half of what a run commits.
    """
    is_own = alone and locks.take_lock(connection, "")
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
    try:
        with connection, connection.cursor() as cursor:
            standing = {
                what: question
                for what, (needed, question) in _PROOFS.items()
                if all(relation_exists(cursor, "", *name.split(".")) for name in needed)
            }
        proofs = []
        for what, question in standing.items():
            say(what)
            begun = time.monotonic()
            proofs.append(Proof(what, question(connection), time.monotonic() - begun))
        return proofs
    finally:
        connection.rollback()
        connection.set_session(isolation_level="DEFAULT")
        if is_own:
            locks.release_lock(connection, "")


def _counted(query: str) -> Callable[[Any], Found]:
    """A proof by a query that gives: what it is, and whether it is right; null for one of many."""

    def question(connection: Any) -> Found:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select count(*), count(*) filter (where not coalesce(is_right, false)), "
                f"(array_agg(what) filter (where not coalesce(is_right, false)))[1:{_SHOWN}] "
                f"from (\n{query}\n) as q (what, is_right)"
            )
            looked_at, wrong, which = cursor.fetchone()
            return Found(looked_at, wrong, ", ".join(which or ()))

    return question


def _landed(connection: Any) -> Found:
    """Lines as they stand in landing, against what the registry of files says."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select c.relname from pg_catalog.pg_class as c where c.relkind = 'r' "
            "and c.relnamespace = 'landing'::regnamespace "
            "and c.relname not in ('non_data_line', 'quarantine') order by 1"
        )
        union = " union all ".join(
            f'select file_id, count(*) as n from landing."{name}" group by 1'
            for (name,) in cursor.fetchall()
        )
    return _counted(
        "select 'file ' || f.file_id, "
        "f.data_count = coalesce(l.n, 0) and f.non_data_count = coalesce(d.n, 0) "
        "and f.quarantined_count = coalesce(q.n, 0) from control.file as f left join "
        f"(select file_id, sum(n) as n from ({union}) as u group by 1) as l using (file_id) "
        "left join (select file_id, count(*) as n from landing.non_data_line group by 1) as d "
        "using (file_id) left join (select file_id, count(*) as n from landing.quarantine "
        "group by 1) as q using (file_id) where f.status in ('landed', 'withdrawn')"
    )(connection)


def _totals(connection: Any) -> Found:
    """Totals and balances from the facts. Months in an archive have no facts to compare with."""
    away = {f"{p:%Y-%m}" for a in partitions.archived_months(connection) for p in a.periods}
    with connection, connection.cursor() as cursor:
        found = refresh.refresh(cursor)
    wrong = [row for row in found.differences if row[2] not in away]
    # What is unbilled is worked out from all months: with some away there is nothing to say.
    balances = [] if away else [row for row in found.balances if row[-2] != row[-1]]
    words = [f"{row[0]} of {row[1]} in {row[2]}" for row in wrong]
    words += [f"balance of {row[0]}" for row in balances]
    if away:
        words.append(f"balances, and periods {', '.join(sorted(away))}, not: months are archived")
    return Found(
        found.group_count + (0 if away else len(found.balances)),
        len(wrong) + len(balances),
        "; ".join(words[-_SHOWN:]),
    )


def _traffic(connection: Any) -> Found:
    found = traffic.compare(connection)
    hours = sorted({f"{row[1]:%Y-%m-%d %H:00}" for row in found.differences})
    return Found(found.rows, len(found.differences), ", ".join(hours[:_SHOWN]))


_ONCE = "select {0}::text, count(*) = 1 from rating.{1} group by account_id, {0}"

_PROOFS: dict[str, tuple[tuple[str, ...], Callable[[Any], Found]]] = {
    "lines in landing are those of the files": ((), _landed),
    "every file adds up": (
        ("marts.rpt_reconciliation__file",),
        _counted("select 'file ' || file_id, is_balanced from marts.rpt_reconciliation__file"),
    ),
    "every closed run adds up": (
        ("marts.rpt_reconciliation__run",),
        _counted(
            "select 'run ' || rating_run_id, is_balanced from marts.rpt_reconciliation__run "
            "where status = 'closed'"
        ),
    ),
    "each leg counts once": (
        ("rating.current_rated_usage",),
        _counted(_ONCE.format("usage_id", "current_rated_usage")),
    ),
    "each charge counts once": (
        ("rating.current_rated_charge",),
        _counted(_ONCE.format("charge_id", "current_rated_charge")),
    ),
    "totals and balances are those of the facts": (("rating.charge_total",), _totals),
    "traffic by hour is that of the facts": (("rating.rebuilt_traffic_hour",), _traffic),
    "every draft is the sum of its lines": (
        ("billing.draft_invoice",),
        _counted(
            "select concat_ws(' ', 'run', i.invoice_run_id, l.invoice_run_id, 'account', "
            "i.account_id, l.account_id), i.invoice_total = l.total and i.line_count = l.lines "
            "from billing.draft_invoice as i full join "
            "(select invoice_run_id, account_id, currency_code, sum(line_amount) as total, "
            "count(*) as lines from billing.draft_invoice_line group by 1, 2, 3) as l "
            "using (invoice_run_id, account_id, currency_code)"
        ),
    ),
    "every posted invoice is the sum of its lines": (
        ("ledger.invoice",),
        _counted(
            "select coalesce(i.invoice_label, 'invoice ' || l.invoice_id), "
            "i.invoice_total = l.total and i.line_count = l.lines from ledger.invoice as i "
            "full join (select account_id, invoice_id, sum(line_amount) as total, "
            "count(*) as lines from ledger.invoice_line group by 1, 2) as l "
            "on i.account_id = l.account_id and i.invoice_id = l.invoice_id"
        ),
    ),
    "every posting is in the ledger": (
        ("ledger.posting",),
        _counted(
            "select 'posting ' || p.posting_id, p.invoice_count = coalesce(i.n, 0) "
            "and p.line_count = coalesce(i.lines, 0) from ledger.posting as p left join "
            "(select posting_id, count(*) as n, sum(line_count) as lines from ledger.invoice "
            "group by 1) as i using (posting_id)"
        ),
    ),
    "invoice numbers have no gap": (
        ("ledger.issued_number",),
        _counted(
            "select 'range ' || s.sequence_code, s.last_number = coalesce(n.n, 0) "
            "and s.last_number = coalesce(n.largest, 0) from ledger.number_sequence as s left join "
            "(select sequence_code, count(*) as n, max(invoice_number) as largest "
            "from ledger.issued_number group by 1) as n using (sequence_code)"
        ),
    ),
}
