"""What a profile leaves open: options of a source, and indexes for records in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.layouts import Shape, recognise
from loaders.layouts.profile import ProfileError, read_profile
from loaders.reference import ReferenceRefused, load_reference

PLAIN = """
code = "plain"
title = "Plain"
file_kind = "cdr"
{top}

[[columns]]
name = "start_time"

[[columns]]
name = "callid"

[[header]]
required = ["start_time", "callid"]
{rest}
"""


def profile(folder: Path, top: str = "", rest: str = "") -> Path:
    path = folder / "plain.toml"
    path.write_text(PLAIN.format(top=top, rest=rest))
    return path


def test_options_and_indexes_are_read(tmp_path: Path) -> None:
    layout = read_profile(
        profile(
            tmp_path, 'indexes = [["callid", "start_time"]]', '[options]\nclock = ["utc", "local"]'
        )
    )
    assert layout.indexes == (("callid", "start_time"),)
    assert layout.options == {"clock": ("utc", "local")}


@pytest.mark.parametrize(
    ("top", "rest", "words"),
    [
        ('indexes = [["call"]]', "", "indexes 1: there is no column 'call' to look up 'call'"),
        ('indexes = [["callid.x"]]', "", "there is no column 'callid' to look up 'callid.x'"),
        ("indexes = [[]]", "", "indexes 1: names at least one column"),
        ('indexes = "callid"', "", 'is written as [["column", ...], ...]'),
        ("", '[options]\nclock = ["utc"]', "options.clock: lists the default and what else"),
        ("", '[options]\nClock = ["utc", "local"]', "options.Clock: is named in small letters"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, top: str, rest: str, words: str) -> None:
    with pytest.raises(ProfileError) as refused:
        read_profile(profile(tmp_path, top, rest))
    assert words in str(refused.value)


HEADER = "source_code,carrier_code,file_kind,layout_code,layout_options\n"


@pytest.mark.parametrize(
    ("row", "value", "words"),
    [
        ('s,own,mixed,emi,"{""tenths"": ""yes""}"', "tenths", "it has conversation_time"),
        ('s,own,cdr,radacct,"{""x"": ""y""}"', "x", "has no such option; it has none"),
        (
            's,own,mixed,emi,"{""conversation_time"": ""hours""}"',
            "hours", "must be one of minutes_seconds_tenths, whole_seconds",
        ),
        ('s,own,mixed,emi,"[1]"', "[1]", "must be an object like"),
    ],
)  # fmt: skip
def test_an_option_of_a_source_that_the_layout_does_not_have(
    module_connection: Connection, tmp_path: Path, row: str, value: str, words: str
) -> None:
    path = tmp_path / "source.csv"
    path.write_text(HEADER + row + "\n")
    with pytest.raises(ReferenceRefused) as refused:
        load_reference(module_connection, "source", path)
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, "layout_options", value)
    assert words in refusal.reason


def test_an_option_of_a_source_is_kept(module_connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "source.csv"
    path.write_text(HEADER + 's,own,mixed,emi,"{""conversation_time"": ""whole_seconds""}"\n')
    load_reference(module_connection, "source", path)
    with module_connection, module_connection.cursor() as cursor:
        cursor.execute("select layout_options from reference.source where source_code = 's'")
        assert cursor.fetchone() == ({"conversation_time": "whole_seconds"},)


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ("broadworks", "failover_correlation_id"),
        ("radacct", "acctsessionid"),
        ("radius_detail", "attributes::jsonb ->> 'Acct-Session-Id'"),
        ("sip_accounting", "callid"),
    ],
)
def test_the_records_of_a_call_are_found_by_an_index(
    module_connection: Connection, table: str, value: str
) -> None:
    with module_connection, module_connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain select * from landing.{table} where {value} = 'x'")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"{table}_by_" in plan and "by_file" not in plan


def test_a_source_of_mapped_columns_says_its_delimiter() -> None:
    """Without a word the separator that gives more columns is taken."""
    lines = ["1,5;2026-10-01 10:00:00;2,5", "1,5;2026-10-01 10:00:01;2,5"]

    def read(**options: str) -> Shape | None:
        return recognise(
            lines, layout_code="mapped_usage", column_map={"2": "start_time"}, options=options
        ).shape

    shape = read(delimiter="semicolon")
    assert shape is not None and (shape.delimiter, len(shape.columns)) == (";", 3)
    shape = read(delimiter="comma")
    assert shape is not None and (shape.delimiter, len(shape.columns)) == (",", 3)
    assert read(delimiter="tab") is None


def test_a_source_of_mapped_columns_says_what_the_first_line_is() -> None:
    """A first line that looks like neither is what the source says."""
    lines = ["a,b,c", "x,2026-10-01 10:00:00,y", "x,2026-10-01 10:00:01,y"]

    def header_line(lines: list[str], **options: str) -> int | None:
        shape = recognise(
            lines, layout_code="mapped_usage", column_map={"2": "start_time"}, options=options
        ).shape
        assert shape is not None
        return shape.header_line

    assert header_line(lines) == 1
    assert header_line(lines, first_line="auto") == 1
    assert header_line(lines, first_line="values") is None
    assert header_line(lines[1:]) is None
    assert header_line(lines[1:], first_line="names") == 1
