"""Real files, where the collection of samples is at hand: each lands or is held, and balances."""

from __future__ import annotations

import os
from pathlib import Path

from loaders.files import load_paths
from loaders.settings import project_root
from tests.loaders.conftest import Warehouse

SAMPLES = Path(
    os.environ.get("RATEHOUSE_SAMPLES")
    or project_root().parent / "shared" / "formats" / "samples"
)
# Layout and data records of the samples whose layout this version reads.
EXPECTED = {
    "freepbx_db_export_noheader_dmy_trailing_comma.csv": ("asterisk_cdr", 500),
    "freepbx_export_header_a.csv": ("asterisk_cdr", 100),
    "freepbx_export_header_b_overlaps_a.csv": ("asterisk_cdr", 100),
    "freepbx_report_cr_only_dmy.csv": ("asterisk_cdr", 100),
    "made_master_16col_localtime.csv": ("asterisk_cdr", 3),
    "master_21col_utc_newcolumns.csv": ("asterisk_cdr", 70),
    "master_cdr_custom_19col.csv": ("asterisk_cdr", 14),
    "pbxware_cdr_table_1.csv": ("asterisk_cdr", 450),
    "made_header_repeated_midfile_and_trailer.csv": ("asterisk_cdr", 3),
    "made_embedded_newline_and_bad_quotes.csv": ("mapped_usage", 3),
    "made_utf16le_tab.txt": ("mapped_usage", 1),
    "made_generic_carrier_charges.csv": ("carrier_charge", 4),
    "doc_xarios_billing_data.csv": ("carrier_charge", 1),
}


def test_all_samples_land_or_are_held(empty_warehouse: Warehouse) -> None:
    if not SAMPLES.is_dir():
        return
    results = load_paths(empty_warehouse.connection, [SAMPLES])
    assert {result.status for result in results} == {"landed", "held"}
    for result in results:
        empty_warehouse.check_balance(result)
        assert result.status == "landed" or result.explanation
    found = {result.file_name: result for result in results}
    for name in set(EXPECTED) & set(found):
        result = found[name]
        assert (result.layout_code, result.data_count) == EXPECTED[name], name
