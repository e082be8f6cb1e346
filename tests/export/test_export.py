"""Exports: the rows asked for, in UTC, harmless to spreadsheets, the same bytes every time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from loaders import settings
from loaders.errors import RatehouseError
from loaders.export import Question, export, show_query
from loaders.export.question import ExportRefused
from orchestration.lib.paths import export_path


def rows_of(path: Path, member: str = "usage.csv") -> list[dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(member).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def ask(marts: Any, folder: Path, **question: Any) -> list[dict[str, str]]:
    path = folder / f"{len(list(folder.iterdir()))}.zip"
    export(marts, Question("usage", **question), path)
    return rows_of(path)


def test_rows_are_chosen_by_every_filter(marts: Any, tmp_path: Path) -> None:
    def keys(**question: Any) -> list[str]:
        return [row["usage_id"] for row in ask(marts, tmp_path, **question)]

    # By start, and by number where that is equal: the order is total.
    assert keys() == ["16", "32", "48", "64", "80"]
    assert keys(period="2026-10") == ["16", "32", "48", "64"]
    assert keys(usage_type="sms") == ["48"]
    assert keys(account="BETA") == ["64", "80"]
    assert keys(carrier="gamma") == ["48", "64", "80"]
    assert keys(source="pbx") == ["16", "32"]
    assert keys(state="billed", period="2026-10") == ["16", "32", "64"]
    assert keys(account="ACME", usage_type="sms", state="billed") == []


_WORLD = '[["state", "=", "error"], ["retail_amount", ">=", 10]]'


_RULES = [
    ('{"any": ' + _WORLD + "}", ["48", "64", "80"]),
    ('{"all": ' + _WORLD + "}", []),
    ('{"all": [["usage_type", "=", "voice"], {"any": ' + _WORLD + "}]}", ["64", "80"]),
    ('{"all": [["account_code", "=", "ACME"], {"any": [["is_test", "is empty"], {"all": ['
     '["retail_amount", "<", 0.055], ["source_id", "!=", 2]]}]}]}', ["16", "48"]),
    ('["started_at", ">", "2026-10-31T23:00:00-04:00"]', ["80"]),
    ('["started_at", "<", "2026-10-05T08:00:00.26Z"]', ["16", "32"]),
    ('["service_id", "!=", 1]', ["48", "64", "80"]),
    ('["service_id", "not in", [1, 2]]', ["48", "64", "80"]),
    ('["carrier_code", "in", ["own"]]', ["16", "32"]),
    ('["note", "starts with", "+44 20"]', ["32"]),
    ('["note", "contains", "%"]', []),
    ('["is_test", "=", true]', ["32", "64", "80"]),
    ('["period_month", "=", "2026-11-01"]', ["80"]),
    ('["retail_amount", "is not empty"]', ["16", "32", "64", "80"]),
]  # fmt: skip


def test_rules_stand_in_groups_of_all_or_any(marts: Any, tmp_path: Path) -> None:
    for where, expected in _RULES:
        assert [row["usage_id"] for row in ask(marts, tmp_path, where=where)] == expected, where


_NONSENSE = [
    ("retail_amount > 1", "is no JSON"),
    ('{"none": [["state", "=", "error"]]}', "is not understood: a condition is"),
    ('{"all": []}', "is not understood"),
    ('["state", "is empty", "x"]', "is not understood"),
    ('["state", "like", "x"]', "no operator 'like'"),
    ('["stat", "=", "x"]', "no column 'stat'; did you mean 'state'"),
    ('["retail_amount", "=", "a lot"]', "'a lot' is no value for retail_amount"),
    ('["started_at", ">", "yesterday or so"]', "which is timestamp with time zone"),
    ('["state", "in", "x"]', "a list of values is needed"),
    ('["state", "=", null]', "ask `is empty`"),
    ('["calling_number", "=", 12125550101]', "is personal data and not seen"),
    ("[" * 3 + "]" * 3, "is not understood"),
    ('{"all": [' * 11 + '["state", "=", "x"]' + "]}" * 11, "at most 10 deep"),
]


def test_a_condition_nobody_understands_is_refused_in_words(marts: Any) -> None:
    for where, message in _NONSENSE:
        with pytest.raises(ExportRefused) as refused:
            show_query(marts, Question("usage", where=where))
        assert message in str(refused.value), where


def test_a_rule_cannot_become_sql(marts: Any) -> None:
    query = show_query(marts, Question("usage", where='["note", "=", "x\' or true --"]'))
    assert "= 'x'' or true --'::text" in query


def test_numbers_are_asked_for_unmasked(marts: Any, tmp_path: Path) -> None:
    rule = '["calling_number", "starts with", "1212"]'
    assert len(ask(marts, tmp_path, where=rule, unmasked=True)) == 2


def test_very_many_rows_are_read_only_if_that_is_meant(marts: Any, tmp_path: Path) -> None:
    with marts.cursor() as cursor:
        cursor.execute("analyze")
    marts.commit()
    target = tmp_path / "all.zip"
    with pytest.raises(ExportRefused, match=r"would read about \d+ rows. Name a period"):
        export(marts, Question("usage"), target, large_is=4)
    assert not target.exists()
    assert export(marts, Question("usage"), target, large_is=4, large=True).row_count == 5
    assert "-- reads about" in show_query(marts, Question("usage"))


def test_a_period_names_the_months_its_usage_is_kept_in(marts: Any) -> None:
    query = show_query(marts, Question("usage", period="2026-12"))
    assert "fact.started_at >= '2026-11-30 00:00+00'::timestamptz" in query
    assert "fact.started_at < '2027-02-02 00:00+00'::timestamptz" in query


def test_columns_are_chosen_and_their_order_kept(marts: Any, tmp_path: Path) -> None:
    (first, *_) = ask(marts, tmp_path, columns=("account_code", "started_at", "retail_amount"))
    assert list(first) == ["account_code", "started_at", "retail_amount"]
    # UTC with a Z, no zeros that say nothing, nothing rounded.
    assert list(first.values()) == ["ACME", "2026-10-05T08:00:00.25Z", "-1.5"]
    assert "customer_name" in ask(marts, tmp_path)[0]


def test_a_spreadsheet_runs_nothing_and_numbers_stay_numbers(marts: Any, tmp_path: Path) -> None:
    rows = ask(marts, tmp_path, columns=("note", "retail_amount", "customer_name", "is_test"))
    assert [row["note"] for row in rows] == [
        "-1.5", "+44 20 7946 0001", "'=1+1", "'@x,\"y\"\nz", "",
    ]
    assert [row["retail_amount"] for row in rows] == ["-1.5", "0.06", "", "10", "10"]
    assert rows[0]["customer_name"] == "'=HYPERLINK(\"http://x\")"
    assert [row["is_test"] for row in rows] == ["false", "true", "", "true", "true"]
    path = tmp_path / "charges.zip"
    export(marts, Question("charges"), path)
    (charge,) = rows_of(path, "charges.csv")
    assert charge["description"] == "'+cmd|'/c calc'!A0"


@pytest.mark.parametrize(
    ("value", "is_guarded"),
    [
        ("=1", True), ("+1", False), ("-1,5", False), ("+44 20", False), ("-1-2", True),
        ("+1(2)", True), ("@a", True), ("\t=1", True), ("\r=1", True), ("＝1", True),
        ("1=1", False), (" =1", False), ("'=1", False), ("-", True), ("+", True), ("-x", True),
        ("+12125550101 ", False), ("--1", True), ("\n=1", True),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_takes_for_a_formula(
    marts: Any, tmp_path: Path, value: str, is_guarded: bool
) -> None:
    with marts.cursor() as cursor:
        cursor.execute("update marts.fct_rated_usage set note = %s", (value,))
    marts.commit()
    note = ask(marts, tmp_path, columns=("note",))[0]["note"]
    assert note == ("'" + value if is_guarded else value)


def test_the_same_question_gives_the_same_bytes(marts: Any, tmp_path: Path) -> None:
    for form in ("csv", "parquet"):
        question = Question("usage", period="2026-10", format=form)
        one, two = tmp_path / f"one.{form}.zip", tmp_path / f"two.{form}.zip"
        export(marts, question, one)
        with marts.cursor() as cursor:
            # The table is written anew in another order.
            cursor.execute("create table marts.other as select * from marts.fct_rated_usage")
            cursor.execute("truncate marts.fct_rated_usage")
            cursor.execute(
                "insert into marts.fct_rated_usage select * from marts.other "
                "order by usage_id desc"
            )
            cursor.execute("drop table marts.other")
        marts.commit()
        export(marts, question, two)
        assert one.read_bytes() == two.read_bytes()


def test_the_manifest_says_what_was_asked_and_proves_the_content(
    marts: Any, tmp_path: Path
) -> None:
    path = tmp_path / "x.zip"
    result = export(marts, Question("usage", account="ACME", columns=("retail_amount",)), path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        content = archive.read("usage.csv")
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert manifest["question"] == {
        "dataset": "usage", "account": "ACME", "columns": ["retail_amount"], "format": "csv",
    }  # fmt: skip
    assert manifest["columns"] == [
        {"name": "retail_amount", "type": "numeric(28,14)", "description": "Price, rounded."}
    ]
    assert manifest["rows"] == result.row_count == 3
    assert manifest["rating_runs"] == [7, 9]
    assert manifest["members"] == {
        "usage.csv": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    }
    with marts.cursor() as cursor:
        cursor.execute("set role bi_reader")
        cursor.execute(manifest["query"])
        assert [row[0] for row in cursor.fetchall()] == [Decimal("-1.5"), Decimal("0.06"), None]


def test_parquet_has_the_types_of_the_mart(marts: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    columns = ("usage_id", "started_at", "retail_amount", "note", "is_test", "period_month")
    result = export(marts, Question("usage", columns=columns, format="parquet"), path)
    with zipfile.ZipFile(path) as archive:
        table = parquet.read_table(io.BytesIO(archive.read("usage.parquet")))
    assert table.schema.types == [
        pa.int64(), pa.timestamp("us", tz="UTC"), pa.decimal128(28, 14), pa.string(), pa.bool_(),
        pa.date32(),
    ]  # fmt: skip
    assert result.row_count == table.num_rows == 5
    assert table.to_pylist()[2] == {
        "usage_id": 48, "started_at": datetime(2026, 10, 6, tzinfo=UTC), "retail_amount": None,
        # A table is no spreadsheet: values are as they are.
        "note": "=1+1", "is_test": None, "period_month": date(2026, 10, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"columns": ("retail_amont",)}, "no column 'retail_amont'; did you mean 'retail_amount'?"),
        ({"columns": ("note", "note")}, "named twice"),
        ({"account": "ACMA"}, "no account 'ACMA'; did you mean 'ACME'?"),
        ({"carrier": "zeta"}, "no carrier 'zeta'. Known: gamma, own"),
        ({"source": "nope"}, "no source 'nope'"),
        ({"columns": ("note; drop table x",)}, "no column 'note; drop table x'"),
    ],
)
def test_what_the_marts_do_not_have_is_refused_in_words(
    marts: Any, tmp_path: Path, question: dict[str, Any], words: str
) -> None:
    with pytest.raises(ExportRefused) as refusal:
        ask(marts, tmp_path, **question)
    assert words in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "question",
    [
        {"dataset": "invoices"}, {"dataset": "usage", "format": "xls"},
        {"dataset": "usage", "state": "paid"}, {"dataset": "usage", "usage_type": "fax"},
        {"dataset": "charges", "usage_type": "voice"}, {"dataset": "usage", "period": "October"},
    ],
)  # fmt: skip
def test_nonsense_is_refused_before_the_database_is_asked(question: dict[str, str]) -> None:
    with pytest.raises(RatehouseError):
        Question(**question)


def test_a_file_is_whole_or_not_there_and_never_replaced_unasked(
    marts: Any, tmp_path: Path
) -> None:
    path = tmp_path / "x.zip"
    with marts.cursor() as cursor:
        cursor.execute("alter table marts.fct_rated_usage add odd point")
    marts.commit()
    with pytest.raises(RatehouseError, match="no form in Parquet"):
        export(marts, Question("usage", format="parquet"), path)
    assert list(tmp_path.iterdir()) == []
    export(marts, Question("usage"), path)
    before = path.read_bytes()
    with pytest.raises(ExportRefused, match="exists already"):
        export(marts, Question("usage", state="billed"), path)
    assert path.read_bytes() == before
    export(marts, Question("usage", state="billed"), path, overwrite=True)
    assert path.read_bytes() != before
    with pytest.raises(ExportRefused, match="does not end in .zip"):
        export(marts, Question("usage"), tmp_path / "x.csv")


def test_a_value_cannot_become_sql(marts: Any) -> None:
    with marts.cursor() as cursor:
        cursor.execute("insert into marts.dim_account values (3, %s, 'x')", ("x' or '1'='1",))
    marts.commit()
    query = show_query(marts, Question("usage", account="x' or '1'='1"))
    assert "'x'' or ''1''=''1'" in query


def test_the_session_is_as_before(marts: Any, tmp_path: Path) -> None:
    export(marts, Question("usage"), tmp_path / "x.zip")
    with marts.cursor() as cursor:
        cursor.execute("select current_user = session_user")
        assert cursor.fetchone() == (True,)
        cursor.execute("create temporary table still_writable ()")


def test_a_name_cannot_lead_out_of_the_export_folder() -> None:
    for name in ("../x.zip", "/tmp/x.zip", "a/b.zip", "", ".."):
        with pytest.raises(RatehouseError, match="not a file name"):
            export_path(name)
    assert export_path("x.zip").name == "x.zip"


_MEASURED = """
import resource, sys
from pathlib import Path
import pyarrow.parquet
from loaders.database import connect
from loaders.export import Question, export
url, folder, form = sys.argv[1:]
connection = connect(url=url)
export(connection, Question("usage", account="BETA", format=form), Path(folder) / "small.zip")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = export(connection, Question("usage", format=form), Path(folder) / "large.zip")
print(result.row_count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(
    marts: Any, database: str, tmp_path: Path, form: str
) -> None:
    with marts.cursor() as cursor:
        cursor.execute(
            "insert into marts.fct_rated_usage "
            "select case when g < 20000 then 2 else 1 end, 16 * g, 7, 1, 1, 'voice', "
            "'2026-10-05 10:00+00', 12125550101, "
            "repeat(md5(g::text), 8), true, 'billed', 0.06, '2026-10-01' "
            "from generate_series(100, 200000) as g"
        )
    marts.commit()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, database, str(tmp_path), form],
        capture_output=True, text=True, check=True, cwd=settings.project_root(),
    )  # fmt: skip
    rows, megabytes = map(int, done.stdout.split())
    # Ten times the rows, 60 MB of CSV: held in memory, they would show.
    assert rows == 199906
    assert megabytes < 20
