"""The project keeps the rules of a cluster, and its target citus does the same as any other.

No cluster is needed: the server pretends to be a coordinator (tests/scale/pretend.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from orchestration.lib.paths import CLUSTER_VARIABLE, dbt_target_name
from tests.end_to_end.conftest import Month
from tests.end_to_end.warehouse import DbtFailed, Warehouse
from tests.scale import project
from tests.scale.compare import FACTS, checksums, pulled
from tests.scale.known import KNOWN
from tests.scale.pretend import PRETEND
from tests.scale.rules import check

CLUSTER = os.environ.get("RATEHOUSE_TEST_CITUS_URL", "").strip()


def test_the_project_keeps_the_rules(month: Month) -> None:
    found = check(project.compiled(month.warehouse.url), project.migrations())
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
