"""Compares the warehouse with the oracle, record by record and field by field.

`python -m tests.oracle.compare DEMO_DIR [DATABASE_URL]` prints counts by field and the first
differences; exit code 1 says that there are any. Only what the rules determine is compared: an
unanswered call has no service or price to agree on.
"""

import datetime as dt
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.oracle.charges import Charge
from tests.oracle.reading import RawFile
from tests.oracle.reference import Reference
from tests.oracle.rounding import to_ten_places
from tests.oracle.run import Outcome, demo_files, run
from tests.oracle.usage import UsageLeg

SUSPENSE = "(suspense)"
_SUM_TOLERANCE = Decimal("1e-9")


@dataclass(frozen=True)
class Difference:
    """One disagreement."""

    subject: str  # file, quarantine, usage, charge, invoice, invoice_line
    record: str  # where it is, in words
    field: str
    oracle: object
    warehouse: object

    def __str__(self) -> str:
        return (
            f"{self.subject} {self.record}: {self.field} is {_show(self.warehouse)}, "
            f"the oracle says {_show(self.oracle)}"
        )


def _show(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(sep=" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, int | Decimal) else repr(value)


def _comparable(value: object) -> object:
    """Bring both sides to one type: exact amounts to ten places, numbers to text."""
    if isinstance(value, Fraction):
        value = to_ten_places(value)
    if isinstance(value, Decimal):
        if abs(value) >= 10**15:
            return str(int(value))
        return value.quantize(Decimal("1e-10"), ROUND_HALF_UP).normalize() + 0
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return Decimal(value).normalize() + 0
    return value


def _agree(oracle: object, warehouse: object, tolerance: Decimal) -> bool:
    one, other = _comparable(oracle), _comparable(warehouse)
    if tolerance and isinstance(one, Decimal) and isinstance(other, Decimal):
        return abs(one - other) <= tolerance
    return one == other


def _number(digits: str | None) -> Decimal | None:
    return None if digits is None else Decimal(digits)


def _rows(connection: Any, sql: str, arguments: Sequence[object] = ()) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _columns(connection: Any, schema: str, table: str) -> set[str]:
    rows = _rows(
        connection,
        "select a.attname from pg_attribute as a "
        "where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped",
        (f"{schema}.{table}",),
    )
    return {row["attname"] for row in rows}


_USAGE_SQL = """
select
    r.*,
    source_key.source_code,
    account_key.account_code,
    service_key.service_code,
    plan_key.plan_code,
    deck_key.deck_code as retail_deck_code
from rating.current_rated_usage as r
left join reference.source_key on r.source_id = source_key.source_id
left join reference.account_key on r.account_id = account_key.account_id
left join reference.service_key on r.service_id = service_key.service_id
left join reference.plan_key on r.plan_id = plan_key.plan_id
left join reference.deck_key on r.retail_deck_id = deck_key.deck_id
"""
_CHARGE_SQL = """
select
    r.*,
    source_key.source_code,
    account_key.account_code,
    service_key.service_code
from {relation} as r
inner join control.rating_run on r.rating_run_id = rating_run.rating_run_id
left join reference.source_key on r.source_id = source_key.source_id
left join reference.account_key on r.account_id = account_key.account_id
left join reference.service_key on r.service_id = service_key.service_id
where rating_run.status = 'closed'
"""
_INVOICE_SQL = """
select
    draft_invoice.*,
    account_key.account_code
from billing.draft_invoice
inner join reference.account_key on draft_invoice.account_id = account_key.account_id
"""
_LINE_SQL = """
select
    draft_invoice_line.*,
    draft_invoice.period_month as invoice_month,
    account_key.account_code
from billing.draft_invoice_line
inner join billing.draft_invoice
    on
        draft_invoice_line.invoice_run_id = draft_invoice.invoice_run_id
        and draft_invoice_line.account_id = draft_invoice.account_id
inner join reference.account_key on draft_invoice_line.account_id = account_key.account_id
"""

_BEFORE_MATCHING = {
    "missing_start_time", "invalid_start_time", "implausible_start_time", "repeated_record",
    "key_conflict", "missing_duration", "invalid_duration", "negative_duration",
    "implausible_duration", "unanswered", "zero_duration", "service_code", "emergency_call",
    "internal_call", "missing_called_number", "invalid_called_number",
    "scientific_notation_number",
}  # fmt: skip

_CHARGE_BEFORE_MATCHING = {
    "invalid_amount", "invalid_quantity", "invalid_period", "repeated_record",
}  # fmt: skip


def dialled_class(leg: UsageLeg) -> str | None:
    """What stands in front of a number comes before what the number is."""
    if leg.called_number_class == "invalid":
        return "invalid"
    if leg.carrier_access_code:
        return "carrier_access_code"
    return leg.dialling if leg.dialling == "operator_assisted" else leg.number_class


def _unit(leg: UsageLeg) -> str:
    return "units" if leg.charge_class in ("messages", "data") else "seconds"


def _usage_fields(leg: UsageLeg) -> dict[str, object]:
    """The fields of a leg that the rules determine, named as in the warehouse."""
    fields: dict[str, object] = {
        "source_code": leg.source_code,
        "state": leg.state,
        "reason": leg.reason,
        "started_at": leg.started_at,
        "time_quality": leg.time_quality,
        "calling_class": leg.calling_class,
        "calling_number": _number(leg.calling_number),
        "called_number_class": leg.called_number_class,
        "called_number": _number(leg.called_number),
        "number_class": dialled_class(leg),
        "dialling": leg.dialling,
        "carrier_access_code": leg.carrier_access_code,
        "lrn_number": _number(leg.lrn_number),
        "account_code": leg.account_code or SUSPENSE,
        "service_code": leg.service_code,
        "at_risk_amount": leg.at_risk_amount,
    }
    if leg.original is not None:
        file_id, line_no = leg.original
        fields["original_usage_id"] = file_id * 2**36 + line_no * 16 + 1
    if leg.billable_seconds is not None:
        fields["billable_seconds"] = leg.billable_seconds
        fields["disposition"] = leg.disposition
    if leg.reason in _BEFORE_MATCHING:
        return fields
    fields |= {
        "direction": leg.direction,
        "called_class": leg.called_class,
        "lata_scope": leg.lata_scope,
        "calling_state": leg.calling_state,
        "called_state": leg.called_state,
        "jurisdiction": leg.jurisdiction,
        "charge_class": leg.charge_class,
    }
    if leg.service_code is not None:
        fields["match_method"] = leg.match_method
    if leg.account_code is not None:
        fields["period_month"] = leg.period_month
    if leg.plan_code is not None:
        fields |= {"plan_code": leg.plan_code, "plan_source": leg.plan_source}
    if leg.state == "billed":
        fields |= {
            "rated_number": _number(leg.rated_number),
            "is_local": leg.is_local,
            "retail_jurisdiction": leg.retail_jurisdiction,
            "retail_deck_code": leg.retail_deck_code,
            "retail_prefix": leg.retail_prefix,
            f"retail_billed_{_unit(leg)}": leg.retail_billed_seconds,
            "retail_unrounded_amount": leg.retail_unrounded_amount,
            "retail_amount": leg.retail_amount,
            "currency_code": leg.currency_code,
            "cost_amount": leg.cost_amount,
        }
        fields |= {f"retail_{name}": part for name, part in leg.retail_components.items()}
        if leg.cost_amount is not None:
            fields |= {f"cost_{name}": part for name, part in leg.cost_components.items()}
            fields |= {
                "cost_status": leg.cost_status,
                "cost_prefix": leg.cost_prefix,
                f"cost_billed_{_unit(leg)}": leg.cost_billed_seconds,
                "cost_unrounded_amount": leg.cost_unrounded_amount,
            }
        elif leg.cost_status in ("missing_rate", "destination_blocked"):
            fields["cost_status"] = leg.cost_status
    return fields


def _charge_fields(charge: Charge) -> dict[str, object]:
    fields: dict[str, object] = {
        "source_code": charge.source_code,
        "state": charge.state,
        "reason": charge.reason,
        "product_code": charge.product_code,
        "carrier_amount": charge.carrier_amount,
    }
    if charge.original is not None:
        file_id, line_no = charge.original
        fields["original_charge_id"] = file_id * 2**36 + line_no * 16
    if charge.reason not in _CHARGE_BEFORE_MATCHING:
        fields["account_code"] = charge.account_code or SUSPENSE
        fields["service_code"] = charge.service_code
    if charge.service_code is not None:
        fields["match_method"] = charge.match_method
    if charge.account_code is not None:
        fields["period_month"] = charge.period_month
        fields["period_from"] = charge.period_from
        fields["quantity"] = charge.quantity
    if charge.price_mode is not None:
        fields |= {"price_mode": charge.price_mode, "charge_class": charge.charge_class}
    if charge.state == "billed":
        fields |= {
            "unrounded_amount": charge.unrounded_amount,
            "charge_amount": charge.charge_amount,
            "cost_amount": charge.cost_amount,
            "margin_amount": charge.margin_amount,
        }
        if charge.part is not None:
            fields |= {
                "charged_part": charge.part.total,
                "charged_from": charge.part.first.date(),
                "charged_to": (charge.part.end - dt.timedelta(microseconds=1)).date(),
            }
    return fields


def _differences(
    subject: str,
    expected: dict[Any, dict[str, object]],
    actual: dict[Any, dict[str, Any]],
    name: Callable[[Any], str],
    tolerance: Decimal = Decimal(0),
) -> Iterator[Difference]:
    """Compare two tables by key; fields the warehouse does not have are reported once."""
    absent: set[str] = set()
    for key in sorted(expected.keys() | actual.keys(), key=str):
        if key not in actual:
            said = expected[key].get("state", "there")
            yield Difference(subject, name(key), "record", said, "missing")
        elif key not in expected:
            said = actual[key].get("state", "there")
            yield Difference(subject, name(key), "record", "no such record", said)
        else:
            row = actual[key]
            for field, value in expected[key].items():
                if field not in row:
                    absent.add(field)
                elif not _agree(value, row[field], tolerance):
                    yield Difference(subject, name(key), field, value, row[field])
    for field in sorted(absent):
        yield Difference(subject, "(every record)", field, "a column", "no such column")


def _landed(connection: Any, demo: Path) -> tuple[dict[tuple[str, str], int], dt.datetime, list]:
    rows = _rows(connection, "select * from control.file order by file_id")
    names = {(source, path.name) for source, path in demo_files(demo)}
    order: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["source_code"], row["file_name"])
        # A held copy does not hide the landed file of the same name.
        if key in names and (key not in order or row["status"] in ("landed", "withdrawn")):
            order[key] = row["file_id"]
    received = min((row["received_at"] for row in rows), default=dt.datetime.now(dt.UTC))
    return order, received, [row for row in rows if row["file_id"] in order.values()]


def _compare_files(
    connection: Any, files: list[RawFile], rows: list[dict[str, Any]]
) -> Iterator[Difference]:
    actual = {row["file_id"]: row for row in rows}
    names = {file.file_id: f"{file.source_code}/{file.name}" for file in files}
    expected: dict[int, dict[str, object]] = {}
    for file in files:
        fields: dict[str, object] = {"status": file.status}
        if file.status == "held":
            fields["status_reason"] = file.status_reason
        else:
            fields |= {
                "data_count": len(file.records),
                "non_data_count": len(file.non_data),
                "quarantined_count": len(file.quarantine),
            }
        if not (file.records or file.non_data or file.quarantine or file.status == "held"):
            fields = {"data_count": 0}  # the rules do not say what becomes of an empty file
        expected[file.file_id] = fields
    yield from _differences("file", expected, actual, lambda key: names.get(key, str(key)))

    ids = [file.file_id for file in files]
    for subject, table, column, lines in (
        ("quarantine", "quarantine", "reason_code", lambda file: file.quarantine),
        ("non-data line", "non_data_line", "kind", lambda file: file.non_data),
    ):
        found = _rows(
            connection,
            f"select file_id, line_no, {column} from landing.{table} where file_id = any(%s)",
            (ids,),
        )
        yield from _differences(
            subject,
            {(f.file_id, line): {column: why} for f in files for line, why in lines(f)},
            {(row["file_id"], row["line_no"]): row for row in found},
            lambda key: f"{names.get(key[0], key[0])} line {key[1]}",
        )


def _compare_invoices(connection: Any, outcome: Outcome) -> Iterator[Difference]:
    drafts = _rows(connection, _INVOICE_SQL)
    months = {row["period_month"] for row in drafts}
    drafted_groups: dict[dt.date, set[str]] = defaultdict(set)
    for row in _rows(
        connection,
        "select distinct invoice_run.period_month, invoice_run.bill_group "
        "from control.invoice_run inner join billing.draft_invoice "
        "on invoice_run.invoice_run_id = draft_invoice.invoice_run_id",
    ):
        drafted_groups[row["period_month"]].add(row["bill_group"])
    actual = {(row["account_code"], row["period_month"]): row for row in drafts}
    lines: dict[tuple[str, dt.date], list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(connection, _LINE_SQL):
        lines[row["account_code"], row["invoice_month"]].append(row)

    expected: dict[tuple[str, dt.date], dict[str, object]] = {}
    expected_lines: dict[tuple, dict[str, object]] = {}
    actual_lines: dict[tuple, dict[str, Any]] = {}
    for month in sorted(months):
        for account, invoice in outcome.invoices(month).items():
            row = outcome.reference.account(account, invoice.period_start_at)
            if row is not None and row["bill_group"] not in drafted_groups[month]:
                continue
            key = (account, month)
            expected[key] = {
                "period_start_at": invoice.period_start_at,
                "period_end_at": invoice.period_end_at,
                "usage_amount": invoice.usage_amount,
                "charge_amount": invoice.charge_amount,
                "rounding_amount": invoice.rounding_amount,
                "invoice_total": invoice.total,
            }
            for line in invoice.lines:
                # Draft lines name the product in words: charges are told apart by their order.
                if line.line_kind == "usage":
                    expected_lines[(*key, "usage", line.label)] = {
                        "record_count": line.record_count,
                        "billed_seconds": line.billed_seconds,
                        "unrounded_amount": line.unrounded_amount,
                        "line_amount": line.line_amount,
                    }
            charges = sorted(
                (line.line_amount, line.record_count)
                for line in invoice.lines
                if line.line_kind == "charge"
            )
            for position, (amount, count) in enumerate(charges):
                expected_lines[(*key, "charge", position)] = {
                    "line_amount": amount,
                    "record_count": count,
                }
    for key, rows in lines.items():
        for row in rows:
            if row["line_kind"] == "usage":
                actual_lines[(*key, "usage", row["charge_class"])] = row
        charges = sorted(
            (row for row in rows if row["line_kind"] == "charge"),
            key=lambda row: (row["line_amount"], row["record_count"]),
        )
        for position, row in enumerate(charges):
            actual_lines[(*key, "charge", position)] = row
        total = sum((row["line_amount"] for row in rows), Decimal(0))
        if key in actual and total != actual[key]["invoice_total"]:
            yield Difference(
                "invoice", f"{key[0]} {key[1]}", "sum of lines", actual[key]["invoice_total"], total
            )
    # An invoice of nothing may be drafted or not: the rules are silent.
    for key in [k for k, row in actual.items() if k not in expected and not row["invoice_total"]]:
        del actual[key]
        for line_key in [k for k in actual_lines if k[:2] == key]:
            del actual_lines[line_key]

    def named(key: tuple) -> str:
        return " ".join(str(part) for part in key)

    # Sums of unrounded amounts: the warehouse adds what it stored, to its own last decimal. A
    # cent, or the last decimal of any rounding, is far larger.
    yield from _differences("invoice", expected, actual, named, _SUM_TOLERANCE)
    yield from _differences("invoice_line", expected_lines, actual_lines, named, _SUM_TOLERANCE)


def charge_differences(connection: Any, outcome: Outcome) -> list[Difference]:
    """Where warehouse and oracle disagree about the charges of the oracle's files."""
    names = {file.file_id: f"{file.source_code}/{file.name}" for file in outcome.files}

    def place(key: tuple[int, ...]) -> str:
        return f"{names.get(key[0], key[0])} line {key[1]}"

    relation = "current_rated_charge"
    if not _columns(connection, "rating", relation):
        relation = "rated_charge"
    rows = [
        row
        for row in _rows(connection, _CHARGE_SQL.format(relation=f"rating.{relation}"))
        if row["file_id"] in names
    ]
    found = list(_repeated(rows, ("file_id", "line_no"), "charge", place))
    found += _differences(
        "charge",
        {(charge.file_id, charge.line_no): _charge_fields(charge) for charge in outcome.charges},
        {(row["file_id"], row["line_no"]): row for row in rows},
        place,
    )
    return found


def oracle_outcome(connection: Any, demo_dir: Path) -> Outcome:
    """The oracle's reading of a demo folder, in the order in which the database took its files."""
    order, received, file_rows = _landed(connection, demo_dir)
    return run(
        [(s, p) for s, p in demo_files(demo_dir) if (s, p.name) in order],
        Reference.load(demo_dir / "reference"),
        received_at=received,
        landing_order=order,
        withdrawn={
            (row["source_code"], row["file_name"])
            for row in file_rows
            if row["status"] == "withdrawn"
        },
    )


def compare(connection: Any, demo_dir: Path, outcome: Outcome | None = None) -> list[Difference]:
    """Compare the current facts of a database with the oracle's reading of a demo folder.

    ``outcome`` is that reading, where it is known already.
    """
    order, _, file_rows = _landed(connection, demo_dir)
    if outcome is None:
        outcome = oracle_outcome(connection, demo_dir)
    found = [
        Difference("file", f"{source}/{path.name}", "record", "a file of the demo", "never loaded")
        for source, path in demo_files(demo_dir)
        if (source, path.name) not in order
    ]
    found += _compare_files(connection, outcome.files, file_rows)
    names = {file.file_id: f"{file.source_code}/{file.name}" for file in outcome.files}

    def place(key: tuple[int, ...]) -> str:
        leg = f" leg {key[2]}" if len(key) > 2 else ""
        return f"{names.get(key[0], key[0])} line {key[1]}{leg}"

    ids = set(names)
    usage_rows = [row for row in _rows(connection, _USAGE_SQL) if row["file_id"] in ids]
    found += _repeated(usage_rows, ("file_id", "line_no", "leg_no"), "usage", place)
    found += _differences(
        "usage",
        {(leg.file_id, leg.line_no, leg.leg_no): _usage_fields(leg) for leg in outcome.legs},
        {(row["file_id"], row["line_no"], row["leg_no"]): row for row in usage_rows},
        place,
    )
    found += charge_differences(connection, outcome)
    found += _compare_invoices(connection, outcome)
    return found


def _repeated(
    rows: Iterable[dict[str, Any]],
    key_columns: tuple[str, ...],
    subject: str,
    place: Callable[[tuple[int, ...]], str],
) -> Iterator[Difference]:
    counts = Counter(tuple(row[column] for column in key_columns) for row in rows)
    for key, count in counts.items():
        if count > 1:
            yield Difference(subject, place(key), "number of current rows", 1, count)


def report(differences: list[Difference], examples: int = 20) -> str:
    """Counts by field first, then the first differences in words."""
    if not differences:
        return "The warehouse and the oracle agree on every record."
    counts = Counter((d.subject, d.field) for d in differences)
    lines = [f"{len(differences)} differences"]
    lines += [f"{count:8} {subject}.{field}" for (subject, field), count in counts.most_common()]
    kinds = Counter(
        (d.subject, d.field, _show(d.oracle), _show(d.warehouse))
        for d in differences
        if d.field in ("state", "reason", "status", "match_method", "direction", "record")
    )
    lines += [
        f"{count:8} {subject}.{field}: oracle {oracle}, warehouse {warehouse}"
        for (subject, field, oracle, warehouse), count in kinds.most_common(examples)
    ]
    # A few of every field tell more than many of one.
    shown: Counter[tuple[str, str]] = Counter()
    for difference in differences:
        kind = (difference.subject, difference.field)
        if shown[kind] < max(2, examples // len(counts)) and shown.total() < examples:
            shown[kind] += 1
            lines.append(f"- {difference}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Compare the configured database with a demo folder."""
    import psycopg2

    from loaders.database import database_url

    url = arguments[1] if len(arguments) > 1 else database_url()
    connection = psycopg2.connect(url)
    try:
        connection.set_session(readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("set timezone to 'UTC'")
        differences = compare(connection, Path(arguments[0]))
    finally:
        connection.close()
    print(report(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
