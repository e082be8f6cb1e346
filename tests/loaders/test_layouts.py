"""Every variant of every layout is recognised by its content and lands in the right columns."""

from __future__ import annotations

import pytest

from loaders.layouts import LAYOUTS, Recognition, recognise
from tests.loaders import samples
from tests.loaders.conftest import Warehouse

UID = samples.unique_id(1)


@pytest.mark.parametrize(
    ("variant", "optional", "columns"),
    [
        ("cdr_csv_16", (), {}),
        ("cdr_csv_17_uniqueid", (UID,), {"uniqueid": "1791194400.1"}),
        ("cdr_csv_17_userfield", ('"note"',), {"userfield": "note", "uniqueid": None}),
        ("cdr_csv_18", (UID, '"note"'), {"uniqueid": "1791194400.1", "userfield": "note"}),
        (
            "cdr_csv_19",
            ('"peer"', UID, "7"),
            {"peeraccount": "peer", "linkedid": "1791194400.1", "sequence": "7"},
        ),
        (
            "cdr_csv_21",
            (UID, '"note"', '"peer"', UID, "7"),
            {
                "uniqueid": "1791194400.1",
                "userfield": "note",
                "peeraccount": "peer",
                "linkedid": "1791194400.1",
                "sequence": "7",
            },
        ),
    ],
)
def test_cdr_csv_variants(
    warehouse: Warehouse, variant: str, optional: tuple[str, ...], columns: dict[str, str | None]
) -> None:
    content = samples.lines(*(samples.cdr_csv(number, optional) for number in range(1, 6)))
    result = warehouse.load(f"{variant}.csv", content)
    assert (result.status, result.layout_code, result.layout_variant) == (
        "landed", "asterisk_cdr", variant,
    )  # fmt: skip
    assert (result.source_code, result.data_count) == ("unassigned_asterisk", 5)
    first = warehouse.data(result, "line_no", "src", "clid", "lastdata", "billsec", *columns)[0]
    assert first == (
        1, "12125550001", '"Desk" <12125550001>', "SIP/13235550199@trunk,60,rI", "60",
        *columns.values(),
    )  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_cdr_custom_with_any_delimiter(warehouse: Warehouse, delimiter: str) -> None:
    rows = [samples.cdr_custom(number, delimiter) for number in range(3)]
    result = warehouse.load("Master.csv", samples.lines(*rows))
    assert (result.layout_variant, result.data_count) == ("cdr_custom_19", 3)
    assert warehouse.data(result, "clid", "answer_time", "accountcode", "sequence")[2] == (
        '"Desk" <101>', "", "acme", "2",
    )  # fmt: skip


@pytest.mark.parametrize("width", range(16, 27))
@pytest.mark.parametrize("has_header", [True, False])
def test_freepbx_exports(warehouse: Warehouse, width: int, has_header: bool) -> None:
    rows = [samples.freepbx(number, width) for number in range(4)]
    if has_header:
        rows.insert(0, ",".join(samples.FREEPBX_COLUMNS[:width]))
    result = warehouse.load("export.csv", samples.lines(*rows))
    assert (result.layout_code, result.data_count) == ("asterisk_cdr", 4)
    assert result.layout_variant == ("header" if has_header else f"freepbx_{width}")
    expected = {"start_time": "5/10/2026 10:00:00", "duration": "27", "end_time": None}
    if width >= 17:
        expected["did"] = "13235550100"
    if width == 26:
        expected |= {"linkedid": "1791194400.0", "sequence": "0"}
    assert warehouse.data(result, *expected)[0] == tuple(expected.values())


def test_freepbx_24_fields_and_a_trailing_comma(warehouse: Warehouse) -> None:
    rows = [samples.freepbx(number, 24) + "," for number in range(4)]
    result = warehouse.load("export.csv", samples.lines(*rows))
    assert (result.layout_variant, result.data_count) == ("freepbx_25", 4)
    assert warehouse.data(result, "linkedid", "peeraccount")[0] == ("1791194400.0", None)


def test_cdr_csv_with_a_trailing_comma(warehouse: Warehouse) -> None:
    new_columns = ('"peer"', UID, "7", "")
    rows = [samples.cdr_csv(number, (UID, '""', *new_columns)) for number in range(4)]
    result = warehouse.load("Master.csv", samples.lines(*rows))
    assert (result.layout_code, result.layout_variant, result.data_count) == (
        "asterisk_cdr", "cdr_csv_21", 4,
    )  # fmt: skip
    assert warehouse.data(result, "sequence", "extra_columns")[0] == ("7", None)


@pytest.mark.parametrize("has_header", [True, False])
def test_report_of_six_columns(warehouse: Warehouse, has_header: bool) -> None:
    rows = [samples.report(number) for number in range(3)]
    if has_header:
        rows.insert(0, samples.REPORT_HEADER)
    result = warehouse.load("report.csv", samples.lines(*rows))
    assert (result.layout_code, result.data_count) == ("asterisk_cdr", 3)
    assert warehouse.data(result, "start_time", "src", "disposition")[0] == (
        "2026-10-05 10:00:00", "101", "ANSWERED",
    )  # fmt: skip


def test_one_file_with_lines_before_and_after_a_change_of_the_writer(
    warehouse: Warehouse,
) -> None:
    """Master.csv grows for years; switching columns on changes its width in the middle."""
    old = [samples.cdr_csv(number, (samples.unique_id(number), '""')) for number in range(3)]
    new = [
        samples.cdr_csv(number, (samples.unique_id(number), '""', '""', UID, str(number)))
        for number in range(3, 9)
    ]
    result = warehouse.load("Master.csv", samples.lines(*old, *new))
    assert (result.data_count, result.quarantined_count) == (9, 0)
    rows = warehouse.data(result, "line_no", "uniqueid", "sequence")
    assert rows[2] == (3, "1791194400.2", None)
    assert rows[3] == (4, "1791194400.3", "3")


def test_asterisk_with_unknown_columns_keeps_them_together(warehouse: Warehouse) -> None:
    header = "AcctId,calldate,clid,src,dst,channel,duration,billsec,disposition,uniqueid,trunk"
    row = '1,2026-10-05 10:00:00,"""D, J"" <1>",1,2,SIP/1-1,9,8,ANSWERED,1791194400.1,"t,1"'
    result = warehouse.load("pbx.csv", samples.lines(header, row))
    assert result.layout_code == "asterisk_cdr"
    assert warehouse.data(result, "clid", "extra_columns") == [('"D, J" <1>', '"1","t,1"')]


def test_mapped_usage_by_its_header(warehouse: Warehouse) -> None:
    header = "CDR ID,Date,Time,From,To,Seconds,Status,Cost,Currency,Region,Carrier"
    row = "7,10/05/2026,7:41:55 AM,18555550100,12525550100,61,answered,0.0069,USD,West,Beta"
    result = warehouse.load("calls.csv", samples.lines(header, row))
    assert (result.layout_code, result.source_code) == ("mapped_usage", "unassigned_mapped")
    assert warehouse.data(
        result, "record_id", "start_date", "start_clock", "calling_number", "called_number",
        "duration", "carrier_amount", "currency_code", "extra_01", "extra_02", "extra_03",
    ) == [
        ("7", "10/05/2026", "7:41:55 AM", "18555550100", "12525550100", "61", "0.0069", "USD",
         "answered", "West", "Beta")
    ]  # fmt: skip
    columns, mapping = warehouse.rows(
        "select columns, detection -> 'mapping' from control.file where file_id = %s",
        result.file_id,
    )[0]
    assert columns == header.split(",")
    assert mapping["extra_02"] == "Region"


def test_a_date_column_that_holds_the_clock_is_the_start_time(warehouse: Warehouse) -> None:
    content = samples.lines("call_date;src;dst;duration", "05/10/2026 10:00:00;101;102;00:01:05")
    result = warehouse.load("calls.csv", content)
    assert warehouse.data(result, "start_time", "start_date") == [("05/10/2026 10:00:00", None)]


def test_more_columns_than_the_table_keeps_apart(warehouse: Warehouse) -> None:
    names = [f"Attribute {number}" for number in range(30)]
    values = [f"v{number}" for number in range(29)] + ['"last, one"']
    content = samples.lines(
        ",".join([samples.MAPPED_HEADER, *names]), ",".join([samples.mapped(1), *values])
    )
    result = warehouse.load("wide.csv", content)
    assert result.data_count == 1
    first, packed = warehouse.data(result, "extra_01", "extra_20")[0]
    assert first == "v0"
    assert packed.startswith('"v19","v20"') and packed.endswith('"last, one"')


COLUMN_MAP = '{"Ref": "record_id", "When": "start_time", "A": "calling_number", "3": "duration"}'


def test_column_map_by_name_and_position(warehouse: Warehouse) -> None:
    warehouse.declare("by_map", "mapped_usage", column_map=COLUMN_MAP)
    content = samples.lines("ref;a;x;when", "r1;12125550100;60;2026-10-05 10:00:00")
    result = warehouse.load("by_map/calls.txt", content)
    assert (result.source_code, result.layout_variant) == ("by_map", "column_map")
    assert warehouse.data(result, "record_id", "calling_number", "duration", "start_time") == [
        ("r1", "12125550100", "60", "2026-10-05 10:00:00")
    ]


def test_column_map_by_position_without_header(warehouse: Warehouse) -> None:
    warehouse.declare(
        "by_position", "mapped_usage", column_map='{"1": "start_time", "3": "called_number"}'
    )
    content = samples.lines("2026-10-05 10:00:00|x|12125550100", "2026-10-05 10:00:01|y|1")
    result = warehouse.load("calls.txt", content, "by_position")
    assert (result.data_count, result.non_data_count) == (2, 0)
    assert warehouse.data(result, "start_time", "called_number", "extra_01")[0] == (
        "2026-10-05 10:00:00", "12125550100", "x",
    )  # fmt: skip


def test_a_file_that_lacks_a_mapped_column_is_held_and_says_which(warehouse: Warehouse) -> None:
    warehouse.declare("lacking", "mapped_usage", column_map='{"When": "start_time", "B": "lrn"}')
    result = warehouse.load("lacking/calls.csv", samples.lines("When,C", "2026-10-05 10:00,1"))
    assert (result.status, result.status_reason) == ("held", "unknown_layout")
    assert "'B'" in result.explanation


def test_carrier_charges(warehouse: Warehouse) -> None:
    content = "\ufeff" + samples.lines(samples.CHARGE_HEADER, samples.charge(1), end="\r\n")
    result = warehouse.load("charges.csv", content)
    assert (result.layout_code, result.source_code, result.data_count) == (
        "carrier_charge", "unassigned_charges", 1,
    )  # fmt: skip
    assert warehouse.data(
        result, "account_key", "service_key", "product_code", "period_from", "period_to",
        "quantity", "net_amount", "tax_code", "order_ref",
    ) == [
        ("A1", "01210000001", "WLR", "01/10/2026", "31/10/2026", "1", "9,5", "S", None)
    ]  # fmt: skip
    assert warehouse.value(
        "select file_kind from control.file where file_id = %s", result.file_id
    ) == "sdr"  # fmt: skip


def test_the_name_of_a_file_proves_nothing(warehouse: Warehouse) -> None:
    result = warehouse.load("Master.csv", samples.lines(samples.CHARGE_HEADER, samples.charge(2)))
    assert result.layout_code == "carrier_charge"


def test_unknown_layout_is_held_with_its_scores(warehouse: Warehouse) -> None:
    result = warehouse.load("poem.csv", "roses are red, violets\nare blue, and so\n")
    assert (result.status, result.status_reason, result.data_count) == ("held", "unknown_layout", 0)
    scores = warehouse.value(
        "select detection -> 'scores' from control.file where file_id = %s", result.file_id
    )
    assert set(scores) == set(LAYOUTS)
    assert warehouse.value(
        "select detail ->> 'reason' from control.event where subject = 'file' "
        "and subject_id = %s and event = 'held'",
        result.file_id,
    ) == "unknown_layout"  # fmt: skip


def test_the_layout_of_the_source_wins_unless_it_is_absurd(warehouse: Warehouse) -> None:
    warehouse.declare("forced", "mapped_usage")
    as_asterisk = samples.lines(samples.REPORT_HEADER, *map(samples.report, range(20, 24)))
    assert recognise(as_asterisk.splitlines()).shape.layout.code == "asterisk_cdr"
    result = warehouse.load("forced/report.csv", as_asterisk)
    assert (result.status, result.layout_code) == ("landed", "mapped_usage")
    result = warehouse.load("forced/charges.csv", "a;b\n1;2\n")
    assert (result.status, result.status_reason) == ("held", "unknown_layout")


def test_a_weak_match_lands_only_when_the_source_names_the_layout(warehouse: Warehouse) -> None:
    """No number is called or calls: too little to recognise, enough for a source that says so."""
    warehouse.declare("sessions", "mapped_usage")
    content = samples.lines("Start,User,Seconds", "2026-10-05 10:00:00,cust100@isp,3600")
    anonymous = warehouse.load("sessions.csv", content)
    assert (anonymous.status, anonymous.status_reason) == ("held", "unknown_layout")
    declared = warehouse.load("sessions/sessions.csv", content)
    assert (declared.status, declared.data_count) == ("landed", 1)
    assert warehouse.data(declared, "service_key", "duration") == [("cust100@isp", "3600")]


def test_header_only_file_lands_without_records_every_day(warehouse: Warehouse) -> None:
    first = warehouse.load("day1.csv", samples.lines(samples.MAPPED_HEADER))
    second = warehouse.load("day2.csv", samples.lines(samples.MAPPED_HEADER))
    assert (first.status, first.data_count, first.non_data_count) == ("landed", 0, 1)
    assert (second.status, second.data_count) == ("landed", 0)


def test_catalogue_and_tables_name_the_same_columns(warehouse: Warehouse) -> None:
    for layout in LAYOUTS.values():
        columns = warehouse.rows(
            "select column_name from information_schema.columns "
            "where table_schema = 'landing' and table_name = %s",
            layout.code,
        )
        assert {name for (name,) in columns} == {"file_id", "line_no", *layout.table_columns}
        assert set(layout.aliases) <= set(layout.table_columns)
        for variant in layout.variants:
            assert set(variant.columns) <= set(layout.table_columns)


def test_blank_content_has_no_layout() -> None:
    assert recognise(["", "  ", ";;;"]) == Recognition(
        None, has_rows=False, explanation="the file has only blank lines"
    )


def test_an_order_of_its_own_is_read_by_the_column_map_of_its_source() -> None:
    line = "Call 21,2024/07/01 10:00:00,2024/07/01 10:00:34,00:00:30,Ext.100,02079460111"
    order = ["historyid", "time_start", "time_end", "duration", "from_no", "to_no"]
    column_map = {str(position): name for position, name in enumerate(order, start=1)}

    declared = recognise([line, line], layout_code="threecx", column_map=column_map)
    assert declared.shape is not None
    assert (declared.shape.variant, declared.shape.targets) == ("column_map", tuple(order))

    undeclared = recognise([line, line], column_map=column_map)
    assert undeclared.shape is None
