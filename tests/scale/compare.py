"""What stands in the facts of two warehouses, and whether a plan leaves the facts in place."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass

from loaders.database import connect

FACTS = (
    "rating.rated_usage", "rating.usage_total", "rating.usage_supersession", "rating.rated_charge",
    "rating.charge_total", "rating.charge_supersession", "rating.traffic_hour",
    "billing.draft_invoice", "billing.draft_invoice_line", "billing.allowance_use",
    "billing.allowance_balance",
)  # fmt: skip
_TIMES = "timestamp with time zone"


def checksums(url: str, facts: tuple[str, ...] = FACTS) -> dict[str, tuple[int, int]]:
    """Rows of each fact and the sum of their hashes: each server adds up its own.

    Numbers of files and runs are given out in order: two warehouses that did the same agree.
    """
    found = {}
    with closing(connect(url=url)) as connection, connection, connection.cursor() as cursor:
        for fact in facts:
            cursor.execute(
                "select attname, format_type(atttypid, null) from pg_catalog.pg_attribute "
                "where attrelid = %s::regclass and attnum > 0 and not attisdropped "
                "order by attname",
                (fact,),
            )
            # A time as text depends on the zone of the session, and a worker may have its own.
            content = " || '|' || ".join(
                f"coalesce(({f'extract(epoch from {n})' if kind == _TIMES else n})::text, '~')"
                for n, kind in cursor.fetchall()
            )
            cursor.execute(
                f"select count(*), coalesce(sum(hashtextextended({content}, 7)::numeric), 0) "
                f"from {fact}"
            )
            count, total = cursor.fetchone()
            found[fact] = (int(count), int(total))
    return found


@dataclass(frozen=True)
class Pulled:
    """Rows of a fact that a plan brings to the coordinator before it works on them."""

    fact: str
    line: str


_SUBPLAN = re.compile(r"^\s*->\s+Distributed Subplan")
_SHARD = re.compile(r" on (\w+?)_\d{6,} ")
_ON_COORDINATOR = re.compile(r"Custom Scan \(Citus (?:Adaptive|INSERT \.\.\. SELECT)\)")


def pulled(plan: str, large: tuple[str, ...] = FACTS) -> list[Pulled]:
    """Facts of which `explain` shows rows as intermediate results: a subplan of many tasks that
    does not put its rows together, and insert-selects by way of the coordinator."""
    names = {fact.partition(".")[2] for fact in large}
    found = []
    lines = plan.splitlines()
    for number, line in enumerate(lines):
        if "INSERT/SELECT method: pull to coordinator" in line:
            found.append(Pulled("", line.strip()))
        if not _SUBPLAN.search(line):
            continue
        depth = len(line) - len(line.lstrip())
        block = []
        for below in lines[number + 1 :]:
            if below.strip() and len(below) - len(below.lstrip()) <= depth:
                break
            block.append(below)
        tasks = [int(n) for n in re.findall(r"Task Count: (\d+)", "\n".join(block))]
        if max(tasks, default=0) < 2 or _puts_together("\n".join(block)):
            continue
        for scanned in block:
            shard = _SHARD.search(scanned + " ")
            fact = shard and re.sub(r"_(?:\d{6}|undated)$", "", shard[1])
            if fact in names:
                found.append(Pulled(fact, scanned.strip()))
                break
    return found


def _puts_together(block: str) -> bool:
    """Whether what each server sends is summed, not rows as they are."""
    task = block.partition("-> Task")[2] or block.partition("->  Task")[2]
    nodes = [
        match[1]
        for match in re.finditer(r"->\s+((?:\w+ ?)+)", task)
        if not match[1].startswith(("Gather", "Append", "Sort", "Subquery", "Result", "Unique"))
    ]
    return bool(nodes) and "Aggregate" in nodes[0]
