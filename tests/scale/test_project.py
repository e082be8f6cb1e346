"""The project keeps the rules of a cluster, and its target citus does the same as any other.

No cluster is needed: the server pretends to be a coordinator (tests/scale/pretend.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from loaders.database import connect
from orchestration.lib import dbt_in_process, prove, standing
from orchestration.lib.manifest import Place
from orchestration.lib.paths import CLUSTER_VARIABLE, dbt_target_name
from tests.end_to_end.conftest import Month
from tests.end_to_end.warehouse import DbtFailed, Warehouse
from tests.scale import project
from tests.scale.compare import FACTS, checksums, pulled
from tests.scale.known import KNOWN
from tests.scale.pretend import PRETEND
from tests.scale.rules import Node, check

CLUSTER = os.environ.get("RATEHOUSE_TEST_CITUS_URL", "").strip()


@pytest.fixture(scope="module")
def nodes(month: Month) -> list[Node]:
    """The project, compiled once."""
    return project.compiled(month.warehouse.url)


def test_the_project_keeps_the_rules(nodes: list[Node]) -> None:
    found = check(nodes, project.migrations())
    new = [str(v) for v in found if (v.rule, v.node) not in KNOWN]
    assert new == [], "see docs/scale.md; a departure with a reason goes into tests/scale/known.py"
    gone = KNOWN.keys() - {(v.rule, v.node) for v in found}
    assert gone == set(), "not needed any more in tests/scale/known.py"


def test_the_target_follows_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (dbt_target_name(""), dbt_target_name("x")) == ("prod", "dev")
    monkeypatch.setenv(CLUSTER_VARIABLE, "citus")
    assert (dbt_target_name(""), dbt_target_name("x")) == ("citus", "citus_dev")


def test_a_pretended_cluster_gives_the_same_facts(
    month: Month, make_warehouse: Callable[[], Warehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = make_warehouse()
    warehouse.execute(PRETEND.replace("%", "%%"))
    monkeypatch.setenv(CLUSTER_VARIABLE, "citus")
    _load(warehouse, month)
    with pytest.raises(DbtFailed, match="not part of the cluster yet"):
        warehouse.rate()
    warehouse.execute("insert into pg_dist_node values (0), (1), (2)")
    warehouse.rate()
    warehouse.bill()

    assert checksums(warehouse.url) == checksums(month.warehouse.url)
    placed = dict(warehouse.rows("select relation, statement from placed"))
    assert {fact for fact, how in placed.items() if how.startswith("account_id")} == set(FACTS)
    # whoever comes first begins the group, the others stand beside it
    assert list(placed.values()).count("account_id beside default") >= 1
    others = {placed[fact] for fact in FACTS if fact.startswith("billing")}
    assert all("default" not in how for how in others)
    references = {
        relation.partition(".")[0] for relation in placed if placed[relation] == "reference"
    }
    assert references == {"lookup", "seeds"}
    assert warehouse.value("select count(*) from pg_class where relname like '%%\\_\\_staged'") == 0
    # several runs, the draft of each bill group among them: nothing is placed twice
    assert warehouse.value("select count(*) - count(distinct relation) from placed") == 0


def test_no_test_of_a_run_reads_the_whole_history(month: Month, nodes: list[Node]) -> None:
    by_name = {node.name: node for node in nodes}
    manifest = dbt_in_process.parsed_project()
    parts = standing.Parts(manifest)
    of_runs = parts.selected("rating", tests=True) | parts.selected("billing", tests=True)
    assert not of_runs.keys() & set(parts.of_history())
    looked_at = []
    for key in of_runs:
        node = by_name[manifest.nodes[key].name]
        if node.kind != "test" or not node.sql:
            continue
        plan = "\n".join(p for (p,) in month.warehouse.rows("explain " + _as_literal(node.sql)))
        if any(f" on {fact.partition('.')[2]}" in plan for fact in FACTS):
            looked_at.append(node.name)
            assert "= '-1'" in plan or "= -1" in plan, f"{node.name} reads more than the run"
    assert len(looked_at) > 8


def _as_literal(sql: str) -> str:
    return sql.replace("%", "%%")


def test_a_run_with_usage_of_an_archived_month_stops(
    month: Month, copy_warehouse: Callable[[Warehouse], Warehouse], tmp_path: Path
) -> None:
    warehouse = copy_warehouse(month.warehouse)
    row = (
        "insert into control.partition_archive (fact, month, act, row_count, row_checksum, "
        "periods, file_name, byte_count, sha256, reason, actor) values "
        "('rating.rated_usage', '2024-01-01', '{}', 1, '', '{{}}', 'f', 1, repeat('0', 64), "
        "'room', 'ann')"
    )

    def ask(*months: str) -> dbt_in_process.Outcome:
        given = json.dumps({"fact": "rating.rated_usage", "months": months})
        place = Place.of(warehouse.url)
        arguments = ["run-operation", "refuse_archived", "--args", given]
        return dbt_in_process.invoke(arguments, warehouse.url, place, {}, tmp_path)

    warehouse.execute(row.format("archived"))
    assert ask("202402").succeeded
    refused = ask("202401", "202402")
    assert not refused.succeeded
    assert "2024-01, which is in the archive" in " ".join(refused.said)
    warehouse.execute(row.format("attached"))
    assert ask("202401").succeeded


def test_the_full_proof_sees_what_no_run_looks_at(
    month: Month, copy_warehouse: Callable[[Warehouse], Warehouse]
) -> None:
    warehouse = copy_warehouse(month.warehouse)

    def wrong() -> dict[str, int]:
        with closing(connect(url=warehouse.url)) as connection:
            return {p.what: p.found.wrong for p in prove.prove(connection) if not p.holds}

    assert wrong() == {}
    for statement, what, count in (
        (
            "update rating.rated_usage set retail_amount = retail_amount + 0.01 where usage_id = "
            "(select min(usage_id) from rating.current_rated_usage where state = 'billed')",
            "totals and balances are those of the facts", None,
        ),
        (
            "update billing.draft_invoice set invoice_total = invoice_total + 0.01 "
            "where (invoice_run_id, account_id) = "
            "(select invoice_run_id, account_id from billing.draft_invoice limit 1)",
            "every draft is the sum of its lines", 1,
        ),
        (
            "update control.file set data_count = data_count + 1, record_count = record_count + 1 "
            "where file_id = (select min(file_id) from control.file where data_count > 0)",
            "lines in landing are those of the files", 1,
        ),
    ):  # fmt: skip
        assert warehouse.execute(statement, past_the_guards=True) == 1
        found = wrong()
        assert what in found and count in (None, found[what])


def _load(warehouse: Warehouse, month: Month) -> None:
    warehouse.load_reference(month.folder / "reference")
    warehouse.load(month.folder / "files")


if CLUSTER:

    def test_a_cluster_gives_the_same_facts(
        month: Month, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from loaders.database import migrate

        monkeypatch.setenv(CLUSTER_VARIABLE, "citus")
        migrate(CLUSTER)
        warehouse = Warehouse(CLUSTER, tmp_path_factory.mktemp("dbt"))
        for role in ("ratehouse_transformer", "ratehouse_loader", "bi_reader"):
            # The servers speak to each other as whoever is at work.
            warehouse.execute(f"alter role {role} login")
        if not warehouse.value("select exists (select from control.file)"):
            _load(warehouse, month)
            warehouse.rate(checks=True)
            warehouse.bill(checks=True)
        assert checksums(CLUSTER) == checksums(month.warehouse.url)
        spread = warehouse.rows(
            "select logicalrelid::regclass::text from pg_dist_partition where partmethod = 'h'"
        )
        assert set(FACTS) <= {fact for (fact,) in spread}
        views = warehouse.rows(
            "select format('%I.%I', schemaname, viewname) from pg_views "
            "where schemaname in ('marts', 'rating')"
        )
        plans = {
            view: "\n".join(line for (line,) in warehouse.rows(f"explain select * from {view}"))
            for (view,) in views
            if view.partition(".")[2] not in {name for _, name in KNOWN}
        }
        assert {view: pulled(plan) for view, plan in plans.items() if pulled(plan)} == {}
