"""The comparison itself: silent on agreement, exact about each kind of disagreement."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loaders.demo.generate import DemoOptions, generate
from tests.oracle.compare import _charge_fields, _comparable, _usage_fields, compare, report
from tests.oracle.run import Outcome, run_demo

# The facts as far as the comparison reads them; dbt builds the real ones.
TABLES = """
create schema rating;
create schema billing;
create table rating.current_rated_usage (
    file_id bigint, line_no bigint, leg_no int, source_id int, account_id bigint,
    service_id bigint, plan_id int, retail_deck_id int, state text, reason text,
    original_usage_id bigint, direction text, started_at timestamptz, time_quality text,
    billable_seconds numeric, disposition text, calling_number bigint, calling_class text,
    called_number bigint, called_number_class text, match_method text, plan_source text,
    called_class text, number_class text, dialling text, carrier_access_code text,
    lata_scope text, is_local boolean, lrn_number bigint, retail_jurisdiction text,
    calling_state text, called_state text, jurisdiction text,
    charge_class text, rated_number bigint, retail_prefix text, retail_billed_seconds int,
    retail_unrounded_amount numeric, retail_amount numeric, currency_code text, cost_status text,
    cost_prefix text, cost_billed_seconds int, cost_unrounded_amount numeric,
    cost_amount numeric, at_risk_amount numeric, period_month date,
    retail_connection_fee numeric, retail_usage_amount numeric, retail_minimum_top_up numeric,
    retail_maximum_reduction numeric, retail_discount_amount numeric,
    cost_connection_fee numeric, cost_usage_amount numeric, cost_minimum_top_up numeric,
    cost_maximum_reduction numeric
);
create table rating.rated_charge (
    rating_run_id bigint, file_id bigint, line_no bigint, source_id int, account_id bigint,
    service_id bigint, state text, reason text, original_charge_id bigint, match_method text,
    product_code text, charge_class text, period_from date, quantity numeric,
    carrier_amount numeric, price_mode text, unrounded_amount numeric, charge_amount numeric,
    cost_amount numeric, margin_amount numeric, charged_part numeric, charged_from date,
    charged_to date, period_month date
);
create table billing.draft_invoice (
    invoice_run_id bigint, account_id bigint, period_month date, period_start_at timestamptz,
    period_end_at timestamptz, usage_amount numeric, charge_amount numeric,
    rounding_amount numeric, invoice_total numeric
);
create table billing.draft_invoice_line (
    invoice_run_id bigint, account_id bigint, line_no int, line_kind text, charge_class text,
    record_count bigint, billed_seconds bigint, unrounded_amount numeric, line_amount numeric
);
"""
_KEYED = ("account", "service", "plan", "deck", "source")


def insert(cursor: Any, table: str, values: dict[str, object]) -> None:
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    cursor.execute(f"insert into {table} ({columns}) values ({marks})", list(values.values()))


def fill(connection: Any, outcome: Outcome) -> None:
    """Write the oracle's outcome as if the warehouse had found it."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        ids: dict[str, dict[str, int]] = {}
        for kind in _KEYED:
            codes = {row[0] for row in getattr(outcome.reference, f"_{kind}s")}
            for code in sorted(codes):
                insert(cursor, f"reference.{kind}_key", {f"{kind}_code": code})
            cursor.execute(f"select {kind}_code, {kind}_id from reference.{kind}_key")
            ids[kind] = dict(cursor.fetchall())

        def with_ids(fields: dict[str, object]) -> dict[str, object]:
            values = {}
            for name, value in fields.items():
                kind = name.removeprefix("retail_").removesuffix("_code")
                if name.endswith("_code") and kind in _KEYED:
                    name, value = name.removesuffix("_code") + "_id", ids[kind].get(str(value))
                values[name] = _comparable(value)
            return values

        for file in outcome.files:
            landed = file.status == "landed"
            counts = [len(file.records), len(file.non_data), len(file.quarantine)]
            cursor.execute(
                "insert into control.file (file_id, source_code, file_kind, file_name, origin, "
                "sha256, byte_count, status, status_reason, record_count, data_count, "
                "non_data_count, quarantined_count) overriding system value "
                "values (%s, %s, 'cdr', %s, '', %s, 1, %s, %s, %s, %s, %s, %s)",
                (file.file_id, file.source_code, file.name, f"{file.file_id:064x}", file.status,
                 file.status_reason, sum(counts) if landed else 0,
                 *(counts if landed else [0, 0, 0])),
            )  # fmt: skip
            for line_no, kind in file.non_data:
                insert(
                    cursor,
                    "landing.non_data_line",
                    {"file_id": file.file_id, "line_no": line_no, "kind": kind, "raw_line": ""},
                )
            for line_no, reason in file.quarantine:
                insert(
                    cursor,
                    "landing.quarantine",
                    {
                        "file_id": file.file_id,
                        "line_no": line_no,
                        "reason_code": reason,
                        "reason": "",
                        "raw_bytes": b"",
                        "raw_length": 0,
                    },
                )
        insert(
            cursor,
            "control.rating_run",
            {"run_kind": "initial", "status": "closed", "reference_cutoff": "now"},
        )
        for leg in outcome.legs:
            place = {"file_id": leg.file_id, "line_no": leg.line_no, "leg_no": leg.leg_no}
            insert(cursor, "rating.current_rated_usage", place | with_ids(_usage_fields(leg)))
        for charge in outcome.charges:
            place = {"rating_run_id": 1, "file_id": charge.file_id, "line_no": charge.line_no}
            insert(cursor, "rating.rated_charge", place | with_ids(_charge_fields(charge)))
        months = {leg.period_month for leg in outcome.legs if leg.state == "billed"}
        for run_id, month in enumerate(sorted(month for month in months if month), start=1):
            for group in ("main", "wholesale"):
                insert(
                    cursor,
                    "control.invoice_run",
                    {
                        "period_month": month,
                        "bill_group": group,
                        "status": "draft",
                        "reference_cutoff": "now",
                    },
                )
            for account, invoice in outcome.invoices(month).items():
                base = {"invoice_run_id": 2 * run_id, "account_id": ids["account"][account]}
                insert(
                    cursor,
                    "billing.draft_invoice",
                    base
                    | {
                        "period_month": month,
                        "period_start_at": invoice.period_start_at,
                        "period_end_at": invoice.period_end_at,
                        "usage_amount": _comparable(invoice.usage_amount),
                        "charge_amount": _comparable(invoice.charge_amount),
                        "rounding_amount": _comparable(invoice.rounding_amount),
                        "invoice_total": invoice.total,
                    },
                )
                lines = [
                    (
                        x.line_kind,
                        x.label,
                        x.record_count,
                        x.billed_seconds,
                        x.unrounded_amount,
                        x.line_amount,
                    )
                    for x in invoice.lines
                ]
                # The rounding line makes the stored lines add up to the total, exactly.
                stored = sum(_comparable(line[-1]) for line in lines)
                rounding = invoice.total - stored
                lines.append(("rounding", "rounding", 0, None, rounding, rounding))
                for number, values in enumerate(lines):
                    kind, label, count, seconds, unrounded, amount = values
                    insert(
                        cursor,
                        "billing.draft_invoice_line",
                        base
                        | {
                            "line_no": number,
                            "line_kind": kind,
                            "charge_class": label,
                            "record_count": count,
                            "billed_seconds": seconds,
                            "unrounded_amount": _comparable(unrounded),
                            "line_amount": _comparable(amount),
                        },
                    )
        # A wholesale account is drafted by the run of its group; one run id is enough here.
        cursor.execute(
            "insert into billing.draft_invoice (invoice_run_id, account_id, period_month, "
            "invoice_total) select invoice_run_id, 0, period_month, 0 from control.invoice_run"
        )
    connection.commit()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare") / "demo"
    generate(out, DemoOptions(cdrs=1500, charges=60))
    return out


@pytest.fixture(scope="module")
def filled(demo: Path, module_database: str) -> Iterator[Any]:
    connection = psycopg2.connect(module_database)
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
    fill(connection, run_demo(demo))
    yield connection
    connection.close()


@pytest.fixture
def warehouse(filled: Any) -> Iterator[Any]:
    """A warehouse that agrees with the oracle; changes of a test are rolled back."""
    yield filled
    filled.rollback()


def test_agreement_is_silent(warehouse: Any, demo: Path) -> None:
    found = compare(warehouse, demo)
    assert report(found) == "The warehouse and the oracle agree on every record."


@pytest.mark.parametrize(
    ("change", "subject", "field"),
    [
        ("update rating.current_rated_usage set retail_amount = retail_amount + 0.0001 {usage}",
         "usage", "retail_amount"),
        ("update rating.current_rated_usage set retail_unrounded_amount = "
         "retail_unrounded_amount + 0.0000000001 {usage}", "usage", "retail_unrounded_amount"),
        ("update rating.current_rated_usage set retail_prefix = '99' {usage}",
         "usage", "retail_prefix"),
        ("update rating.current_rated_usage set state = 'error' {usage}", "usage", "state"),
        ("update rating.current_rated_usage set period_month = '2020-01-01' {usage}",
         "usage", "period_month"),
        ("update rating.current_rated_usage set started_at = started_at + interval '1 second' "
         "{usage}", "usage", "started_at"),
        ("update rating.current_rated_usage set cost_amount = null {usage}",
         "usage", "cost_amount"),
        ("delete from rating.current_rated_usage {usage}", "usage", "record"),
        ("insert into rating.current_rated_usage select * from rating.current_rated_usage {usage}",
         "usage", "number of current rows"),
        ("update rating.rated_charge set charge_amount = 0.01 {charge}",
         "charge", "charge_amount"),
        ("delete from rating.rated_charge {charge}", "charge", "record"),
        ("update billing.draft_invoice set invoice_total = invoice_total + 1 {invoice}",
         "invoice", "invoice_total"),
        ("update billing.draft_invoice_line set line_amount = line_amount + 1 {line}",
         "invoice_line", "line_amount"),
        ("update control.file set status_reason = 'trailer_mismatch' "
         "where status_reason = 'same_bytes'", "file", "status_reason"),
        ("insert into landing.quarantine (file_id, line_no, reason_code, reason, raw_bytes, "
         "raw_length) select min(file_id), 9999, 'nul_byte', '', '', 0 from control.file",
         "quarantine", "record"),
    ],
)  # fmt: skip
def test_one_wrong_value_is_named(
    warehouse: Any, demo: Path, change: str, subject: str, field: str
) -> None:
    first = {
        "usage": "where ctid = (select min(ctid) from rating.current_rated_usage "
        "where state = 'billed' and direction = 'outbound' and cost_amount > 0)",
        "charge": "where ctid = (select min(ctid) from rating.rated_charge where state = 'billed' "
        "and charge_amount > 0)",
        "invoice": "where ctid = (select min(ctid) from billing.draft_invoice "
        "where invoice_total > 0)",
        "line": "where ctid = (select min(ctid) from billing.draft_invoice_line "
        "where line_kind = 'usage' and line_amount > 0)",
    }
    with warehouse.cursor() as cursor:
        cursor.execute(change.format(**first))
        assert cursor.rowcount == 1
    found = compare(warehouse, demo)
    assert (subject, field) in {(difference.subject, difference.field) for difference in found}
    assert f"{subject}.{field}" in report(found)
    assert len(found) <= 3, report(found)


def test_a_file_that_was_never_loaded_is_named(demo: Path, warehouse: Any) -> None:
    extra = demo / "files" / "west_pbx" / "Master-late.csv"
    extra.write_text("x\n")
    try:
        found = compare(warehouse, demo)
    finally:
        extra.unlink()
    assert [str(difference) for difference in found] == [
        "file west_pbx/Master-late.csv: record is 'never loaded', the oracle says "
        "'a file of the demo'"
    ]
