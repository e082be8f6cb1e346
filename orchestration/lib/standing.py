"""What a run need not build again: nodes that stand as an earlier run left them.

Three parts of the dbt project. `run`: the work tables, the facts, the views that fall with a work
table or name the run in their SQL, and the tests of all that; built every time. `project`: seeds,
and views that follow from the code and the columns of the landing tables. `reference`: lookups and
what reads them, which follow from the reference data too. A complete run leaves a fingerprint of
the last two in control.standing_nodes, and as long as it fits they are left alone.

Tests that read the whole history of a fact belong to no run but to the full proof
(orchestration/lib/prove.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import IntEnum
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaders import database
from orchestration.lib import manifest as parsed
from orchestration.lib import paths
from orchestration.lib.dbt_in_process import Outcome, invoke, macros_of, parsed_project
from orchestration.lib.manifest import Place

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# A model whose SQL comes by one of these changes with the run; by reference_cutoff alone, only
# with the reference data: between two loads every cutoff sees the same rows.
_RUN_MACROS = frozenset({"current_run", "current_invoice_run"})
_CUTOFF_MACRO = "reference_cutoff"

_STATE = """
    select
        md5(coalesce(string_agg(
            concat_ws(
                ' ', wanted.relation, present.oid, present.relfilenode,
                obj_description(present.oid, 'pg_class'), built.definition_hash, built.built_at
            ), ',' order by wanted.relation
        ), '')),
        count(*) = count(present.oid)
    from unnest(%s::text[]) as wanted (relation)
    left join pg_catalog.pg_class as present on to_regclass(wanted.relation) = present.oid
    left join control.built_view as built on wanted.relation = built.relation
"""
_LANDING = """
    select md5(string_agg(
        concat_ws(' ', t.relname, a.attname), ',' order by t.relname, a.attname
    ))
    from pg_catalog.pg_class as t
    inner join pg_catalog.pg_attribute as a on t.oid = a.attrelid
    where t.relnamespace = to_regnamespace('landing') and t.relkind = 'r' and a.attnum > 0
"""
_REFERENCE = """
    select coalesce(max(l.reference_load_id), 0)
    from control.reference_load as l
    where l.recorded_at <= coalesce(
        (
            select r.reference_cutoff from control.rating_run as r
            where r.status = 'running' and r.build_schema = %(build_schema)s
        ), 'infinity'
    )
"""


class Part(IntEnum):
    """The parts of the project, those first that change least."""

    project = 1
    reference = 2
    run = 3


class Parts:
    """Which node belongs to which part."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._made: dict[str, Part] = {}
        self._holds: dict[str, Part] = {}

    def selected(self, tag: str, *, tests: bool) -> dict[str, Part]:
        """Nodes that `tag:<tag>` selects, with the tests of each of them."""
        nodes = {
            key: self.made_of(key)
            for key, node in self._manifest.nodes.items()
            if node.resource_type in ("model", "seed") and tag in node.tags
        }
        if tests:
            nodes |= {
                key: self.tested(key)
                for key, node in self._manifest.nodes.items()
                if node.resource_type == "test"
                and (tag in node.tags or not nodes.keys().isdisjoint(node.depends_on.nodes))
                and not self.reads_history(key)
            }
        return nodes

    def of_history(self) -> list[str]:
        """Tests for the full proof: no run has them, a day must cost the same after years."""
        return sorted(
            key
            for key, node in self._manifest.nodes.items()
            if node.resource_type == "test" and self.reads_history(key)
        )

    def reads_history(self, key: str) -> bool:
        """Whether a test looks at all rows that facts ever had, not only at those of the run."""
        node = self._manifest.nodes[key]
        if "__this_" in str(node.config.where or ""):
            return False
        if (
            not hasattr(node, "test_metadata")
            and self._named_by(macros_of(node.unique_id)) is Part.run
        ):
            return False
        return any(self._has_history(parent) for parent in node.depends_on.nodes)

    def _has_history(self, key: str) -> bool:
        materialized = self._materialized(key)
        if materialized != "view":
            return materialized == "run_fact"
        node = self._manifest.nodes[key]
        if self._named_by(macros_of(node.unique_id)) is Part.run:
            return False
        return any(self._has_history(parent) for parent in node.depends_on.nodes)

    def made_of(self, key: str) -> Part:
        """What a model or seed itself depends on; for a view that is its SQL, not its rows."""
        if key not in self._made:
            self._made[key] = self._find_made_of(key)
        return self._made[key]

    def _find_made_of(self, key: str) -> Part:
        node = self._manifest.nodes.get(key)
        if node is None or node.resource_type == "seed":
            return Part.project
        if node.config.materialized == "reference_lookup":
            return Part.reference
        if node.config.materialized != "view":
            return Part.run
        part = self._named_by(macros_of(node.unique_id))
        for parent in node.depends_on.nodes:
            # Facts are never dropped; a work table and a lookup fall with the views on them.
            if self._materialized(parent) != "run_fact":
                part = max(part, self.made_of(parent))
        return part

    def tested(self, key: str) -> Part:
        """What the rows that a test looks at depend on."""
        node = self._manifest.nodes[key]
        if not node.depends_on.nodes:
            return Part.run
        return max(self._rows_of(parent) for parent in node.depends_on.nodes)

    def _rows_of(self, key: str) -> Part:
        if key not in self._holds:
            self._holds[key] = self._find_rows_of(key)
        return self._holds[key]

    def _find_rows_of(self, key: str) -> Part:
        source = self._manifest.sources.get(key)
        if source is not None:
            return Part.reference if source.source_name == "reference" else Part.run
        part = self.made_of(key)
        if self._materialized(key) == "view":
            for parent in self._manifest.nodes[key].depends_on.nodes:
                part = max(part, self._rows_of(parent))
        return part

    def _materialized(self, key: str) -> str:
        node = self._manifest.nodes.get(key)
        return "source" if node is None else node.config.materialized

    def _named_by(self, macros: Iterable[str]) -> Part:
        """What of a run the SQL of these macros may name."""
        part = Part.project
        waiting, seen = list(macros), set(macros)
        while waiting:
            key = waiting.pop()
            name = key.rpartition(".")[2]
            if name in _RUN_MACROS:
                return Part.run
            if name == _CUTOFF_MACRO:
                part = Part.reference
                continue
            macro = self._manifest.macros.get(key)
            called = set(macro.depends_on.macros) - seen if macro is not None else set()
            waiting += called
            seen |= called
        return part


@dataclass(frozen=True)
class Plan:
    """What one run has to build, and what it may say about the rest when it is done."""

    url: str
    place: Place
    tag: str
    tests: bool
    parts: Mapping[str, Part]
    standing: frozenset[Part]
    # Schema and name of the relations of each part that may stand.
    relations: Mapping[Part, Sequence[str]]
    code: Sequence[str]

    def build(
        self,
        environment: Mapping[str, str],
        target_folder: Path,
        *,
        threads: int | None = None,
        **settings: Any,
    ) -> Outcome:
        """Build it; if nothing failed, the next run may leave alone what stands then."""
        arguments = [*self.arguments, *(["--threads", str(threads)] if threads else [])]
        outcome = invoke(arguments, self.url, self.place, environment, target_folder, **settings)
        if outcome.succeeded:
            self._remember()
        return outcome

    def describe(self) -> str:
        """One line for whoever is watching."""
        standing = sum(part in self.standing for part in self.parts.values())
        return f"dbt: {len(self.parts) - standing} steps to do, {standing} stand as they are"

    @property
    def arguments(self) -> list[str]:
        """`dbt build` of exactly the nodes that are needed."""
        names = sorted(
            key.split(".")[2] for key, part in self.parts.items() if part not in self.standing
        )
        # Unit tests test the code, not the data of a run.
        return [
            "build", "--indirect-selection", "empty", "--exclude-resource-type", "unit_test",
            "--select", *names,
        ]  # fmt: skip

    def _remember(self) -> None:
        # What stands tested stands for those who leave the tests out, too.
        selections = {_selection(self.tag, self.tests), _selection(self.tag, False)}
        with closing(database.connect(url=self.url)) as connection, connection:
            found = _fingerprints(connection, self.place, self.relations, self.code)
            with connection.cursor() as cursor:
                for part, selection in product(found.keys() - self.standing, selections):
                    cursor.execute(
                        "insert into control.standing_nodes as s "
                        "(build_schema, selection, part, fingerprint) values (%s, %s, %s, %s) "
                        "on conflict (build_schema, selection, part) do update "
                        "set fingerprint = excluded.fingerprint, found_at = clock_timestamp()",
                        (self.place.build_schema, selection, part.name, found[part]),
                    )


def plan(url: str, tag: str, *, build_schema: str = "", tests: bool = True) -> Plan:
    """What a run of this selection has to build now."""
    place = Place.of(url, build_schema)
    manifest, code = parsed_project(), _code()
    if place.target_name.startswith("citus"):
        # What stands on one server is built, and placed, again when it becomes a cluster.
        code = (*code, "citus")
    parts = Parts(manifest).selected(tag, tests=tests)
    relations: dict[Part, list[str]] = {Part.project: [], Part.reference: []}
    for key, part in sorted(parts.items()):
        node = manifest.nodes[key]
        if part in relations and node.resource_type != "test":
            relations[part].append(f'"{place.schema(node.config.schema)}"."{node.alias}"')
    with closing(database.connect(url=url)) as connection, connection:
        found = _fingerprints(connection, place, relations, code)
        with connection.cursor() as cursor:
            cursor.execute(
                "select part, fingerprint from control.standing_nodes "
                "where build_schema = %s and selection = %s",
                (place.build_schema, _selection(tag, tests)),
            )
            known = dict(cursor.fetchall())
    standing = {part for part in found if known.get(part.name) == found[part]}
    if Part.project not in standing:
        # Lookups are remade when any of their code changed, and views on them with them.
        standing.clear()
    return Plan(url, place, tag, tests, parts, frozenset(standing), relations, code)


def _selection(tag: str, tests: bool) -> str:
    return f"tag:{tag}" if tests else f"tag:{tag} without tests"


def _fingerprints(
    connection: Any,
    place: Place,
    relations: Mapping[Part, Sequence[str]],
    code: Sequence[str],
) -> dict[Part, str]:
    """Of each part that may stand, unless something of it is missing."""
    with connection.cursor() as cursor:
        made_from = {
            Part.project: (*code, _value(cursor, _LANDING)),
            Part.reference: (_value(cursor, _REFERENCE, {"build_schema": place.build_schema}),),
        }
        found = {}
        for part, names in relations.items():
            cursor.execute(_STATE, (list(names),))
            state, is_complete = cursor.fetchone()
            if is_complete:
                found[part] = _hash((*made_from[part], state))
    return found


def _code() -> Sequence[str]:
    return (
        parsed.fingerprint(paths.dbt_project_folder()),
        *(metadata.version(package) for package in ("dbt-core", "dbt-adapters", "dbt-postgres")),
    )


def _value(cursor: Any, query: str, values: Mapping[str, Any] | None = None) -> str:
    cursor.execute(query, values)
    return str(cursor.fetchone()[0])


def _hash(words: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
