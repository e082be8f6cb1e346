"""Whatever bytes arrive: no crash, everything counted, and good lines come through unchanged."""

from __future__ import annotations

import csv
import io
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaders.files.records import LineStream, NotUtf8
from loaders.layouts import recognise
from tests.loaders import samples
from tests.loaders.conftest import Warehouse

IN_DATABASE = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
IN_MEMORY = settings(deadline=None, max_examples=300)

HEADER = samples.MAPPED_HEADER
GOOD = [samples.mapped(number) for number in range(6)]
_NASTY = st.sampled_from(
    [b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\\", b'\\"', b"\\,", b"\0", b"\xff", b"\xc3",
     "é".encode(), b";", b"\t", b"#", b"Total", b"\\.", b"\x1a", b" ", b"'", b"=", b",,,,"]
)  # fmt: skip
# Text as people write it, with line breaks and tabs but without control characters.
_VALUES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(["\n", "\t", '"', ","]),
    max_size=12,
)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A good file with damage at random places."""
    content = bytearray(samples.lines(HEADER, *GOOD).encode())
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(len(HEADER) + 1, len(content)))
        gone = draw(st.integers(0, 3))
        content[at : at + gone] = draw(_NASTY)
    return bytes(content)


@IN_DATABASE
@given(content=st.one_of(st.binary(max_size=400), damaged_files()))
def test_any_bytes_balance(warehouse: Warehouse, content: bytes) -> None:
    result = warehouse.load("fuzz.csv", content)
    assert result.status in ("landed", "held", "already_loaded")


@IN_DATABASE
@given(
    rows=st.lists(st.lists(_VALUES, min_size=3, max_size=3), min_size=1, max_size=8),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    delimiter=st.sampled_from([",", ";", "|", "\t"]),
)
def test_what_a_csv_writer_wrote_lands_as_it_was(
    warehouse: Warehouse, rows: list[list[str]], quoting: int, delimiter: str
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerow(["Call Start", "Caller Name", "Calling Number", "Called Number", "Duration"])
    start = "2026-10-05 10:00:00"
    for name, calling, called in rows:
        writer.writerow([start, name, calling, called, "60"])
    result = warehouse.load("written.csv", stream.getvalue())
    if result.status == "already_loaded":
        return
    if result.status == "held":
        # A layout is not recognised when no number looks like one.
        assert result.status_reason == "unknown_layout"
        return
    landed = warehouse.data(
        result, "start_time", "calling_name", "calling_number", "called_number"
    )
    assert [tuple(value or "" for value in row) for row in landed] == [
        (start, *row) for row in rows
    ]


def _read(content: bytes, sizes: list[int], *, tolerant: bool = False) -> tuple:
    """All that LineStream makes of some bytes, cut into blocks of these sizes."""
    shape = recognise(samples.lines(HEADER, *GOOD).splitlines()).shape
    blocks = []
    position = 0
    turn = 0
    while position < len(content):
        size = sizes[turn % len(sizes)]
        blocks.append(content[position : position + size])
        position += size
        turn += 1
    stream = LineStream(blocks, shape, file_id=1, tolerate_undecodable=True)
    if tolerant:
        stream._plain = stream._careful = None
    copied = b"".join(stream.copy_input())
    rows = csv.reader(io.StringIO(copied.decode(), newline=""))
    # The fast path pads line numbers with zeros; to the database that is the same number.
    data = [(file_id, int(line_no), *values) for file_id, line_no, *values in rows]
    aside = [b"".join(spool.blocks()) for spool in (stream.non_data, stream.quarantine)]
    counts = (stream.line_no, stream.data_count, stream.non_data.count, stream.quarantine.count)
    stream.close()
    return data, aside, counts


@IN_MEMORY
@given(
    content=damaged_files(), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5)
)
def test_blocks_may_be_cut_anywhere(content: bytes, sizes: list[int]) -> None:
    assert _read(content, sizes) == _read(content, [1 << 20])


@IN_MEMORY
@given(content=damaged_files())
def test_the_fast_path_decides_nothing(content: bytes) -> None:
    """Lines the pattern accepts read the same when each goes through the tolerant path."""
    fast, fast_aside, fast_counts = _read(content, [1 << 20])
    slow, slow_aside, slow_counts = _read(content, [1 << 20], tolerant=True)
    assert (fast_aside, fast_counts) == (slow_aside, slow_counts)
    assert fast == slow


@IN_MEMORY
@given(content=damaged_files())
def test_every_line_is_accounted_for_once(content: bytes) -> None:
    data, (non_data, quarantine), (line_no, *counts) = _read(content, [64])
    numbers = [row[1] for row in data]
    for spool in (non_data, quarantine):
        reader = csv.reader(io.StringIO(spool.decode(), newline=""))
        numbers += [int(row[1]) for row in reader]
    assert max(Counter(numbers).values()) == 1
    assert len(numbers) == sum(counts)
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    assert line_no == lines
    inside_values = sum(value.count("\n") for row in data for value in row[2:])
    assert len(numbers) + inside_values == lines


def test_undecodable_bytes_ask_for_another_encoding() -> None:
    shape = recognise(samples.lines(HEADER, *GOOD).splitlines()).shape
    stream = LineStream([b"caf\xe9,1,2,3,4\n"], shape, file_id=1)
    try:
        list(stream.copy_input())
    except NotUtf8:
        return
    raise AssertionError("bytes that are not UTF-8 were taken for UTF-8")
