"""The first draft of a layout: it is understood by the engine that will read it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loaders import settings
from loaders.layouts.profile import read_profile
from loaders.layouts.scaffold import Draft, ScaffoldError, draft_layout, write_draft

_FIRST = """Call ID;Start;Caller;Called;Seconds;Talk Seconds;Result;Price;Gateway
A-1;03/06/2026 09:00:01;02079460101;01632960123;70;60;ANSWERED;0,0125;gw1
A-2;13/06/2026 09:05:00;02079460102;07700900123;20;0;NO ANSWER;;gw1
"""
_SECOND = """Call ID;Start;Caller;Called;Seconds;Talk Seconds;Result;Price;Gateway
A-3;14/06/2026 10:00:01;02079460101;01632960123;12;10;ANSWERED;0,0025;gw2
"""
_CHARGES = """02/06/2026|02079460101|Line rental|12.50
02/06/2026|02079460102|Installation|99.00
"""


def files(folder: Path, *contents: str) -> list[Path]:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"example_{number}.csv"
        path.write_text(content)
        paths.append(path)
    return paths


def checkout(folder: Path) -> Path:
    """A folder with the one file a draft is added to."""
    (folder / "macros").mkdir(parents=True)
    macro = settings.project_root() / "macros" / "layouts.sql"
    (folder / "macros" / "layouts.sql").write_text(macro.read_text())
    return folder


def meanings(draft: Draft) -> dict[str, str | None]:
    return {column.name: column.meaning for column in draft.columns}


def test_a_header_gives_meanings_and_dates_their_order(tmp_path: Path) -> None:
    draft = draft_layout("acme_calls", files(tmp_path, _FIRST, _SECOND))
    assert draft.delimiter == ";"
    assert meanings(draft) == {
        "call_id": "call_group",
        "start": "start_time",
        "caller": "calling_number",
        "called": "called_number",
        "seconds": "duration",
        "talk_seconds": "billable_duration",
        "result": "disposition",
        "price": "carrier_amount",
        "gateway": None,
    }
    root = checkout(tmp_path / "root")
    write_draft(root, draft)
    layout = read_profile(root / "loaders/layouts/profiles/acme_calls.toml")
    assert layout.table_columns == (*meanings(draft), "extra_columns")
    assert layout.defaults["date_order"] == "dmy"
    assert layout.defaults["decimal_mark"] == ","
    assert layout.headers[0].required == tuple(meanings(draft))


def test_without_a_header_values_prove_the_layout(tmp_path: Path) -> None:
    draft = draft_layout("acme_rentals", files(tmp_path, _CHARGES), kind="sdr")
    root = checkout(tmp_path / "root")
    write_draft(root, draft)
    layout = read_profile(root / "loaders/layouts/profiles/acme_rentals.toml")
    assert not draft.has_header
    assert layout.variants[0].columns == ("column_1", "column_2", "column_3", "column_4")
    assert draft.columns[0].meaning == "period_from"
    assert draft.columns[3].meaning == "net_amount"
    listed = (root / "macros/layouts.sql").read_text()
    charges = re.search(r"macro charge_layouts.*?endmacro", listed, re.S)
    assert charges is not None and "'acme_rentals'" in charges[0]


def test_the_staging_model_reads_only_columns_that_land(tmp_path: Path) -> None:
    draft = draft_layout("acme_calls", files(tmp_path, _FIRST))
    staging = draft.files["dbt_project/models/staging/acme_calls/stg_acme_calls__usage.sql"]
    read = set(re.findall(r"records\.([a-z_0-9]+)", staging)) - {"file_id", "line_no"}
    assert read <= set(meanings(draft))
    given = re.findall(r" as ([a-z_0-9]+)", staging)
    unset = re.search(r"except=\[(.*?)\]", staging, re.S)
    assert unset is not None
    assert set(re.findall(r"'([a-z_0-9]+)'", unset[1])) == set(given) - {"record_key_hash"}


def test_the_expectation_waits_for_a_person(tmp_path: Path) -> None:
    draft = draft_layout("acme_calls", files(tmp_path, _FIRST))
    assert "WORK OUT BY HAND" in draft.files["tests/golden/acme_calls/acme_calls.csv.json"]


@pytest.mark.parametrize(
    ("code", "contents", "words"),
    [
        ("asterisk_cdr", [_FIRST], "already"),
        ("Acme", [_FIRST], "cannot name a layout"),
        ("acme", [""], "empty"),
        ("acme", ["nothing here\nto be split\n"], "not separated"),
        ("acme", ['{"leg": 1}\n'], "JSON or XML write a profile by hand"),
        ("acme", [_FIRST, _CHARGES.replace("|", ";")], "two layouts"),
        ("acme", [_FIRST, "Other;Words\na;b\n"], "different headers"),
    ],
)
def test_what_cannot_be_drafted_is_refused_in_words(
    tmp_path: Path, code: str, contents: list[str], words: str
) -> None:
    with pytest.raises(ScaffoldError, match=words):
        draft_layout(code, files(tmp_path, *contents))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    draft = draft_layout("acme_calls", files(tmp_path, _FIRST))
    root = checkout(tmp_path / "root")
    write_draft(root, draft)
    before = (root / "macros/layouts.sql").read_text()
    with pytest.raises(ScaffoldError, match="exists already"):
        write_draft(root, draft)
    assert (root / "macros/layouts.sql").read_text() == before
