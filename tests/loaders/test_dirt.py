"""Each kind of dirt ends where it belongs, with line, field and reason, and nothing is lost."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from loaders.files import records, stored
from tests.loaders import samples
from tests.loaders.conftest import Warehouse

HEADER = samples.MAPPED_HEADER


def _mapped(*rows: str, end: str = "\n") -> str:
    return samples.lines(HEADER, *rows, end=end)


def _named(value: str, number: int = 1) -> str:
    """A mapped line whose calling number is ``value``, as written."""
    return f"2026-10-05 10:00:{number:02d},{value},13235550199,65,60"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('""Bob" <101>"', '"Bob" <101>'),
        ('""Smith, J" <101>"', '"Smith, J" <101>'),
        ('""""" <client1>"', '"" <client1>'),
        ('""" <7009>"', '" <7009>'),
        ('"User 10" <114>', '"User 10" <114>'),
        ("Acme\\, Inc", "Acme, Inc"),
        ('"Acme \\"A\\" Inc"', 'Acme "A" Inc'),
        ('5" pipe', '5" pipe'),
        ('="02079460999"', '="02079460999"'),
        ("'0044207", "'0044207"),
        ('"a,b"', "a,b"),
        ('"a;b|c&d^e"', "a;b|c&d^e"),
        ('""', ""),
        ("", None),
        ("NULL", "NULL"),
        (" 101 ", " 101 "),
        ("\\N", "\\N"),
        ("C:\\temp", "C:\\temp"),
    ],
)
def test_value_forms(warehouse: Warehouse, written: str, value: str | None) -> None:
    result = warehouse.load("calls.csv", _mapped(_named(written), samples.mapped(2)))
    assert (result.data_count, result.quarantined_count) == (2, 0)
    assert warehouse.data(result, "line_no", "calling_number", "called_number")[0] == (
        2, value, "13235550199",
    )  # fmt: skip


def test_quoted_value_over_several_lines(warehouse: Warehouse) -> None:
    content = _mapped(_named('"Bob ""The\nBuilder"""'), samples.mapped(2))
    result = warehouse.load("calls.csv", content)
    assert (result.record_count, result.data_count) == (3, 2)
    rows = warehouse.data(result, "line_no", "calling_number")
    assert rows[0] == (2, 'Bob "The\nBuilder"')
    # The line after it keeps its physical number.
    assert rows[1][0] == 4


def test_quote_that_is_never_closed_costs_one_line(warehouse: Warehouse) -> None:
    content = _mapped(samples.mapped(1), _named('"Bob'), samples.mapped(3), samples.mapped(4))
    result = warehouse.load("calls.csv", content)
    assert (result.data_count, result.quarantined_count) == (3, 1)
    assert warehouse.quarantine(result) == [(3, "broken_quoting", "Calling Number")]
    reason, raw = warehouse.rows(
        "select reason, convert_from(raw_bytes, 'UTF8') from landing.quarantine "
        "where file_id = %s",
        result.file_id,
    )[0]
    assert "not closed" in reason
    assert raw == _named('"Bob')


def test_quotes_with_two_readings_are_not_guessed(warehouse: Warehouse) -> None:
    # Five fields as ["a"b] [c"d"] [x"p,q"y], and five as ["a"b,c"d"] [x"p] [q"y].
    line = '2026-10-05 10:00:01,"a"b,c"d",x"p,q"y,60'
    result = warehouse.load("calls.csv", _mapped(samples.mapped(1), line, samples.mapped(2)))
    assert warehouse.quarantine(result) == [(3, "broken_quoting", "Calling Number")]


def test_too_few_and_too_many_fields(warehouse: Warehouse) -> None:
    short, long = samples.mapped(2).rsplit(",", 1)[0], samples.mapped(3) + ",x,y"
    content = _mapped(*map(samples.mapped, range(4, 9)), short, long)
    result = warehouse.load("calls.csv", content)
    assert warehouse.quarantine(result) == [
        (7, "too_few_fields", "Billable Seconds"),
        (8, "too_many_fields", "field 6"),
    ]
    assert result.data_count == 5


def test_empty_fields_beyond_the_columns_are_dropped(warehouse: Warehouse) -> None:
    result = warehouse.load("calls.csv", _mapped(samples.mapped(1) + ",,", samples.mapped(2)))
    assert (result.data_count, result.quarantined_count) == (2, 0)


def test_nameless_last_column_may_be_absent(warehouse: Warehouse) -> None:
    content = samples.lines(HEADER + ",", samples.mapped(1) + ",", samples.mapped(2))
    result = warehouse.load("calls.csv", content)
    assert (result.data_count, result.quarantined_count) == (2, 0)


def test_lines_that_are_no_records(warehouse: Warehouse) -> None:
    content = samples.lines(
        "Report of October",
        "",
        HEADER,
        samples.mapped(1),
        ",,,,",
        '"","","","",""',
        "# made by hand",
        HEADER,
        '"' + HEADER.replace(",", '","').upper() + '"',
        samples.mapped(2),
        "Total,,,130,120",
        "Total records: 2,,,,",
        "TRAILER,2",
        "   ",
    )
    result = warehouse.load("calls.csv", content)
    assert [number for number, *_ in warehouse.data(result, "line_no")] == [4, 10]
    assert warehouse.non_data(result) == [
        (1, "marker"), (2, "blank"), (3, "header"), (5, "blank"), (6, "blank"), (7, "comment"),
        (8, "repeated_header"), (9, "repeated_header"), (11, "total"), (12, "total"),
        (13, "trailer"), (14, "blank"),
    ]  # fmt: skip
    assert result.quarantined_count == 0


def test_a_record_that_begins_like_a_total_stays_a_record(warehouse: Warehouse) -> None:
    header = "Customer,Call Start,Calling Number,Called Number,Duration"
    row = "Total Telecom Ltd,2026-10-05 10:00:00,12125550100,13235550199,60"
    feature_code = "#31#,2026-10-05 10:00:00,12125550100,13235550199,60"
    result = warehouse.load("calls.csv", samples.lines(header, row, feature_code))
    assert (result.data_count, result.non_data_count) == (2, 1)


def test_stated_count_that_is_wrong_holds_the_file(warehouse: Warehouse) -> None:
    content = _mapped(samples.mapped(1), samples.mapped(2), "Total records: 3,,,,")
    result = warehouse.load("calls.csv", content)
    assert (result.status, result.status_reason) == ("held", "trailer_mismatch")
    assert "3 records, but 2" in result.explanation
    assert (result.record_count, result.data_count) == (4, 2)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("last_newline", [True, False])
def test_line_ends(warehouse: Warehouse, end: str, last_newline: bool) -> None:
    content = _mapped(*map(samples.mapped, range(5)), end=end)
    if not last_newline:
        content = content.removesuffix(end)
    result = warehouse.load("calls.csv", content)
    assert (result.data_count, result.non_data_count, result.quarantined_count) == (5, 1, 0)
    assert warehouse.data(result, "line_no", "billable_duration")[-1] == (6, "60")


def test_mixed_line_ends(warehouse: Warehouse) -> None:
    content = HEADER + "\r\n" + samples.mapped(1) + "\n" + samples.mapped(2) + "\r\n"
    result = warehouse.load("calls.csv", content)
    assert [row[0] for row in warehouse.data(result, "billable_duration")] == ["60", "60"]


@pytest.mark.parametrize(
    ("encoding", "recorded"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings(warehouse: Warehouse, encoding: str, recorded: str) -> None:
    header = "Call Start\tCaller Name\tCalling Number\tCalled Number\tDuration"
    row = "2026-10-05 10:00:00\tZoë “Œuvre” €\t12125550100\t13235550199\t60"
    result = warehouse.load("calls.txt", samples.lines(header, row).encode(encoding))
    assert warehouse.data(result, "line_no", "calling_name") == [(2, "Zoë “Œuvre” €")]
    assert warehouse.value(
        "select encoding from control.file where file_id = %s", result.file_id
    ) == recorded  # fmt: skip


def test_latin_1_far_behind_the_beginning(warehouse: Warehouse) -> None:
    rows = [samples.cdr_csv(number) for number in range(2000)]
    rows.append(samples.cdr_csv(1, name="Yen ¥"))
    content = samples.lines(*rows).encode("latin-1")
    assert content.index(b"\xa5") > stored.HEAD
    result = warehouse.load("Master.csv", content)
    assert (result.status, result.data_count) == ("landed", 2001)
    assert warehouse.data(result, "clid")[-1] == ('"Yen ¥" <12125550001>',)
    assert warehouse.value(
        "select encoding from control.file where file_id = %s", result.file_id
    ) == "latin-1"  # fmt: skip


def test_damaged_line_in_a_utf8_file_is_quarantined_alone(warehouse: Warehouse) -> None:
    good = [_named("Zoë", number) for number in range(3)]
    content = _mapped(*good, _named("X", 9)).encode().replace(b",X,", b",\xa5,")
    result = warehouse.load("calls.csv", content)
    assert result.data_count == 3
    assert warehouse.quarantine(result) == [(5, "undecodable_bytes", None)]


def test_damaged_line_in_a_utf16_file(warehouse: Warehouse) -> None:
    rows = _mapped(samples.mapped(1), _named("X"), samples.mapped(2)).encode("utf-16-le")
    content = b"\xff\xfe" + rows.replace("X".encode("utf-16-le"), b"\x00\xdc")
    result = warehouse.load("calls.csv", content)
    assert (result.data_count, warehouse.quarantine(result)) == (
        2, [(3, "undecodable_bytes", None)],
    )  # fmt: skip


def test_zero_byte(warehouse: Warehouse) -> None:
    content = _mapped(samples.mapped(1), _named("a\0b"), samples.mapped(2))
    result = warehouse.load("calls.csv", content)
    assert warehouse.quarantine(result) == [(3, "nul_byte", None)]
    assert result.data_count == 2


def test_line_too_long(warehouse: Warehouse) -> None:
    long = _named('"' + "x" * (3 * records.MAXIMUM_LINE) + '"')
    content = _mapped(samples.mapped(1), long, samples.mapped(2), samples.mapped(3))
    result = warehouse.load("calls.csv", content)
    assert (result.data_count, warehouse.quarantine(result)) == (3, [(3, "line_too_long", None)])
    length, kept = warehouse.rows(
        "select raw_length, octet_length(raw_bytes) from landing.quarantine where file_id = %s",
        result.file_id,
    )[0]
    assert (length, kept) == (len(long), records.KEPT_OF_A_BAD_LINE)


@pytest.mark.parametrize("surplus", [0, 1])
def test_limit_of_a_line_is_exact(warehouse: Warehouse, surplus: int) -> None:
    frame = len(_named("")) - surplus
    line = _named("x" * (records.MAXIMUM_LINE - frame))
    result = warehouse.load("calls.csv", _mapped(samples.mapped(1), line, samples.mapped(2)))
    assert (result.data_count, result.quarantined_count) == (3 - surplus, surplus)


def test_too_many_bad_lines_hold_the_file(warehouse: Warehouse) -> None:
    warehouse.declare("strict", "mapped_usage", reject_ceiling_percent=10)
    good = [samples.mapped(number) for number in range(9)]
    result = warehouse.load("strict/ten.csv", _mapped(*good, "x,y"))
    assert (result.status, result.quarantined_count) == ("landed", 1)
    result = warehouse.load("strict/eleven.csv", _mapped(*good[1:], "x,y"))
    assert (result.status, result.status_reason) == ("held", "reject_ceiling")
    assert (result.data_count, result.quarantined_count) == (8, 1)


# -- whole files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["empty.csv", "empty.csv.gz"])
def test_empty_files_land(
    warehouse: Warehouse, name: str, gzipped: Callable[[bytes], bytes]
) -> None:
    content = gzipped(b"") if name.endswith("gz") else b""
    first = warehouse.load("one/" + name, content, "unassigned_mapped")
    again = warehouse.load("one/" + name, content, "unassigned_mapped")
    other = warehouse.load("two/other_" + name, content, "unassigned_mapped")
    assert (first.status, first.record_count) == ("landed", 0)
    assert (again.status, again.file_id) == ("already_loaded", first.file_id)
    assert other.status == "landed"


def test_gzip(warehouse: Warehouse, gzipped: Callable[[bytes], bytes]) -> None:
    content = _mapped(*map(samples.mapped, range(40))).encode()
    # Two members, as `cat a.gz b.gz` makes, and the zeros some tapes add.
    packed = gzipped(content[:500]) + gzipped(content[500:]) + b"\0" * 64
    result = warehouse.load("calls.csv.gz", packed)
    assert (result.status, result.data_count) == ("landed", 40)
    assert warehouse.rows(
        "select compression, byte_count from control.file where file_id = %s", result.file_id
    ) == [("gzip", len(packed))]


@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage behind"])
def test_damaged_gzip_lands_nothing(
    warehouse: Warehouse, gzipped: Callable[[bytes], bytes], damage: str
) -> None:
    rows = [samples.cdr_csv(number) for number in range(3000)]
    packed = bytearray(gzipped((damage + "\n" + samples.lines(*rows)).encode()))
    if damage == "cut":
        del packed[-200:]
    elif damage == "flipped":
        packed[len(packed) // 2] ^= 0xFF
    else:
        packed += b"garbage"
    result = warehouse.load(f"{damage}.gz", bytes(packed))
    assert (result.status, result.status_reason) == ("held", "truncated_archive")


def _zip(**members: bytes) -> bytes:
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def test_zip_with_one_member(warehouse: Warehouse) -> None:
    result = warehouse.load("calls.zip", _zip(a=_mapped(*map(samples.mapped, range(7))).encode()))
    assert (result.status, result.data_count) == ("landed", 7)


def test_zip_that_is_cut(warehouse: Warehouse) -> None:
    cut = warehouse.load("cut.zip", _zip(a=samples.lines("x" * 2000).encode())[:-30])
    assert (cut.status, cut.status_reason) == ("held", "truncated_archive")


def test_bomb(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "FREE_ALLOWANCE", 1024 * 1024)
    packed = gzip.compress(_mapped(*[samples.mapped(1)] * 200_000).encode(), mtime=0)
    result = warehouse.load("bomb.csv.gz", packed)
    assert (result.status, result.status_reason) == ("held", "archive_too_large")


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.4 binary",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        bytes(range(256)) * 40,
        _zip(**{"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<x/>"}),
    ],
)
def test_what_is_not_text_is_held(warehouse: Warehouse, content: bytes) -> None:
    result = warehouse.load("calls.csv", content)
    assert (result.status, result.status_reason) == ("held", "not_text")
    assert result.explanation
