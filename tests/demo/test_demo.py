"""The demo generator: same bytes for the same flags, honest manifest, usable reference data."""

import csv
import filecmp
import gzip
import json
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from loaders.demo.__main__ import main
from loaders.demo.bulk import write_bulk
from loaders.demo.generate import DemoOptions, generate


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    generate(out, DemoOptions(cdrs=6000, charges=300))
    return out


def rows(demo: Path, kind: str) -> list[dict[str, str]]:
    with (demo / "reference" / f"{kind}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def test_same_flags_give_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", DemoOptions(cdrs=6000, charges=300))
    names = sorted(str(path.relative_to(demo)) for path in demo.rglob("*") if path.is_file())
    again = tmp_path / "again"
    assert names == sorted(str(p.relative_to(again)) for p in again.rglob("*") if p.is_file())
    _, different, unreadable = filecmp.cmpfiles(demo, again, names, shallow=False)
    assert (different, unreadable) == ([], [])


def test_another_seed_gives_other_calls_and_another_month_other_dates(tmp_path: Path) -> None:
    generate(tmp_path / "one", DemoOptions(cdrs=400, charges=10, seed=1, month="2026-02"))
    generate(tmp_path / "two", DemoOptions(cdrs=400, charges=10, seed=2, month="2026-02"))
    name = "files/carrier_alpha/alpha_calls_2026-02_part1.csv"
    first, second = (tmp_path / "one" / name), (tmp_path / "two" / name)
    assert first.read_bytes() != second.read_bytes()
    assert b"/02/2026 " in first.read_bytes()


def test_manifest_counts_every_record_of_clean_files(demo: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_text())
    checked = 0
    for entry in manifest["files"]:
        if entry["source"] not in ("metro_switch", "carrier_beta_info"):
            continue
        path = demo / "files" / entry["source"] / entry["file"]
        text = content(path).decode()
        found = [row for row in csv.reader(text.splitlines(keepends=True)) if row]
        headers = 1 if entry["source"] == "carrier_beta_info" else 0
        assert len(found) - headers == entry["records"], entry["file"]
        checked += 1
    assert checked > 25
    assert manifest["records"] == sum(entry["records"] for entry in manifest["files"])
    extra = sum(
        manifest["dirt"].get(kind, 0)
        for kind in ("repeated_row", "overlapping_row", "key_conflict", "equal_lines")
    )
    assert manifest["records"] == manifest["cdrs"] + manifest["charges"] + extra


def test_dirt_is_three_to_five_per_cent_and_of_many_kinds(demo: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_text())
    share = sum(manifest["dirt"].values()) / manifest["records"]
    assert 0.03 <= share <= 0.055
    assert len(manifest["dirt"]) >= 30


def test_bad_files_are_what_they_claim(demo: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_text())
    bad = {entry["expected"]: demo / "files" / entry["source"] / entry["file"]
           for entry in manifest["bad_files"]}  # fmt: skip
    assert set(bad) == {"same_bytes", "truncated_archive", "unknown_layout", "empty"}
    original = bad["same_bytes"].with_name(bad["same_bytes"].name.replace("resend-", ""))
    assert original.read_bytes() == bad["same_bytes"].read_bytes()
    with pytest.raises(EOFError):
        content(bad["truncated_archive"])
    assert bad["empty"].read_bytes() == b""


def test_no_two_reference_rows_of_one_key_hold_at_once(demo: Path) -> None:
    keys = {
        "account": ("account_code",),
        "service": ("service_code",),
        "rate": ("deck_code", "prefix", "jurisdiction"),
        "npanxx": ("npanxx",),
        "npa": ("npa",),
        "charge_tariff": ("charge_tariff_code", "product_code"),
    }
    for kind, columns in keys.items():
        ranges = defaultdict(list)
        for row in rows(demo, kind):
            span = (row.get("valid_from") or "0", row.get("valid_to") or "9")
            ranges[tuple(row[column] for column in columns)].append(span)
        for key, spans in ranges.items():
            spans.sort()
            for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
                assert end <= start, (kind, key)


def test_identifiers_of_one_direction_never_overlap(demo: Path) -> None:
    ranges = defaultdict(list)
    for row in rows(demo, "service_identifier"):
        for direction in ("outbound", "inbound"):
            if row["direction"] in (direction, "both"):
                key = (row["identifier_kind"], row["identifier_value"], direction)
                ranges[key].append((row["valid_from"] or "0", row["valid_to"] or "9"))
    for key, spans in ranges.items():
        spans.sort()
        for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
            assert end <= start, key
    kinds = Counter(row["identifier_kind"] for row in rows(demo, "service_identifier"))
    assert set(kinds) == {"number", "pattern", "account_key", "circuit"}
    assert any(len(spans) == 2 for spans in ranges.values()), "a number moves mid-month"


def test_every_code_that_is_referred_to_exists(demo: Path) -> None:
    plans = {row["plan_code"] for row in rows(demo, "plan")}
    decks = {row["deck_code"] for row in rows(demo, "deck")}
    accounts = {row["account_code"] for row in rows(demo, "account")}
    services = {row["service_code"] for row in rows(demo, "service")}
    assert len(accounts) == 120 and len(services) == 400 and len(plans) == 5
    assert {row["plan_code"] for row in rows(demo, "account")} <= plans | {""}
    assert {row["plan_code"] for row in rows(demo, "service")} <= plans | {""}
    assert {row["account_code"] for row in rows(demo, "service")} == accounts
    assert {row["service_code"] for row in rows(demo, "service_identifier")} <= services
    assert {row["deck_code"] for row in rows(demo, "rate")} == decks
    assert {row["cost_deck_code"] for row in rows(demo, "source")} <= decks | {""}
    assert len({row["state_code"] for row in rows(demo, "npanxx")}) == 40
    assert 1400 <= len(rows(demo, "npanxx")) <= 1600


def test_memory_does_not_grow_with_the_number_of_calls(tmp_path: Path) -> None:
    peaks = []
    for count in (4_000, 16_000):
        tracemalloc.start()
        assert write_bulk(tmp_path / f"bulk{count}.csv", count) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_bulk_lines_have_eighteen_fields(tmp_path: Path) -> None:
    path = tmp_path / "bulk.csv"
    write_bulk(path, 500)
    with path.open(encoding="utf-8", newline="") as stream:
        assert {len(row) for row in csv.reader(stream)} == {18}


@pytest.mark.parametrize("month", ["2026-13", "26-10", "October"])
def test_an_impossible_month_is_refused_in_words(
    month: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "x"), "--month", month])
    assert "--month must look like 2026-10" in capsys.readouterr().err


def test_an_existing_demo_is_never_mixed_with_a_new_one(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(demo), "--cdrs", "10"])
    assert "choose an empty folder" in capsys.readouterr().err
