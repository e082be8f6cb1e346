"""Recognition by content: every sample, whatever it is called and whatever was before it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loaders.files import load_paths
from loaders.layouts import LAYOUTS, recognise
from loaders.settings import project_root
from tests.loaders.conftest import Warehouse
from tests.loaders.reading import head_of, only, profile
from tests.loaders.test_samples import EXPECTED, SAMPLES

GOLDEN = project_root() / "tests" / "golden"


def _samples() -> Iterator[tuple[Path, str]]:
    """Every sample at hand and the layout it has."""
    for expected in GOLDEN.glob("*/*.json"):
        sample = expected.with_suffix("")
        layout = json.loads(expected.read_text("utf-8")).get("layout")
        if sample.is_file() and layout is not None:
            yield sample, layout
    for path in SAMPLES.rglob("*"):
        if path.name in EXPECTED:
            yield path, EXPECTED[path.name][0]


def test_samples_are_recognised_shuffled_and_renamed(empty_warehouse: Warehouse) -> None:
    rng = random.Random(7)
    samples = sorted(_samples())
    assert len(samples) > 20
    rng.shuffle(samples)
    wrong = {}
    seen: set[bytes] = set()
    for number, (path, layout) in enumerate(samples):
        content = path.read_bytes()
        if content in seen:
            continue
        seen.add(content)
        name = f"{rng.randrange(1 << 32):08x}.{rng.choice(['csv', 'txt', 'log', 'dat'])}"
        renamed = empty_warehouse.write(f"{number}/{name}", content)
        (result,) = load_paths(empty_warehouse.connection, [renamed])
        empty_warehouse.check_balance(result)
        if result.layout_code != layout:
            wrong[f"{path.parent.name}/{path.name}"] = (result.layout_code, result.explanation)
        # What a sample holds may hold it back; that nobody knows it may not.
        assert result.status == "landed" or result.status_reason != "unknown_layout", path
    assert wrong == {}


def test_each_sample_is_judged_quickly() -> None:
    slowest = 0.0
    for path, _ in _samples():
        lines = path.read_bytes()[: 256 * 1024].decode("utf-8", "replace").split("\n")
        before = time.process_time()
        recognise(lines)
        slowest = max(slowest, time.process_time() - before)
    assert slowest < 0.6


NARROW = """
[[columns]]
name = "start"
[[columns]]
name = "caller"
[[columns]]
name = "seconds"
[[header]]
required = ["start", "caller"]
checks = { start = "datetime" }
[[variants]]
code = "plain"
columns = ["start", "caller", "seconds"]
checks = { start = "datetime" }
"""
WIDE = NARROW.replace('"start", "caller"]\n', '"start", "caller", "seconds"]\n', 1).replace(
    'checks = { start = "datetime" }\n', 'checks = { start = "datetime", seconds = "integer" }\n'
)
START = "2026-10-05 10:00:00"


@pytest.mark.parametrize("order", [("narrow", "wide"), ("wide", "narrow")])
def test_more_required_words_and_more_checks_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    texts = {"narrow": NARROW, "wide": WIDE}
    only(monkeypatch, *(profile(tmp_path, texts[code], code) for code in order))

    def found(content: str) -> str:
        return head_of(content.encode()).shape.layout.code

    assert found(f"Start,Caller,Seconds\n{START},1,2\n") == "wide"
    assert found(f"SECONDS;caller;'start'\n2;1;{START}\n") == "wide"
    assert found(f"Start,Caller,Other\n{START},1,2\n") == "narrow"
    # All the words, but values that are not what they should be.
    assert found(f"Start,Caller,Seconds\n{START},1,x\n{START},1,y\n") == "narrow"
    assert found(f"{START},1,2\n") == "wide"
    assert found(f"{START},1,x\n{START},2,y\n") == "narrow"


def test_the_form_of_whole_lines_outranks_checks_of_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = 'reader = "lines"\n[lines]\ndata = \'^INSERT [(]\'\n'
    fields = WIDE.replace('"integer"', '"filled"').replace('"datetime"', '"filled"')
    only(monkeypatch, profile(tmp_path, fields, "fields"), profile(tmp_path, lines, "lines"))
    assert head_of(b"INSERT (1,2,3);\n").shape.layout.code == "lines"
    assert head_of(b"1,2,3\n").shape.layout.code == "fields"


@pytest.mark.parametrize("start", ["420123456789", "010612345678", "202401311200"])
def test_numbers_at_the_start_of_lines_are_no_fixed_width(start: str) -> None:
    line = f"{start},{START},1201,1202,60,ANSWERED,some more text so that the line is long enough"
    assert recognise([line] * 5).scores["emi"] == 0.0


def test_a_named_layout_wins_over_a_generic_one_that_scores_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = f"Call Start,Calling Number,Called Number,Duration\n{START},1201,1202,60\n" * 3
    generic = LAYOUTS["mapped_usage"]
    named = profile(
        tmp_path,
        '[[columns]]\nname = "at"\nheaders = ["Call Start"]\n[[columns]]\nname = "duration"\n'
        '[[header]]\nrequired = ["at", "duration"]\nchecks = { duration = "in:60|61|62" }\n',
    )
    for layouts in ((named, generic), (generic, named)):
        only(monkeypatch, *layouts)
        result = head_of(content.encode())
        assert result.shape.layout.code == "made"
        assert result.scores["mapped_usage"] > 0.8
    only(monkeypatch, generic)
    assert head_of(content.encode()).shape.layout.code == "mapped_usage"


def test_a_source_may_name_a_layout_whose_header_lacks_a_word(warehouse: Warehouse) -> None:
    layout = LAYOUTS["netsapiens_advanced"]
    rule = layout.headers[0]
    names = [name for name in layout.aliases if name != rule.required[-1]]
    header = ",".join(names)
    row = ",".join(
        f"2026-10-05 10:00:0{index}" if "time" in name else str(index)
        for index, name in enumerate(names)
    )
    content = f"{header}\n{row}\n"
    free = warehouse.load("free.csv", content)
    assert free.layout_code != "netsapiens_advanced"
    warehouse.declare("named_one", "netsapiens_advanced")
    declared = warehouse.load("named_one/other.csv", content + row.replace(":00:", ":01:") + "\n")
    assert (declared.status, declared.layout_code) == ("landed", "netsapiens_advanced")
    assert declared.data_count == 2


def test_the_best_scores_stand_in_the_words(warehouse: Warehouse) -> None:
    result = warehouse.load("odd.csv", "Duration,Call Type,BTN,State\nlong,short,thick,thin\n")
    assert result.status_reason == "unknown_layout"
    told = result.explanation.removeprefix("no layout fits well enough: ").split(", ")
    scores = warehouse.value(
        "select detection -> 'scores' from control.file where file_id = %s", result.file_id
    )
    best = sorted((score for score in scores.values() if score > 0), reverse=True)[:5]
    assert [float(part.rsplit(" ", 1)[1]) for part in told] == [round(s, 2) for s in best]
    assert set(scores) == set(LAYOUTS)
    poem = warehouse.load("poem.csv", "one is red, violets\nanother blue, and so\n")
    assert poem.explanation == "nothing in the file speaks for any layout that is known"


def test_a_stated_count_that_is_wrong_holds_the_file(warehouse: Warehouse) -> None:
    sample = GOLDEN / "cgrates_fwv" / "EXAMPLE-310.CDR"
    content = sample.read_bytes()
    landed = warehouse.load("good.CDR", content)
    trailer = warehouse.rows(
        "select trailer_count = data_count, trailer_total > 0, detection ? 'sequence' "
        "from control.file where file_id = %s",
        landed.file_id,
    )
    assert trailer == [(True, True, True)]
    lines = content.splitlines(keepends=True)
    short = warehouse.load("short.CDR", b"".join(lines[:1] + lines[2:]))
    assert (short.status, short.status_reason) == ("held", "trailer_mismatch")


@pytest.mark.parametrize("count", [5_000, 1_000_000])
def test_a_header_of_endless_columns_is_refused(warehouse: Warehouse, count: int) -> None:
    names = ["calldate", "src", "dst", "billsec", "disposition", *("x" * count)]
    row = ["2026-10-05 10:00:00", "1", "2", "3", "ANSWERED", *("y" * count)]
    result = warehouse.load(f"wide{count}.csv", ",".join(names) + "\n" + ",".join(row) + "\n")
    assert (result.status, result.status_reason) == ("held", "unknown_layout")
    assert "columns; lines of more than 4000 are not read" in result.explanation
