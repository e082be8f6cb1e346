"""What each reader makes of its files, with layouts made for the purpose."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaders.files.readers import open_stream
from loaders.files.stored import Hold
from loaders.layouts import Layout
from tests.loaders.reading import head_of, only, profile, read

MEGABYTE = 1024 * 1024

CALLS = """
[[columns]]
name = "start"
[[columns]]
name = "caller"
[[columns]]
name = "seconds"
[[header]]
required = ["start", "caller", "seconds"]
[[variants]]
code = "three"
columns = ["start", "caller", "seconds"]
checks = { start = "datetime", seconds = "integer" }
[[non_data]]
pattern = '^"?INTEGER'
kind = "marker"
[[non_data]]
pattern = 'Report of|^END OF REPORT$'
kind = "trailer"
[control]
pattern = '^TRAILER;(?P<count>\\d+);(?P<total>[0-9.]*);(?P<sequence>\\d*)'
[[non_data]]
pattern = '^TRAILER;'
kind = "trailer"
"""
LINES = """
reader = "lines"
[lines]
data = '^C\\d{4} '
[[non_data]]
pattern = '^H'
kind = "header"
[[non_data]]
pattern = '^T'
kind = "trailer"
[control]
pattern = '^T(?P<count>\\d{4})(?P<total>\\d{6})(?P<sequence>\\d{3})'
total = "seconds"
"""
JSON = 'reader = "json"\n[documents]\nrequired = ["id", "call.seconds"]\n'
WRAPPED = JSON + 'records = "calls"\n'
XML = """
reader = "xml"
[documents]
element = "cdr"
required = ["variables.uuid"]
percent_encoded = ["variables"]
"""
RADIUS = 'reader = "radius_detail"\n[documents]\nrequired = ["Acct-Status-Type"]\n'

START = "2026-10-05 10:00:0"


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Recognition knows one layout: that of the text."""

    def use(text: str) -> Layout:
        layout = profile(tmp_path, text)
        only(monkeypatch, layout)
        return layout

    return use


# -- delimited -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerant", [False, True])
def test_lines_the_profile_calls_no_records_are_none(use, tolerant: bool) -> None:
    use(CALLS)
    content = (
        f'"start","caller","seconds"\n"INTEGER","VARCHAR","x"\n{START}1,1,2\n'
        f'{START}2,INTEGER,2\nINTEGER,1,2\na,Report of today,b\n{START}3,1,2\nEND OF REPORT\n'
    ).encode()
    result = read(content, tolerant=tolerant)
    assert sorted(result.data) == [3, 4, 7]
    assert {line: kind for line, (kind, _) in result.non_data.items()} == {
        1: "header", 2: "marker", 5: "marker", 6: "trailer", 8: "trailer",
    }  # fmt: skip
    assert not result.quarantine


def test_figures_of_several_trailers_are_added_up(use) -> None:
    use(CALLS)
    content = f"{START}1,1,2\nTRAILER;1;2.50;7\n{START}2,1,2\nTRAILER;1;1;8\n".encode()
    assert read(content).stated == (2, Decimal("3.50"), "8")


BACKSLASH = CALLS + """
[delimited]
delimiters = [","]
quoting = "backslash"
width = "growing"
"""


def test_a_backslash_protects_and_surplus_fields_are_kept(use) -> None:
    use(BACKSLASH)
    content = (
        f'{START}1,Smith\\, J,2\n{START}2,"q" \\\\,2,tail,,"x"\n{START}3,1,2,\n{START}4,1\n'
        f"{START}5,1,2,end\\\n"
    ).encode()
    result = read(content)
    assert result.data == {
        1: (START + "1", "Smith, J", "2", ""),
        2: (START + "2", '"q" \\', "2", '"tail",,"""x"""'),
        3: (START + "3", "1", "2", ""),
        5: (START + "5", "1", "2", "end\\"),
    }
    assert {line: values[0] for line, values in result.quarantine.items()} == {4: "too_few_fields"}


@pytest.mark.parametrize("tolerant", [False, True])
def test_quotes_may_be_characters_like_any_other(use, tolerant: bool) -> None:
    use(CALLS + '[delimited]\ndelimiters = ["|"]\nquoting = "none"\n')
    content = f'{START}1|"open|2\n{START}2|a\\|2\n{START}3|5 "x"|2\n{START}4||2\n'.encode()
    assert read(content, tolerant=tolerant).data == {
        1: (START + "1", '"open', "2"),
        2: (START + "2", "a\\", "2"),
        3: (START + "3", '5 "x"', "2"),
        4: (START + "4", "", "2"),
    }


def test_a_space_before_a_quoted_value_is_no_part_of_it(use) -> None:
    use(CALLS)
    content = f'{START}1, "Smith, J",2\n{START}2, plain,2\n{START}3, " x",2\n'.encode()
    assert [row[1] for row in read(content).data.values()] == ["Smith, J", " plain", " x"]


MIXED = CALLS + """
[[columns]]
name = "cause"
[[columns]]
name = "trunk"
[[variants]]
code = "five"
extends = "three"
columns = ["cause", "trunk"]
minimum = 4
checks = { cause = "in:OK|BUSY" }
[[variants]]
code = "alone"
columns = ["caller", "start"]
checks = { start = "datetime" }
family = "other"
"""


def test_lines_of_other_variants_of_the_family_land_too(use) -> None:
    use(MIXED)
    content = (
        f"{START}1,1,2\n{START}2,1,2,OK,T\n{START}3,1,2,ok\n{START}4,1,2,LATE,T\n1,{START}5\n"
        f"{START}6,1,2\n"
    ).encode()
    result = read(content)
    assert result.data == {
        1: (START + "1", "1", "2"),
        2: ("start,caller,seconds,cause,trunk", START + "2", "1", "2", "OK", "T"),
        3: ("start,caller,seconds,cause", START + "3", "1", "2", "ok"),
        6: (START + "6", "1", "2"),
    }
    assert {line: values[0] for line, values in result.quarantine.items()} == {
        4: "too_many_fields", 5: "too_few_fields",
    }  # fmt: skip


def test_a_header_nobody_described_above_a_variant_is_no_record(use) -> None:
    use(CALLS)
    content = f"Begin,Who,Long\n{START}1,1,2\n{START}2,1,2\nBegin,Who,Long\n".encode()
    shape = head_of(content).shape
    assert (shape.variant, shape.header_line) == ("three", 1)
    result = read(content)
    assert sorted(result.data) == [2, 3]
    assert [kind for kind, _ in result.non_data.values()] == ["header", "repeated_header"]


# -- whole lines ---------------------------------------------------------------------------------


def test_whole_lines_land_untouched(use) -> None:
    use(LINES)
    content = b'HDR 7\nC0001 a "b"  , c \r\nC0002 x\n\njunk\nC0003 \xff\nC0004 \x00\nT0002000012003'
    result = read(content)
    assert result.data == {2: ('C0001 a "b"  , c ',), 3: ("C0002 x",)}
    assert {line: kind for line, (kind, _) in result.non_data.items()} == {
        1: "header", 4: "blank", 8: "trailer",
    }  # fmt: skip
    assert {line: values[0] for line, values in result.quarantine.items()} == {
        5: "unknown_record", 6: "undecodable_bytes", 7: "nul_byte",
    }  # fmt: skip
    assert result.stated == (2, Decimal(12), "003")


def test_a_long_line_is_measured_and_not_kept(use) -> None:
    use(LINES)
    long = b"C0001 " + b"x" * (3 * MEGABYTE)
    result = read(b"C0000 a\n" + long + b"\nC0002 b\n", head=b"C0000 a\nC0002 b\n")
    assert sorted(result.data) == [1, 3]
    code, _, _, raw, length = result.quarantine[2]
    assert (code, int(length), len(raw)) == ("line_too_long", len(long), 2 + 2 * 65536)


# -- JSON ----------------------------------------------------------------------------------------


def call(number: int, **more: object) -> dict[str, object]:
    return {"id": f"a{number}", "call": {"seconds": number}, **more}


def documents(result) -> dict[int, object]:
    return {line: json.loads(text) for line, (text,) in result.data.items()}


def test_json_lines(use) -> None:
    use(JSON)
    lines = [json.dumps(call(n, name='Ä "{[')) for n in range(3)]
    lines[1:1] = ["", '{"id": "broken', '[1]', '{"x": "\\u0000"}', '{"x": "\\ud800"}', '{"x": NaN}']
    result = read("\n".join(lines).encode(), head="\n".join([lines[0], lines[-1]]).encode())
    assert documents(result) == {
        line: call(n, name='Ä "{[') for line, n in ((1, 0), (8, 1), (9, 2))
    }
    assert {line: values[0] for line, values in result.quarantine.items()} == {
        3: "broken_document", 4: "broken_document", 5: "nul_byte", 6: "broken_document",
        7: "broken_document",
    }  # fmt: skip
    assert result.non_data == {2: ("blank", "")}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (json.dumps(call(1)), [1]),
        (json.dumps([call(1), call(2), call(3)]), [1, 2, 3]),
        ("\n" + json.dumps([call(1), call(2)], indent=2) + "\n", [3, 9]),
        ("".join(json.dumps(call(n), indent=1) for n in range(2)), [1, 6]),
        ("[\n" + ",\n".join(json.dumps(call(n)) for n in range(2)) + "\n]\n", [2, 3]),
    ],
)
def test_json_in_other_forms(use, text: str, lines: list[int]) -> None:
    use(JSON)
    result = read(text.encode())
    assert sorted(result.data) == lines
    assert {document["id"][0] for document in documents(result).values()} == {"a"}
    assert not result.quarantine


def test_json_records_of_a_wrapping_object(use) -> None:
    use(WRAPPED)
    page = {"page": 1, "other": [{"id": 9}], "calls": [call(1, list=[{"a": "]"}]), call(2)]}
    text = json.dumps(page) + "\n" + json.dumps({"calls": [call(3)], "next": None}, indent=1)
    result = read(text.encode())
    assert [document["id"] for document in documents(result).values()] == ["a1", "a2", "a3"]
    assert {kind for kind, _ in result.non_data.values()} == {"marker"}
    assert not result.quarantine


def test_broken_and_astray_parts_of_an_array_are_set_aside(use) -> None:
    use(JSON)
    text = f"[{json.dumps(call(1))},\n" + '{"id" 7},\n' + "rubbish\n" + json.dumps(call(2)) + "]"
    result = read(text.encode(), head=json.dumps(call(1)).encode() + b"\n")
    assert sorted(result.data) == [1, 4]
    assert {line: values[0] for line, values in result.quarantine.items()} == {
        2: "broken_document", 3: "unknown_record",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" + json.dumps(call(1)) + ',{"id": 1', "truncated_document"),
        ("[" + json.dumps(call(1)) + ",", "truncated_document"),
        ("[" + json.dumps(call(1)) + "," + "[" * 1000, "broken_document"),
    ],
)
def test_json_that_cannot_be_trusted_as_a_whole_is_held(use, text: str, code: str) -> None:
    use(JSON)
    with pytest.raises(Hold) as caught:
        read(text.encode(), head=json.dumps(call(1)).encode())
    assert caught.value.code == code


def test_a_huge_document_is_measured_and_the_next_one_lands(use) -> None:
    use(JSON)
    long = json.dumps(call(2, text="x{" * MEGABYTE))
    result = read(
        f"[{json.dumps(call(1))},\n{long},\n{json.dumps(call(3))}]".encode(),
        head=json.dumps(call(1)).encode(),
    )
    assert sorted(result.data) == [1, 3]
    assert (result.quarantine[2][0], int(result.quarantine[2][4])) == ("line_too_long", len(long))


# -- XML -----------------------------------------------------------------------------------------


def cdr(number: int, more: str = "") -> str:
    return (
        f'<cdr core-uuid="c{number}"><variables><uuid>u{number}</uuid>'
        f"<name>%22J%22%20%2520</name>{more}</variables><flow><hop>1</hop><hop>2</hop></flow></cdr>"
    )


def test_xml_records_are_flattened(use) -> None:
    use(XML)
    text = f'<?xml version="1.0"?>\n<cdrs>\n{cdr(1)}\n{cdr(2)}{cdr(3)}\n\n</cdrs>\n'
    result = read(text.encode())
    assert documents(result)[3] == {
        "@core-uuid": "c1", "variables.uuid": "u1", "variables.name": '"J" %20',
        "flow.hop": ["1", "2"],
    }  # fmt: skip
    assert sorted(result.data) == [3, 4, 5]
    assert {line: kind for line, (kind, _) in result.non_data.items()} == {
        1: "marker", 2: "marker", 6: "blank", 7: "marker",
    }  # fmt: skip


def test_broken_xml_records_are_set_aside(use) -> None:
    use(XML)
    text = f"{cdr(1)}\n<cdr><a></cdr>\nastray\n{cdr(2, '<x>%00</x>')}\n{cdr(3, '<x>&e;</x>')}\n"
    result = read(text.encode(), head=cdr(1).encode())
    assert sorted(result.data) == [1]
    assert {line: values[0] for line, values in result.quarantine.items()} == {
        2: "broken_document", 3: "unknown_record", 4: "nul_byte", 5: "broken_document",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('<!DOCTYPE x [<!ENTITY e "aaaa">]>\n' + cdr(1), "unsafe_document"),
        (cdr(1) + "<cdr><variables>", "truncated_document"),
        ("<cdrs>\n" + cdr(1), "truncated_document"),
    ],
)
def test_xml_that_cannot_be_trusted_as_a_whole_is_held(use, text: str, code: str) -> None:
    use(XML)
    with pytest.raises(Hold) as caught:
        read(text.encode(), head=cdr(1).encode())
    assert caught.value.code == code


# -- RADIUS --------------------------------------------------------------------------------------


def test_radius_blocks(use) -> None:
    use(RADIUS)
    text = (
        'Mon Jun  1 12:00:00 2026\n\tAcct-Status-Type = Start\n\tUser-Name = "a \\"b\\", c"\n'
        "\tClass = 0x1\n\tClass = 0x2\n\tEmpty = \n\n\n"
        "Mon Jun  1 12:00:01 2026\n\tAcct-Status-Type = Stop\n"
        "Mon Jun  1 12:00:02 2026\n\tthis is none\n\n"
        "\tAcct-Status-Type = Stop\n\n"
        "Mon Jun  1 12:00:03 2026\n"
    )
    result = read(text.encode(), head=text[:51].encode())
    first, attributes = result.data[1]
    assert first == "Mon Jun  1 12:00:00 2026"
    assert json.loads(attributes) == {
        "Acct-Status-Type": "Start", "User-Name": 'a "b", c', "Class": ["0x1", "0x2"], "Empty": "",
    }  # fmt: skip
    assert sorted(result.data) == [1, 9]
    assert sorted(result.non_data) == [7, 8, 13, 15]
    assert {line: values[0] for line, values in result.quarantine.items()} == {
        11: "broken_document", 14: "broken_document", 16: "broken_document",
    }  # fmt: skip


# -- all of them ---------------------------------------------------------------------------------

SAMPLES = {
    CALLS: f'"start","caller","seconds"\n"INTEGER",a,b\n{START}1,"a\nb",2\n{START}2,1,2\n',
    BACKSLASH: f"{START}1,a\\,b,2\n{START}2,a,2,x,y\nTRAILER;2;;1\n",
    LINES: "H\nC0001 a\nC0002 b\r\nT0002000000001\n",
    JSON: json.dumps([call(1), call(2, text='a"\\{')], indent=1),
    WRAPPED: json.dumps({"calls": [call(1), call(2)], "next": "calls"}) + "\n",
    XML: f"<cdrs>\n{cdr(1)}\n{cdr(2)}</cdrs>\n",
    RADIUS: "Mon\n\tAcct-Status-Type = Start\n\nTue\n\tAcct-Status-Type = Stop\n",
}
_QUIET = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("text", SAMPLES)
@_QUIET
@given(
    damage=st.lists(
        st.tuples(
            st.integers(0, 200),
            st.integers(0, 3),
            st.sampled_from(
                [b"", b'"', b"{", b"}", b"]", b"<", b"\n", b"\\", b"\xff", b"\0", b","]
            ),
        ),
        max_size=3,
    ),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4),
)
def test_damaged_files_balance_however_they_are_cut(use, text: str, damage, sizes) -> None:
    """The readers give the same for any blocks, and number every record once."""
    use(text)
    sample = SAMPLES[text].encode()
    content = bytearray(sample)
    for at, gone, put in damage:
        content[at : at + gone] = put

    def outcome(blocks: tuple[int, ...]) -> object:
        try:
            return read(bytes(content), sizes=blocks, head=sample)
        except Hold as hold:
            return hold.code, hold.explanation

    assert outcome(tuple(sizes)) == outcome((1 << 20,))


@pytest.mark.parametrize(
    ("text", "opening", "filling"),
    [
        (LINES, b"C0001 ", b"x" * 65536),
        (JSON, b'[{"id": "', b"x" * 65536),
        (JSON, b"[", b" " * 65536),
        (JSON, b'{"id": 1, "a": ', b"[" * 65536),
        (XML, b"<cdr>", b"<x>" * 20000),
        (XML, b"<cdrs", b" " * 65536),
        (RADIUS, b"Mon\n", b"\tAcct-Status-Type = " + b"x" * 65536 + b"\n"),
    ],
)
def test_no_reader_keeps_an_endless_record(use, text: str, opening: bytes, filling: bytes) -> None:
    use(text)
    shape = head_of(SAMPLES[text].encode()).shape
    blocks = itertools.chain([opening], itertools.repeat(filling, 320))
    stream = open_stream(blocks, shape, file_id=1)
    tracemalloc.start()
    try:
        for _ in stream.copy_input():
            pass
    except Hold:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        stream.close()
    assert peak < 16 * MEGABYTE
