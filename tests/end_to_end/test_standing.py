"""What a run leaves alone, and everything that makes it build again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from loaders.database import connect
from loaders.runs import locks
from orchestration.lib import dbt_in_process, dbt_process, standing
from orchestration.lib.manifest import Place
from orchestration.lib.standing import Part
from tests.end_to_end.small import write_small_reference
from tests.end_to_end.warehouse import Warehouse


@pytest.fixture(scope="module")
def parts() -> standing.Parts:
    return standing.Parts(dbt_in_process.parsed_project())


def _part(parts: standing.Parts, name: str) -> Part:
    return parts.selected("rating", tests=True)[f"model.ratehouse.{name}"]


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("stg_asterisk_cdr__usage", Part.project),
        ("current_rated_usage", Part.project),
        ("dim_account", Part.project),
        ("int_reference__rates", Part.reference),
        # It names the cutoff of a run, and rows between two loads are the same for all of them.
        ("int_reference__rate_rows", Part.reference),
        ("int_usage__work_files", Part.run),
        ("int_usage__normalised", Part.run),
        ("int_usage__judged", Part.run),
        ("rated_usage", Part.run),
    ],
)
def test_a_model_belongs_to_what_its_sql_follows_from(
    parts: standing.Parts, model: str, part: Part
) -> None:
    assert _part(parts, model) == part


def test_what_the_run_writes_is_never_left_alone(parts: standing.Parts) -> None:
    manifest = dbt_in_process.parsed_project()
    selected = parts.selected("rating", tests=True)
    written = {
        key
        for key in selected
        if manifest.nodes[key].config.materialized in ("work_table", "run_fact")
    }
    assert len(written) > 5
    assert {selected[key] for key in written} == {Part.run}
    looking_at_facts = {
        key
        for key in selected
        if manifest.nodes[key].resource_type == "test"
        and not written.isdisjoint(manifest.nodes[key].depends_on.nodes)
    }
    assert len(looking_at_facts) > 5
    assert {selected[key] for key in looking_at_facts} == {Part.run}
    # A mart stands as a view, and its rows are looked at again.
    on_a_mart = next(
        key
        for key in selected
        if manifest.nodes[key].resource_type == "test"
        and "model.ratehouse.fct_rated_usage" in manifest.nodes[key].depends_on.nodes
    )
    assert _part(parts, "fct_rated_usage") == Part.project
    assert selected[on_a_mart] == Part.run


def test_names_of_a_place_are_those_dbt_gives(tmp_path: Path) -> None:
    manifest = dbt_in_process.parsed_project()
    dbt_in_process.move(manifest, Place("elsewhere", "dev"))
    fact = manifest.nodes["model.ratehouse.rated_usage"]
    assert (fact.schema, fact.relation_name) == (
        "dev_rating", '"elsewhere"."dev_rating"."rated_usage"',
    )  # fmt: skip
    landed = manifest.sources["source.ratehouse.landing.asterisk_cdr"]
    assert landed.relation_name == '"elsewhere"."landing"."asterisk_cdr"'
    place = dbt_in_process.manifest_for(Place("ratehouse"))
    assert place.nodes["model.ratehouse.rated_usage"].relation_name is not None


@pytest.fixture
def built(make_warehouse: Callable[[], Warehouse]) -> Warehouse:
    return make_warehouse()


def _standing(warehouse: Warehouse, tag: str = "rating", build_schema: str = "") -> set[Part]:
    return set(standing.plan(warehouse.url, tag, build_schema=build_schema).standing)


def test_what_was_built_and_tested_is_left_alone(built: Warehouse) -> None:
    assert _standing(built) == {Part.project, Part.reference}
    plan = standing.plan(built.url, "rating")
    named = set(plan.arguments)
    assert {"rated_usage", "int_usage__normalised"} <= named
    assert named.isdisjoint({"stg_asterisk_cdr__usage", "int_reference__rates", "record_reasons"})
    assert _standing(built, build_schema="other") == set()


def test_reference_data_that_came_since_are_taken_up(built: Warehouse, tmp_path: Path) -> None:
    built.load_reference(write_small_reference(tmp_path))
    assert _standing(built) == {Part.project}
    assert "int_reference__rates" in standing.plan(built.url, "rating").arguments
    built.build("tag:rating", {}, checks=False)
    # Those who leave the tests out may rely on it, those who run them have not seen it yet.
    assert standing.plan(built.url, "rating", tests=False).standing == {
        Part.project, Part.reference,
    }  # fmt: skip
    assert _standing(built) == {Part.project}


@pytest.mark.parametrize(
    "change",
    [
        "drop view staging.stg_asterisk_cdr__usage cascade",
        "alter table landing.asterisk_cdr add column new_column text",
        "truncate seeds.record_reasons",
        "update control.built_view set built_at = clock_timestamp() "
        """where relation = '"marts"."fct_charge"'""",
        "delete from control.standing_nodes",
    ],
)
def test_whatever_else_changed_makes_everything_again(built: Warehouse, change: str) -> None:
    built.execute(change, past_the_guards=True)
    assert _standing(built) == set()


def test_a_lookup_that_somebody_else_made_is_made_again(built: Warehouse) -> None:
    built.execute("comment on table lookup.int_reference__rates is 'built from elsewhere'")
    assert _standing(built) == {Part.project}


class _Sleeper:
    """A plan whose dbt waits in the database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = Place.of(url)
        self.was_ended = False

    def build(self, *_: object, **__: object) -> dbt_in_process.Outcome:
        name = locks.dbt_application_name("")
        try:
            with (
                closing(connect(url=self.url, application_name=name)) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("select pg_sleep(300)")
        finally:
            self.was_ended = True
        return dbt_in_process.Outcome(True)


def test_a_step_that_is_stopped_takes_its_dbt_along(database: str, tmp_path: Path) -> None:
    plan = _Sleeper(database)
    with pytest.raises(KeyboardInterrupt), dbt_process.Work(plan, {}, tmp_path):
        raise KeyboardInterrupt
    assert plan.was_ended
