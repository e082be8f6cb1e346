"""Profiles are checked when they are read; tables and sources follow them."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.database import migrate
from loaders.database.landing_tables import layouts_to_make, make_landing
from loaders.layouts import LAYOUTS
from loaders.layouts.layout import Layout
from loaders.layouts.profile import PROFILES_FOLDER, ProfileError, read_profile, read_profiles
from loaders.reference import ReferenceRefused, load_reference
from tests.loaders.conftest import Warehouse

PLAIN = """
code = "plain"
title = "Plain calls"
file_kind = "cdr"

[defaults]
number_plan = "uk"
date_order = "dmy"

[[columns]]
name = "started"
headers = ["Call Start", "Start"]
description = "When it began."

[[columns]]
name = "caller"

[[columns]]
name = "seconds"

[[header]]
required = ["started", "seconds"]
checks = { started = "datetime" }

[[variants]]
code = "three"
columns = ["started", "caller", "seconds"]
checks = { started = "datetime", seconds = "integer" }
"""
LINES = """
code = "plain"
title = "Whole lines"
file_kind = "cdr"
reader = "lines"
"""
JSON = """
code = "plain"
title = "Objects"
file_kind = "cdr"
reader = "json"
"""


def write(folder: Path, text: str, name: str = "plain.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_profile_says_all_of_a_layout(tmp_path: Path) -> None:
    layout = read_profile(write(tmp_path, PLAIN))
    assert layout.table_columns == ("started", "caller", "seconds", "extra_columns")
    assert layout.aliases["started"] == ("callstart", "start")
    assert layout.aliases["caller"] == ("caller",)
    assert layout.unassigned_source == "unassigned_plain"
    assert layout.defaults == {"number_plan": "uk", "date_order": "dmy"}
    assert layout.date_columns == ("started",)
    assert [variant.family for variant in layout.variants] == ["plain"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('code = "plain"', 'code = "other"', "plain.toml, code: 'other' must be the file's name"),
        ('file_kind = "cdr"', 'file_kind = "calls"', "file_kind: must be one of cdr, sdr, mixed"),
        ('title = "Plain calls"', "", "plain.toml, title: must be a text"),
        ("title =", "titel = 1\ntitle =", "the top level: there is no key 'titel'"),
        ('name = "caller"', 'name = "Caller"', "columns 2.name: 'Caller' cannot name a column"),
        ('name = "caller"', 'name = "line_no"', "columns 2.name: 'line_no' cannot name a column"),
        ('name = "caller"', 'name = "started"', "columns 2.name: 'started' is named twice"),
        ('date_order = "dmy"', 'date_order = "ddmm"', "defaults.date_order: must be one of ymd"),
        ("date_order =", "dateorder =", "defaults: there is no key 'dateorder'"),
        ('required = ["started", "seconds"]', 'required = ["started"]', "at least two columns"),
        ('required = ["started", "seconds"]', 'required = ["started", "x"]',
         "header 1.required: there is no column 'x'"),
        ('seconds = "integer"', 'seconds = "whole"', "checks.seconds: there is no check 'whole'"),
        ('seconds = "integer"', 'seconds = "re:("', "checks.seconds: '(' is no regular expression"),
        ('"caller", "seconds"]\nchecks', '"caller"]\nchecks',
         "variants 'three'.checks: there is no column 'seconds'"),
        ('code = "three"', 'code = "three"\nextends = "two"', "no variant 'two' stands above"),
        ('code = "three"', 'code = "three"\nminimum = 2', "'seconds' is checked, so lines must"),
        ("[defaults]", '[delimited]\ndelimiters = ["#"]\n[defaults]', "'#' is none of comma"),
        ("[defaults]", '[delimited]\nquoting = "single"\n[defaults]', "delimited.quoting: must be"),
        ("[defaults]", '[lines]\ndata = "x"\n[defaults]', 'lines: only for reader = "lines"'),
        ("[defaults]", '[control]\npattern = "T(.*)"\n[defaults]', "needs named groups out of"),
        ("[defaults]", '[[non_data]]\npattern = "["\nkind = "marker"\n[defaults]',
         "non_data 1.pattern: is no regular expression"),
        ("[defaults]", '[[non_data]]\npattern = "x\\\\Z"\nkind = "marker"\n[defaults]',
         "the ends of a line are written ^ and $"),
        ("[defaults]", '[[non_data]]\npattern = "x"\nkind = "junk"\n[defaults]',
         "non_data 1.kind: must be one of header"),
        ("[defaults]", "[defaults", "this is no TOML"),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_refused_naming_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in PLAIN
    with pytest.raises(ProfileError) as caught:
        read_profile(write(tmp_path, PLAIN.replace(old, new, 1)))
    assert str(caught.value).startswith("plain.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINES, "lines.data: must be a text"),
        (LINES + '[lines]\ndata = "^C"\n[[columns]]\nname = "x"', "has the columns record_line"),
        (LINES + '[delimited]\nquoting = "csv"', "the reader lines does not split lines"),
        (JSON, "documents.required: what every record has"),
        (JSON + '[documents]\nrequired = ["a"]\nelement = "b"', 'only for reader = "xml"'),
        (JSON.replace('"json"', '"xml"') + '[documents]\nrequired = ["a"]', "documents.element"),
    ],
)
def test_other_readers_are_checked_too(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=r"^plain\.toml") as caught:
        read_profile(write(tmp_path, text))
    assert message in str(caught.value)


def test_the_shipped_profiles_are_the_named_layouts() -> None:
    named = {layout.code for layout in LAYOUTS.values() if not layout.is_generic}
    assert named == {path.stem for path in PROFILES_FOLDER.glob("*.toml")}
    assert named == {layout.code for layout in read_profiles()}
    assert len({layout.unassigned_source for layout in LAYOUTS.values()}) == len(LAYOUTS)


def test_each_layout_has_a_source_with_its_defaults(warehouse: Warehouse) -> None:
    for layout in LAYOUTS.values():
        names = ["layout_code", "file_kind", *layout.defaults]
        assert warehouse.rows(
            f"select {', '.join(names)} from reference.source "
            "where source_code = %s and recorded_to = 'infinity'",
            layout.unassigned_source,
        ) == [(layout.code, layout.file_kind, *layout.defaults.values())]


def test_tables_are_guarded_and_indexed_like_those_before(warehouse: Warehouse) -> None:
    def facts(table: str) -> list[tuple[object, ...]]:
        return warehouse.rows(
            "select c.relacl::text, array(select am.amname::text from pg_index as i "
            "join pg_class as x on x.oid = i.indexrelid join pg_am as am on am.oid = x.relam "
            "where i.indrelid = c.oid and am.amname = 'brin'), "
            "(select count(*) from pg_trigger as t where t.tgrelid = c.oid) "
            "from pg_class as c where c.oid = %s::regclass",
            f"landing.{table}",
        )

    expected = facts("mapped_usage")
    for layout in LAYOUTS.values():
        assert facts(layout.code) == expected, layout.code


def _layout(tmp_path: Path, text: str) -> Layout:
    return read_profile(write(tmp_path, text))


def test_a_later_profile_adds_columns_and_changes_defaults(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    make_landing(connection, [_layout(tmp_path, PLAIN)])
    later = PLAIN.replace('"uk"', '"ie"').replace('date_order = "dmy"\n', "")
    later += '\n[[columns]]\nname = "trunk"\n'
    make_landing(connection, [_layout(tmp_path, later)])
    with connection, connection.cursor() as cursor:
        cursor.execute("select started, trunk, extra_columns from landing.plain")
        cursor.execute(
            "select number_plan, date_order, recorded_to = 'infinity', "
            "recorded_to = lead(recorded_from) over (order by recorded_from) "
            "from reference.source where source_code = 'unassigned_plain' order by recorded_from"
        )
        assert cursor.fetchall() == [("uk", "dmy", False, True), ("ie", "ymd", True, None)]
        cursor.execute("select count(*) from control.layout where layout_code = 'plain'")
        assert cursor.fetchone() == (1,)
        cursor.execute(
            "select obj_description('landing.plain'::regclass), "
            "col_description('landing.plain'::regclass, 3)"
        )
        assert cursor.fetchone() == ("Plain calls", "When it began.")


def test_what_a_user_set_outlives_a_changed_profile(
    connection: Connection, tmp_path: Path
) -> None:
    make_landing(connection, [_layout(tmp_path, PLAIN)])
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "with c as (update reference.source set recorded_to = clock_timestamp() "
            "where source_code = 'unassigned_plain' returning *) insert into reference.source "
            "(source_id, source_code, carrier_code, file_kind, layout_code, number_plan, "
            "date_order, recorded_from) select source_id, source_code, carrier_code, file_kind, "
            "layout_code, 'fr', date_order, recorded_to from c"
        )
    later = PLAIN.replace('"uk"', '"ie"').replace('"dmy"', '"mdy"')
    make_landing(connection, [_layout(tmp_path, later)])
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select number_plan, date_order from reference.source "
            "where source_code = 'unassigned_plain' and recorded_to = 'infinity'"
        )
        assert cursor.fetchall() == [("fr", "mdy")]


def test_migrating_again_has_nothing_to_make(database: str, connection: Connection) -> None:
    assert layouts_to_make(connection) == []
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update control.layout set checksum = '' where layout_code = 'carrier_charge'"
        )
    assert [layout.code for layout in layouts_to_make(connection)] == ["carrier_charge"]
    assert migrate(database) == []
    assert layouts_to_make(connection) == []
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select detail from control.event where event = 'layouts_made' "
            "order by event_id desc limit 1"
        )
        assert cursor.fetchone() == ({"layouts": ["carrier_charge"]},)
        cursor.execute(
            "select count(*) from reference.source where source_code = 'unassigned_charges'"
        )
        assert cursor.fetchone() == (1,)


def test_a_declared_source_takes_from_its_layout_what_it_leaves_open(
    warehouse: Warehouse,
) -> None:
    code, layout = next(
        (code, layout)
        for code, layout in LAYOUTS.items()
        if layout.defaults.get("number_plan", "nanp") != "nanp"
    )
    path = warehouse.write(
        "source.csv",
        "source_code,carrier_code,file_kind,layout_code,number_plan\n"
        f"open,one,{layout.file_kind},{code},\n"
        f"said,one,{layout.file_kind},{code},fr\n"
        "generic,one,cdr,mapped_usage,\n",
    )
    assert load_reference(warehouse.connection, "source", path).rows_added == 3
    assert dict(
        warehouse.rows(
            "select source_code, number_plan from reference.source "
            "where source_code in ('open', 'said', 'generic')"
        )
    ) == {"open": layout.defaults["number_plan"], "said": "fr", "generic": "nanp"}
    again = load_reference(warehouse.connection, "source", path)
    assert (again.rows_unchanged, again.rows_changed) == (3, 0)


def test_a_source_may_not_name_a_layout_that_is_not_there(warehouse: Warehouse) -> None:
    path = warehouse.write(
        "source.csv",
        "source_code,carrier_code,file_kind,layout_code\nnone,one,cdr,no_such_layout\n",
    )
    with pytest.raises(ReferenceRefused, match="there is no such layout; there are"):
        load_reference(warehouse.connection, "source", path)
