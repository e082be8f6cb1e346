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
    "made_3cx_cdr.log.csv": ("threecx", 2),
    "freepbx_db_export_noheader_dmy_trailing_comma.csv": ("asterisk_cdr", 500),
    "freepbx_export_header_a.csv": ("asterisk_cdr", 100),
    "freepbx_export_header_b_overlaps_a.csv": ("asterisk_cdr", 100),
    "freepbx_report_cr_only_dmy.csv": ("asterisk_cdr", 100),
    "made_master_16col_localtime.csv": ("asterisk_cdr", 3),
    "master_21col_utc_newcolumns.csv": ("asterisk_cdr", 70),
    "master_cdr_custom_19col.csv": ("asterisk_cdr", 14),
    "made_billmax_header.csv": ("billmax_input", 2),
    "bw_2009_r14_header_start_end.csv": ("broadworks", 1),
    "made_bw_escaped_commas.csv": ("broadworks", 1),
    "doc_realworld_au.csv": ("realworld_au", 3),
    "made_bandwidth_bdr.csv": ("bandwidth_bdr", 2),
    "made_voip_innovations.CDR.csv": ("voip_innovations", 2),
    "made_windstream.tsv.txt": ("windstream", 2),
    "CDRImport-2015-10-26.csv": ("cdr_stats", 5),
    "import_cdr.txt": ("cdr_stats_generic", 5),
    "import_voipcall_report.txt": ("voipcall_report", 9),
    "csv_default_template.csv": ("cgrates_csv", 2),
    "csv_semicolon_commented.csv": ("cgrates_semicolon", 3),
    "fwv_hdr_cdr_trl.CDR.txt": ("cgrates_fwv", 33),
    "cdr_no_type_row_anonymised.csv": ("cisco_cucm", 3),
    "made_cdr_StandAloneCluster_01_with_type_row.txt": ("cisco_cucm", 3),
    "doc_gnu_radius_detail.txt": ("radius_detail", 2),
    "made_radacct_gigawords.csv": ("radacct", 6),
    "made_bom_crlf_semicolon_decimal_comma.csv": ("mapped_usage", 2),
    "made_embedded_newline_and_bad_quotes.csv": ("mapped_usage", 3),
    "made_epoch_seconds_millis_micros.csv": ("mapped_usage", 5),
    "made_excel_scientific_apostrophe.csv": ("mapped_usage", 2),
    "made_header_repeated_midfile_and_trailer.csv": ("asterisk_cdr", 3),
    "made_utf16le_tab.txt": ("mapped_usage", 1),
    "made_emi_010101_210.txt": ("emi", 3),
    "doc_master_example_template.csv": ("freeswitch_csv", 5),
    "made_master_default_template_13col.csv": ("freeswitch_csv", 2),
    "master_excel_resaved.csv": ("freeswitch_csv", 10),
    "flatstore_invite_bye.txt": ("sip_accounting", 8),
    "flatstore_missed.txt": ("sip_accounting", 3),
    "flatstore_orphan_bye.txt": ("sip_accounting", 1),
    "flatstore_orphan_invite.txt": ("sip_accounting", 2),
    "made_advanced_cdr.csv": ("netsapiens_advanced", 4),
    "made_cdr_v1_fields.csv": ("netsapiens_raw", 2),
    "pbxware_cdr_table_1.csv": ("pbxware", 450),
    "pbxware_cdr_tmp.csv": ("pbxware", 7),
    "doc_xarios_billing_data.csv": ("xarios", 1),
    "made_gamma_item_rental_8col.csv": ("gamma_item_rental", 4),
    "made_generic_carrier_charges.csv": ("carrier_charge", 4),
    "made_unitel_mixed_usage_se_occ_19col.csv": ("unitel_mixed", 5),
    "made_telnyx_mdr.csv": ("telnyx_mdr", 3),
    "made_gamma_header_42col.csv": ("uk_standard", 3),
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
