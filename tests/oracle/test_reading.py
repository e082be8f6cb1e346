"""Files to records: headers, totals, line numbers, bad rows, held files."""

import gzip
from pathlib import Path

import pytest

from tests.oracle.reading import RawFile, read_file
from tests.oracle.reference import Reference
from tests.oracle.run import run

CLASSIC = (
    '"acc","2125550100","{dst}","ctx","""{name}"" <1>","ch","dch","Dial","SIP/x,60,tT",'
    '"2026-10-05 12:00:00",,"2026-10-05 12:01:00",60,50,"ANSWERED","DOCUMENTATION","1.{n}",""\n'
)
SOURCE = {"source_code": "s", "file_kind": "cdr", "layout_code": "asterisk_cdr"}
COLUMNS = {"Ref": "record_id", "When": "start_time", "A": "calling_number", "B": "called_number"}


def classic(number: int, dst: str = "13125550100", name: str = "Bob") -> str:
    return CLASSIC.format(n=number, dst=dst, name=name)


def read(tmp_path: Path, content: str | bytes, layout: str = "asterisk_cdr") -> RawFile:
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_file(path, "s", layout, COLUMNS)


def test_lines_are_numbered_as_in_the_file_also_behind_a_quoted_newline(tmp_path: Path) -> None:
    file = read(tmp_path, classic(1, name="A\nB") + "\n" + classic(2) + classic(3))
    assert [record.line_no for record in file.records] == [1, 4, 5]
    assert file.non_data == [(3, "blank")]
    assert file.records[0].values["clid"] == '"A\nB" <1>'
    assert file.records[0].values["dst"] == "13125550100"


def test_bad_rows_are_quarantined_with_the_reason(tmp_path: Path) -> None:
    short = ",".join(classic(2).split(",")[:8]) + "\n"
    longer = classic(3)[:-1] + ",1,2\n"
    nul = classic(4).replace("Dial", "Di\0al")
    file = read(tmp_path, classic(1) + short + longer + nul + classic(5))
    assert file.quarantine == [(2, "too_few_fields"), (3, "too_many_fields"), (4, "nul_byte")]
    assert [record.line_no for record in file.records] == [1, 5]


def test_headers_and_totals_are_no_data(tmp_path: Path) -> None:
    head = "calldate,clid,src,dst,duration,billsec,disposition\n"
    row = "2026-10-05 12:00:00,x,1,2,3,4,BUSY\n"
    file = read(tmp_path, head + row + head + row)
    assert file.non_data == [(1, "header"), (3, "repeated_header")]
    assert file.records[0].values["start_time"] == "2026-10-05 12:00:00"

    head, row = "Ref;When;A;B\n", "7;2026-10-05 12:00;1;2\n"
    text = head + row + ";;;\n" + head + "Total records: 2;;;\n" + row
    file = read(tmp_path, text, "mapped_usage")
    assert file.non_data == [(1, "header"), (3, "blank"), (4, "repeated_header"), (5, "total")]
    assert [record.values["called_number"] for record in file.records] == ["2", "2"]


@pytest.mark.parametrize(
    ("content", "layout", "status"),
    [
        (gzip.compress(b"a,b\n" * 500)[:30], "asterisk_cdr", ("held", "truncated_archive")),
        (b"<!DOCTYPE html>\n<p>Sorry</p>\n", "asterisk_cdr", ("held", "unknown_layout")),
        (b"<!DOCTYPE html>\n<p>Sorry</p>\n", "mapped_usage", ("held", "unknown_layout")),
        (b"", "asterisk_cdr", ("landed", None)),
        (gzip.compress(classic(1).encode()), "asterisk_cdr", ("landed", None)),
        (classic(1, name="Zo\xeb").encode("latin-1"), "asterisk_cdr", ("landed", None)),
    ],
)
def test_status(
    tmp_path: Path, content: bytes, layout: str, status: tuple[str, str | None]
) -> None:
    file = read(tmp_path, content, layout)
    assert (file.status, file.status_reason) == status


def test_the_same_bytes_under_another_name_are_held(tmp_path: Path) -> None:
    paths = []
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(classic(1))
        paths.append(("s", tmp_path / name))
    reference = Reference({"source": [SOURCE]})
    outcome = run(paths, reference)
    assert [(file.name, file.status, file.status_reason) for file in outcome.files] == [
        ("one.csv", "landed", None),
        ("two.csv", "held", "same_bytes"),
    ]
    assert len(outcome.legs) == 1


def test_the_landing_order_decides_which_record_is_the_original(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(classic(1))
    (tmp_path / "two.csv").write_text(classic(1) + classic(2))
    reference = Reference({"source": [SOURCE]})
    files = [("s", tmp_path / "one.csv"), ("s", tmp_path / "two.csv")]
    order = {("s", "one.csv"): 8, ("s", "two.csv"): 5}
    outcome = run(files, reference, landing_order=order)
    assert [(leg.file_id, leg.line_no, leg.original) for leg in outcome.legs] == [
        (5, 1, None),
        (5, 2, None),
        (8, 1, (5, 1)),
    ]
