"""The rules that let the facts be spread over several servers, looked for in compiled SQL.

Rules 1 to 6 are those of docs/scale.md. The SQL is read with sqlglot; what a view or a common table
expression carries is worked out from what it selects from: rows of facts with their account_id
(SPREAD), sums over accounts (MERGED), or nothing of any fact (LOCAL).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import sqlglot
from sqlglot import exp

KEY = "account_id"
_CONTRACT_KEYS = ("primary_key", "unique", "foreign_key")
_OUTSIDE_MATERIALIZATIONS = re.compile(
    r"\b(create\s+(?:unlogged\s+|temporary\s+|temp\s+)?table\b(?:(?!;).)*?\bas\b|select\s+.+\binto\s+"
    r"(?:unlogged|temp|table))",
    re.IGNORECASE | re.DOTALL,
)
_ON_COORDINATOR = re.compile(
    r"\b(nextval|setval|currval|pg_(?:try_)?advisory_\w+)\s*\(", re.IGNORECASE
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_TRIGGER = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\s+\S+(?:(?!;).)*?\bon\s+([\w.\"]+)",
    re.IGNORECASE | re.DOTALL,
)


class Holds(Enum):
    """What the rows of a relation are made of."""

    LOCAL = "local"
    SPREAD = "spread"
    MERGED = "merged"


@dataclass(frozen=True)
class Carried:
    """What a relation carries, and in which of its columns the account stands."""

    holds: Holds
    accounts: frozenset[str] = frozenset()
    # Positions of those columns, for unions.
    places: tuple[bool, ...] = ()


LOCAL = Carried(Holds.LOCAL)
MERGED = Carried(Holds.MERGED)


@dataclass(frozen=True)
class Violation:
    """One breach of one rule."""

    rule: int
    node: str
    what: str

    def __str__(self) -> str:
        return f"rule {self.rule}, {self.node}: {self.what}"


@dataclass
class Node:
    """What the rules need to know of a dbt model, test or seed."""

    name: str
    kind: str  # model, test, seed
    materialized: str
    # Compiled, and as it is written.
    sql: str = ""
    raw: str = ""
    schema: str = ""
    distribution: str = ""
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    constraints: Sequence[Mapping[str, Any]] = ()
    indexes: Sequence[Mapping[str, Any]] = ()
    # Combinations of columns that a test says to be unique.
    unique_keys: Sequence[Sequence[str]] = ()
    parents: frozenset[str] = frozenset()

    # Part of the way to a fact: a model that a fact, a work table or a view between them reads.
    # Reports may put rows of accounts together: each server sums its own, the coordinator the sums.
    feeds_a_fact: bool = False

    @property
    def is_fact(self) -> bool:
        return self.materialized == "run_fact"


def check(nodes: Iterable[Node], migrations: Mapping[str, str] | None = None) -> list[Violation]:
    """Every breach in these nodes, and in migrations given as name -> SQL."""
    by_name = {node.name: node for node in nodes}
    return [
        *(v for node in by_name.values() for v in _words(node)),
        *(v for node in by_name.values() for v in _settings(node)),
        *_statements(by_name),
        *_order(by_name),
        *_triggers(by_name, migrations or {}),
    ]


# -- settings: rules 1, 2, 3 ----------------------------------------------------------------------


def _settings(node: Node) -> Iterable[Violation]:
    if node.kind == "test":
        return
    if not node.is_fact:
        if node.materialized == "view":
            return
        wanted = "reference" if node.materialized in ("reference_lookup", "seed") else "local"
        if node.distribution != wanted:
            rule = 3 if wanted == "reference" else 5
            yield Violation(
                rule, node.name, f"placed as {node.distribution or 'nothing'}, not as {wanted}"
            )
        return
    if node.distribution != KEY:
        yield Violation(1, node.name, f"a fact that is not distributed by {KEY}")
    column = node.columns.get(KEY)
    if column is None or column.get("data_type") != "bigint":
        yield Violation(1, node.name, f"{KEY} is not declared as bigint")
    elif not any(c.get("type") == "not_null" for c in column.get("constraints", ())):
        yield Violation(1, node.name, f"{KEY} may be null")
    for name, described in node.columns.items():
        for constraint in described.get("constraints", ()):
            if constraint.get("type") == "foreign_key":
                yield Violation(3, node.name, f"a foreign key on {name}")
            elif constraint.get("type") in _CONTRACT_KEYS and name != KEY:
                yield Violation(2, node.name, f"{name} alone is a key")
    for constraint in node.constraints:
        if constraint.get("type") == "foreign_key":
            yield Violation(3, node.name, "a foreign key")
        elif constraint.get("type") in _CONTRACT_KEYS and KEY not in constraint.get("columns", ()):
            yield Violation(2, node.name, f"a key without {KEY}: {constraint.get('columns')}")
    for index in node.indexes:
        if index.get("unique") and KEY not in index["columns"]:
            yield Violation(2, node.name, f"a unique index without {KEY}: {index['columns']}")
    for key in node.unique_keys:
        if KEY not in key:
            yield Violation(2, node.name, f"unique across accounts: {', '.join(key)}")


def _words(node: Node) -> Iterable[Violation]:
    text = _COMMENT.sub("", node.sql or node.raw)
    if _OUTSIDE_MATERIALIZATIONS.search(text):
        yield Violation(5, node.name, "makes a table outside a materialization")
    if _ON_COORDINATOR.search(text):
        yield Violation(5, node.name, "takes numbers or locks")


# -- the order of writing and reading: rule 6 -----------------------------------------------------


def _order(nodes: Mapping[str, Node]) -> Iterable[Violation]:
    above: dict[str, frozenset[str]] = {}

    def ancestors(name: str) -> frozenset[str]:
        if name not in above:
            above[name] = frozenset()
            parents = nodes[name].parents & nodes.keys()
            above[name] = parents.union(*(ancestors(parent) for parent in parents))
        return above[name]

    facts = {f"{n.schema}.{n.name}": n.name for n in nodes.values() if n.is_fact}
    for node in nodes.values():
        for relation in _relations(node.sql):
            fact = facts.get(relation)
            if fact is None or fact == node.name:
                continue
            if fact not in ancestors(node.name) and node.name not in ancestors(fact):
                yield Violation(
                    6, node.name, f"reads {fact}, which may be written at the same time"
                )


def _relations(sql: str) -> set[str]:
    return {f"{a}.{b}" for a, b in re.findall(r'"(\w+)"\."(\w+)"(?!\.)', sql)}


# -- triggers: rule 4 -----------------------------------------------------------------------------


def _triggers(nodes: Mapping[str, Node], migrations: Mapping[str, str]) -> Iterable[Violation]:
    facts = {f"{n.schema}.{n.name}" for n in nodes.values() if n.is_fact}
    for name, sql in migrations.items():
        for table in _TRIGGER.findall(sql):
            if table.replace('"', "") in facts:
                yield Violation(4, name, f"a trigger on the fact {table}")


# -- statements: rules 2, 4, 5 --------------------------------------------------------------------


def _statements(nodes: Mapping[str, Node]) -> list[Violation]:
    found: list[Violation] = []
    carried: dict[str, Carried] = {}
    by_relation = {f"{n.schema}.{n.name}": n for n in nodes.values() if n.kind != "test"}

    def of(relation: str) -> Carried:
        node = by_relation.get(relation)
        if node is None:
            return LOCAL
        if node.name not in carried:
            carried[node.name] = LOCAL
            result = read(node)
            if node.is_fact:
                result = Carried(
                    Holds.SPREAD, frozenset({KEY}), tuple(name == KEY for name in node.columns)
                )
            elif node.materialized != "view":
                result = LOCAL
            carried[node.name] = result
        return carried[node.name]

    def read(node: Node) -> Carried:
        if not node.sql.strip():
            return LOCAL
        tree = sqlglot.parse_one(node.sql, read="postgres")
        reader = _Reader(node, of)
        result = reader.query(tree, {}, {})
        found.extend(reader.found)
        return result

    for node in nodes.values():
        if node.kind == "test":
            read(node)
        else:
            of(f"{node.schema}.{node.name}")
    return found


class _Reader:
    """Walks through one statement."""

    def __init__(self, node: Node, of: Any) -> None:
        self._node = node.name
        self._is_report = not (node.is_fact or node.feeds_a_fact)
        self._of = of
        self.found: list[Violation] = []

    def _say(self, rule: int, what: str) -> None:
        violation = Violation(rule, self._node, what)
        if violation not in self.found:
            self.found.append(violation)

    def query(
        self, tree: exp.Expression, named: Mapping[str, Carried], outer: Mapping[str, Carried]
    ) -> Carried:
        """What a select, or several in a union, carries."""
        named = self._named(tree, named)
        if isinstance(tree, exp.Subquery):
            return self.query(tree.this, named, outer)
        if isinstance(tree, exp.SetOperation):
            return self._union(tree, named, outer)
        if isinstance(tree, exp.Select):
            return self._select(tree, named, outer)
        return LOCAL

    def _named(self, tree: exp.Expression, named: Mapping[str, Carried]) -> Mapping[str, Carried]:
        clause = tree.args.get("with_") or tree.args.get("with")
        if clause is None:
            return named
        named = dict(named)
        uses = Counter(table.name for table in tree.find_all(exp.Table) if not table.args.get("db"))
        for cte in clause.expressions:
            if clause.args.get("recursive"):
                named[cte.alias] = LOCAL
            carried = self.query(cte.this, named, {})
            named[cte.alias] = carried
            if carried.holds is not Holds.SPREAD:
                continue
            if clause.args.get("recursive"):
                self._say(4, f"the recursive {cte.alias} reads a fact")
            if uses[cte.alias] > 1:
                self._say(
                    4, f"{cte.alias} holds rows of a fact and is used {uses[cte.alias]} times"
                )
        return named

    def _union(
        self, tree: exp.SetOperation, named: Mapping[str, Carried], outer: Mapping[str, Carried]
    ) -> Carried:
        sides = [self.query(side, named, outer) for side in (tree.this, tree.expression)]
        spread = [side for side in sides if side.holds is Holds.SPREAD]
        if not spread:
            return next((s for s in sides if s.holds is Holds.MERGED), LOCAL)
        if len(spread) == 2:
            places = tuple(map(all, zip(*(side.places for side in sides), strict=False)))
            if any(places):
                return Carried(Holds.SPREAD, sides[0].accounts & sides[1].accounts, places)
        return MERGED

    def _select(
        self, tree: exp.Select, named: Mapping[str, Carried], outer: Mapping[str, Carried]
    ) -> Carried:
        sources = self._sources(tree, named, outer)
        spread = {alias: c for alias, c in sources.items() if c.holds is Holds.SPREAD}
        conditions = [join.args.get("on") for join in tree.args.get("joins") or ()]
        conditions.append(tree.args["where"].this if tree.args.get("where") else None)
        equal = _equalities(conditions, tree)
        if len(spread) > 1:
            apart = _apart(spread, equal)
            if apart:
                self._say(2, f"{' and '.join(sorted(apart))} are joined without {KEY}")
        self._subqueries(tree, named, {**outer, **sources}, spread)
        if not spread:
            merged = any(c.holds is Holds.MERGED for c in sources.values())
            return MERGED if merged else LOCAL
        if tree.args.get("locks"):
            self._say(4, "locks rows of a fact")
        for window in () if self._is_report else tree.find_all(exp.Window):
            if window.find_ancestor(exp.Select) is tree and not any(
                _is_account(c, spread)
                for p in window.args.get("partition_by") or ()
                for c in p.find_all(exp.Column)
            ):
                self._say(2, f"a window over a fact without {KEY} in partition by")
        return self._output(tree, spread)

    def _output(self, tree: exp.Select, spread: Mapping[str, Carried]) -> Carried:
        group = tree.args.get("group")
        if group is not None and group.find(exp.Rollup, exp.Cube, exp.GroupingSets):
            self._say(4, "rollup, cube or grouping sets over a fact")
        columns = [c for e in tree.expressions for c in self._columns(e, spread)]
        is_grouped = group is not None or _aggregates(tree)
        if is_grouped or tree.args.get("distinct"):
            keys = group.expressions if group is not None else []
            if tree.args.get("distinct") and not is_grouped:
                keys = tree.expressions
            keys = [
                tree.expressions[int(k.name) - 1] if isinstance(k, exp.Literal) else k for k in keys
            ]
            if not any(_is_account(_bare(k), spread) for k in keys):
                if self._is_report:
                    return MERGED
                where = "" if group is None else " by " + ", ".join(k.sql() for k in keys)[:80]
                self._say(2, f"rows of a fact are put together across accounts{where}")
                return MERGED
        if tree.args.get("limit") or tree.args.get("offset"):
            return MERGED
        return Carried(
            Holds.SPREAD,
            frozenset(name for name, is_account in columns if is_account),
            tuple(is_account for _, is_account in columns),
        )

    def _columns(
        self, item: exp.Expression, spread: Mapping[str, Carried]
    ) -> list[tuple[str, bool]]:
        bare = _bare(item)
        if isinstance(bare, exp.Star) or (
            isinstance(bare, exp.Column) and isinstance(bare.this, exp.Star)
        ):
            table = bare.table if isinstance(bare, exp.Column) else ""
            wanted = [c for alias, c in spread.items() if table in ("", alias)]
            return [(name, True) for c in wanted for name in c.accounts] or [("*", False)]
        return [(item.alias_or_name, _is_account(bare, spread))]

    def _sources(
        self, tree: exp.Select, named: Mapping[str, Carried], outer: Mapping[str, Carried]
    ) -> dict[str, Carried]:
        sources: dict[str, Carried] = {}
        clause = tree.args.get("from_") or tree.args.get("from")
        items = [clause.this] if clause is not None else []
        items += [join.this for join in tree.args.get("joins") or ()]
        for item in items:
            lateral = isinstance(item, exp.Lateral)
            inner = item.this if lateral else item
            if isinstance(inner, exp.Table):
                if inner.args.get("db"):
                    carried = self._of(f"{inner.db}.{inner.name}")
                else:
                    carried = named.get(inner.name, LOCAL)
            elif isinstance(inner, (exp.Subquery, exp.Query)):
                carried = self.query(inner, named, {**outer, **sources} if lateral else outer)
            else:
                carried = LOCAL
            sources[item.alias_or_name] = carried
        return sources

    def _subqueries(
        self,
        tree: exp.Select,
        named: Mapping[str, Carried],
        visible: Mapping[str, Carried],
        spread: Mapping[str, Carried],
    ) -> None:
        """Subqueries outside `from`: over a fact, they hang on the account of a fact outside."""
        for inner in tree.find_all(exp.Select, exp.SetOperation):
            if inner is tree or inner.find_ancestor(exp.Select) is not tree:
                continue
            if isinstance(inner.parent, exp.SetOperation) or _in_from(inner, tree):
                continue
            carried = self.query(inner, named, visible)
            if carried.holds is not Holds.SPREAD or not isinstance(inner, exp.Select):
                continue
            within = {
                a: c
                for a, c in self._sources(inner, named, visible).items()
                if c.holds is Holds.SPREAD
            }
            where = inner.args.get("where")
            pairs = _equalities([where.this if where else None], inner)
            if not any(
                (_in(one, within) and _in(other, spread))
                or (_in(other, within) and _in(one, spread))
                for one, other in pairs
            ):
                self._say(2, f"a subquery over {', '.join(sorted(within))} without {KEY}")


def _in_from(inner: exp.Expression, tree: exp.Select) -> bool:
    node = inner
    while node.parent is not None and node.parent is not tree:
        node = node.parent
        if isinstance(node, (exp.From, exp.Join, exp.With)):
            if isinstance(node, exp.Join) and node.args.get("on") is not None:
                inside = inner
                while inside.parent is not node:
                    inside = inside.parent
                return inside is not node.args["on"]
            return True
    return False


def _bare(item: exp.Expression) -> exp.Expression:
    while isinstance(item, (exp.Alias, exp.Cast, exp.Paren)):
        item = item.this
    return item


def _is_account(item: exp.Expression, spread: Mapping[str, Carried]) -> bool:
    item = _bare(item)
    if not isinstance(item, exp.Column):
        return False
    if item.table:
        return item.table in spread and item.name in spread[item.table].accounts
    return any(item.name in carried.accounts for carried in spread.values())


def _in(column: exp.Column, spread: Mapping[str, Carried]) -> bool:
    return column.table in spread and column.name in spread[column.table].accounts


def _equalities(
    conditions: Iterable[exp.Expression | None], tree: exp.Select
) -> list[tuple[exp.Column, exp.Column]]:
    """Pairs of columns that must be equal, wherever it stands in a conjunction."""
    pairs = []
    for condition in conditions:
        for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            part = _bare(part) if part is not None else None
            if isinstance(part, exp.EQ):
                one, other = _bare(part.this), _bare(part.expression)
                if isinstance(one, exp.Column) and isinstance(other, exp.Column):
                    pairs.append((one, other))
    aliases: list[str] = []
    clause = tree.args.get("from_") or tree.args.get("from")
    if clause is not None:
        aliases.append(clause.this.alias_or_name)
    for join in tree.args.get("joins") or ():
        for name in join.args.get("using") or ():
            for alias in aliases:
                pairs.append(
                    (
                        exp.column(name.name, table=alias),
                        exp.column(name.name, table=join.this.alias_or_name),
                    )
                )
        aliases.append(join.this.alias_or_name)
    return pairs


def _apart(
    spread: Mapping[str, Carried], equal: Iterable[tuple[exp.Column, exp.Column]]
) -> set[str]:
    """Facts that no chain of equal accounts connects with the first one."""
    waiting = [
        (one.table, other.table) for one, other in equal if _in(one, spread) and _in(other, spread)
    ]
    first, *_ = spread
    reached = {first}
    while True:
        more = {b for a, b in waiting if a in reached} | {a for a, b in waiting if b in reached}
        if more <= reached:
            break
        reached |= more
    rest = set(spread) - reached
    return rest | {first} if rest else set()


def _aggregates(tree: exp.Select) -> bool:
    for item in tree.expressions:
        for function in item.find_all(exp.AggFunc):
            if (
                function.find_ancestor(exp.Select) is tree
                and function.find_ancestor(exp.Window) is None
            ):
                return True
    return False
