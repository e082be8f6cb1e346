"""Carriers without a public layout: the mapping their page shows reads a file.

The files are made up, as are their columns: the pages invent no layout.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loaders.database import connect
from loaders.reference import load_reference
from orchestration.lib.preview import preview_paths
from tests.golden.test_golden import differences

_EXAMPLES = Path(__file__).parents[2] / "docs" / "layouts" / "examples"
_FILES = {
    "frontier": (
        "Call No,Billed Number,Connect,From,To,Secs,Charge,Kind,Clerk\n"
        "F-1,2065550100,06/13/2024 09:15:30 PM,2065550101,(303) 555-0123,61,0.0450,Interstate,x\n"
        "F-2,2065550100,01/13/2024 09:15:30,2065550101,3035550124,0,0.0000,Interstate,\n"
    ),
    "metaswitch": (
        "M-1;CFS1;2024-06-13 12:00:00;2024-06-13 12:00:04;2065550101;3035550123;ok;56;TG-7\n"
        "M-2;CFS1;2024-06-13 12:05:00;;2065550101;3035550124;no;0;TG-7\n"
    ),
}
_MEANT: dict[str, list[dict[str, Any]]] = {
    # New York: four hours behind UTC in June, five in January.
    "frontier": [
        {
            "line_no": 2, "source_record_id": "F-1",
            "start_utc": "2024-06-14T01:15:30Z", "billable_s": "61",
            "src_number": "12065550101", "dst_number": "13035550123", "carrier_cost": "0.0450",
            "service_key_1": "2065550100", "disposition": "answered", "nonbillable_reason": None,
        },
        {
            "line_no": 3, "source_record_id": "F-2",
            "start_utc": "2024-01-13T14:15:30Z", "billable_s": "0",
            "disposition": "no_answer", "nonbillable_reason": "unanswered",
        },
    ],
    "metaswitch": [
        {
            "line_no": 1, "source_record_id": "M-1", "start_utc": "2024-06-13T12:00:00Z",
            "answer_utc": "2024-06-13T12:00:04Z", "billable_s": "56", "trunk": "TG-7",
            "dst_number": "13035550123",
        },
        {"line_no": 2, "answer_utc": None, "nonbillable_reason": "unanswered"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("carrier", _FILES)
def test_the_mapping_of_the_page_reads_a_file(
    carrier: str, module_database: str, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(_FILES[carrier])
    with closing(connect(url=module_database)) as connection:
        load_reference(connection, "source", _EXAMPLES / carrier / "source.csv")
        with preview_paths(connection, module_database, [path], source=carrier) as previews:
            (found,) = (json.loads("".join(preview.to_json())) for preview in previews)
    assert (found["layout"], found["variant"]) == ("mapped_usage", "column_map")
    assert not list(differences(_MEANT[carrier], found["records"]))
