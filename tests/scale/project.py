"""The dbt project as tests/scale/rules.py looks at it: compiled for the target citus."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from loaders.settings import project_root
from orchestration.lib import dbt_in_process
from orchestration.lib.manifest import Place
from tests.scale.rules import Node

_UNIQUE_TESTS = ("unique", "unique_combination")
# Facts, what reads them, and the layers they are made in: nothing else can hold rows of a fact.
_COMPILED = [
    "resource_type:test",
    "config.materialized:run_fact+,resource_type:model",
    *(
        f"fqn:ratehouse.{layer},resource_type:model"
        for layer in ("usage", "charge", "rating", "billing")
    ),
]


class DoesNotCompile(Exception):
    """dbt could not compile the project for the target citus."""


def compiled(url: str, target: str = "citus") -> list[Node]:
    """Every model, seed and data test, compiled against the database of a URL."""
    place = Place.of(url, target=target)
    with tempfile.TemporaryDirectory() as folder:
        done = dbt_in_process.invoke(
            ["compile", "--threads", "2", "--select", *_COMPILED],
            url, place, {}, Path(folder),
        )  # fmt: skip
    if not done.succeeded:
        raise DoesNotCompile(done.describe_failure())
    return nodes_of(dbt_in_process.manifest_for(place))


def nodes_of(manifest: Any) -> list[Node]:
    """The nodes of a compiled manifest."""
    unique: dict[str, list[list[str]]] = {}
    for test in manifest.nodes.values():
        named = getattr(test, "test_metadata", None)
        if test.resource_type == "test" and named and named.name in _UNIQUE_TESTS:
            columns = named.kwargs.get("columns") or [test.column_name]
            unique.setdefault(test.attached_node or "", []).append(list(columns))
    names = {key: node.name for key, node in manifest.nodes.items()}
    feeding = _feeding(manifest)
    return [
        Node(
            name=node.name,
            kind=str(node.resource_type),
            materialized=str(node.config.materialized),
            sql=getattr(node, "compiled_code", None) or "",
            raw=getattr(node, "raw_code", ""),
            schema=node.schema,
            distribution=node.config.meta.get("distribution", "local"),
            columns={
                name: {
                    "data_type": column.data_type,
                    "constraints": [c.to_dict() for c in column.constraints],
                }
                for name, column in node.columns.items()
            },
            constraints=[c.to_dict() for c in getattr(node, "constraints", ())],
            indexes=node.config.get("indexes") or (),
            feeds_a_fact=key in feeding,
            unique_keys=unique.get(key, ()),
            parents=frozenset(names[parent] for parent in node.depends_on.nodes if parent in names)
            if hasattr(node.depends_on, "nodes")
            else frozenset(),
        )
        for key, node in manifest.nodes.items()
        if str(node.resource_type) in ("model", "seed", "test")
    ]


def _feeding(manifest: Any) -> set[str]:
    """Nodes on the way to a fact or a work table."""
    waiting = [
        key
        for key, node in manifest.nodes.items()
        if node.config.materialized in ("run_fact", "work_table")
    ]
    found: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key in manifest.nodes and key not in found:
            found.add(key)
            waiting += getattr(manifest.nodes[key].depends_on, "nodes", ())
    return found


def migrations() -> dict[str, str]:
    """The numbered migrations: name and SQL."""
    folder = project_root() / "loaders" / "database" / "migrations"
    return {path.name: path.read_text() for path in sorted(folder.glob("*.sql"))}
