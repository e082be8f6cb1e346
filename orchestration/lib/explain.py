"""Why is this charge what it is? From the raw line to the rounded amount, read, never worked out.

An identifier names one of four things: a usage leg or a charge by its number, a line of a file as
`file name:line`, or an invoice line as `account:2026-10:line`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from loaders.errors import RatehouseError
from loaders.runs.schemas import build_relation
from orchestration.lib import figures, paths
from orchestration.lib.tables import cell

Facts = dict[str, Any]

# usage_id = file_id * 2^36 + line_no * 16 + leg_no
_FILE_UNIT, _LINE_UNIT, _LEG_UNIT = 2**36, 2**4, 2**4
_INVOICE_LINE = re.compile(r"(?P<account>.+):(?P<period>\d{4}-\d{2}):(?P<line>\d+)")
_FILE_LINE = re.compile(r"(?P<file>.+):(?P<line>\d+)")
_LANDING_TABLES = ("asterisk_cdr", "mapped_usage", "carrier_charge")
_LARGEST = 10


@dataclass(frozen=True)
class Section:
    """A step on the way from the line to the amount: a heading and named values, or a table."""

    title: str
    facts: Facts = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)


def split_usage_id(number: int) -> tuple[int, int, int]:
    """File, line and leg that a usage_id (leg 1 or 2) or charge_id (leg 0) packs."""
    return (
        number // _FILE_UNIT,
        number % _FILE_UNIT // _LINE_UNIT,
        number % _LEG_UNIT,
    )


def explain(connection: Any, identifier: str) -> list[Section]:
    """The sections that explain an identifier; refuses one that names nothing, in words."""
    identifier = identifier.strip()
    figures.require_rated(connection)
    if re.fullmatch(r"\d+", identifier):
        file_id, line_no, leg_no = split_usage_id(int(identifier))
        return _explain_line(connection, file_id, line_no, leg_no)
    if match := _INVOICE_LINE.fullmatch(identifier):
        return _explain_invoice_line(
            connection, match["account"], match["period"], int(match["line"])
        )
    if match := _FILE_LINE.fullmatch(identifier):
        file_id = _find_file(connection, match["file"])
        return _explain_line(connection, file_id, int(match["line"]), None)
    raise RatehouseError(
        f"'{identifier}' names nothing: give a usage or charge number, `file name:line`, or "
        "`account:2026-10:line`"
    )


def _rows(connection: Any, query: str | sql.Composable, values: Any = ()) -> list[Facts]:
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, values)
        return [dict(row) for row in cursor.fetchall()]


def _one(connection: Any, query: str | sql.Composable, values: Any = ()) -> Facts:
    found = _rows(connection, query, values)
    return found[0] if found else {}


def _built(layer: str, name: str) -> sql.Composable:
    return build_relation(paths.build_schema(), layer, name)


def _find_file(connection: Any, name: str) -> int:
    """A file by its name, with the source in front where two sources use the same name."""
    source_code, _, file_name = name.rpartition("/")
    found = _rows(
        connection,
        """
        select file_id, source_code, status from control.file
        where file_name = %s and (%s = '' or source_code = %s)
        order by status = 'landed' desc, file_id desc
        """,
        (file_name, source_code, source_code),
    )
    if not found:
        raise RatehouseError(f"no file of the name '{name}' was ever received (ratehouse files)")
    landed = [file for file in found if file["status"] == "landed"]
    if len(landed) > 1:
        choices = ", ".join(f"{file['source_code']}/{file_name}" for file in landed)
        raise RatehouseError(f"several files have the name '{file_name}': say which ({choices})")
    return found[0]["file_id"]


def _explain_line(connection: Any, file_id: int, line_no: int, leg_no: int | None) -> list[Section]:
    file = _one(
        connection,
        "select file_id, file_name, origin, source_code, layout_code, layout_variant, columns, "
        "status, received_at, sha256 from control.file where file_id = %s",
        (file_id,),
    )
    if not file:
        raise RatehouseError(f"there is no file {file_id}, so no record of that number")
    sections = [_file_section(file, line_no), _raw_section(connection, file, line_no)]
    at_line = {"file_id": file_id, "line_no": line_no}
    usage = _rows(
        connection,
        sql.SQL(
            "select * from {} where file_id = %(file_id)s and line_no = %(line_no)s order by leg_no"
        ).format(_built("rating", "current_rated_usage")),
        at_line,
    )
    for leg in usage:
        if leg_no in (None, leg["leg_no"]):
            sections += _usage_sections(connection, leg)
    charges = _rows(
        connection,
        sql.SQL("select * from {} where file_id = %(file_id)s and line_no = %(line_no)s").format(
            _built("rating", "current_rated_charge")
        ),
        at_line,
    )
    for charge in charges:
        sections += _charge_sections(connection, charge)
    if not usage and not charges and sections[1].title == _NO_LINE:
        raise RatehouseError(
            f"{file['file_name']} has no record on line {line_no}: nothing landed from there"
        )
    return sections


_NO_LINE = "No such line"


def _file_section(file: Facts, line_no: int) -> Section:
    return Section(
        "File",
        {
            "file": f"{file['file_name']} (file {file['file_id']}), line {line_no}",
            "source": file["source_code"],
            "layout": " ".join(filter(None, [file["layout_code"], file["layout_variant"]])),
            "status": file["status"],
            "received": file["received_at"],
            "sha256": file["sha256"],
        },
    )


def _raw_section(connection: Any, file: Facts, line_no: int) -> Section:
    """The values as received; or why the line is no record."""
    values = (file["file_id"], line_no)
    if file["layout_code"] in _LANDING_TABLES:
        raw = _one(
            connection,
            sql.SQL("select * from {} where file_id = %s and line_no = %s").format(
                sql.Identifier("landing", file["layout_code"])
            ),
            values,
        )
        if raw:
            kept = {k: v for k, v in raw.items() if v is not None and k not in _POSITION}
            return Section("As received", kept)
    bad = _one(
        connection,
        "select reason_code, field_name, reason, raw_bytes from landing.quarantine "
        "where file_id = %s and line_no = %s",
        values,
    )
    if bad:
        text = bytes(bad["raw_bytes"]).decode("utf-8", "backslashreplace")
        return Section(
            "Quarantined: it could not be read",
            {
                "reason": f"{bad['reason_code']}: {bad['reason']}",
                "field": bad["field_name"],
                "line": text.strip(),
            },
        )
    other = _one(
        connection,
        "select kind, raw_line from landing.non_data_line where file_id = %s and line_no = %s",
        values,
    )
    if other:
        return Section("Not a record", {"kind": other["kind"], "line": other["raw_line"].strip()})
    return Section(_NO_LINE)


_POSITION = ("file_id", "line_no")


def _pick(row: Mapping[str, Any], **names: str) -> Facts:
    """Columns under the names people use, in order; what is null is left out."""
    return {
        shown.replace("_", " "): row[column]
        for shown, column in names.items()
        if row.get(column) is not None
    }


def _reason(connection: Any, reason: str | None) -> Facts:
    if reason is None:
        return {}
    words = _one(
        connection,
        sql.SQL("select * from {} where reason_code = %s").format(
            _built("seeds", "record_reasons")
        ),
        (reason,),
    )
    return {
        "reason": reason,
        **_pick(words, field="field_name", meaning="description", what_to_do="what_to_do"),
    }


def _original(number: int | None) -> Facts:
    if number is None:
        return {}
    file_id, line_no, _ = split_usage_id(number)
    return {"first received as": f"{number} (file {file_id}, line {line_no})"}


def _with_plain_numbers(leg: Facts) -> Facts:
    """Telephone numbers as text: nobody writes them with thousands apart."""
    numbers = ("calling_number", "called_number", "rated_number")
    return {
        **leg,
        **{name: str(leg[name]) for name in numbers if leg.get(name) is not None},
    }


def _span(start: Any, end: Any) -> str | None:
    """A validity range in words; the ends of time do not count as ends."""
    if start is None or end is None:
        return None
    first = "" if start.year == 1 else f"from {cell(start)}"
    last = "" if end.year == 9999 else f"until {cell(end)}"
    return " ".join(part for part in (first, last) if part) or "always"


def _usage_sections(connection: Any, leg: Facts) -> list[Section]:
    leg = _with_plain_numbers(leg)
    values = Section(
        f"Usage {leg['usage_id']} (leg {leg['leg_no']}): what the values mean",
        _pick(
            leg,
            usage_type="usage_type",
            direction="direction",
            started="started_at",
            time_quality="time_quality",
            duration_seconds="duration_seconds",
            billable_seconds="billable_seconds",
            calling="calling_number",
            calling_class="calling_class",
            called="called_number",
            called_class="called_number_class",
            disposition="disposition",
        ),
    )
    decision = Section(
        "Decision",
        {
            "state": leg["state"],
            **_reason(connection, leg["reason"]),
            **_original(leg["original_usage_id"]),
            **_ownership(connection, leg, leg["started_at"]),
            **_pick(
                leg,
                plan_from="plan_source",
                destination_class="called_class",
                calling_state="calling_state",
                called_state="called_state",
                jurisdiction="jurisdiction",
                charge_class="charge_class",
                money_at_risk="at_risk_amount",
            ),
        },
    )
    sections = [values, decision]
    for title, side in (("Price", "retail"), ("Cost", "cost")):
        section = _price_section(connection, title, side, leg)
        if section is not None:
            sections.append(section)
    return [*sections, _run_section(connection, leg)]


def _ownership(connection: Any, row: Facts, at: Any) -> Facts:
    """Service, account and plan in the user's own codes, as they were at the time."""
    facts: Facts = {}
    for shown, kind, key, columns in (
        ("service", "service", "service_id", "service_code"),
        ("account", "account", "account_id", "account_code || ' ' || customer_name"),
        ("plan", "plan", "plan_id", "plan_code || ' ' || plan_name"),
    ):
        number = row.get(key)
        if number is None:
            continue
        found = _one(
            connection,
            sql.SQL(
                "select " + columns + " as words from reference.{kind} where {key} = %s "
                "order by valid_during @> %s::timestamptz desc, recorded_to desc limit 1"
            ).format(kind=sql.Identifier(kind), key=sql.Identifier(key)),
            (number, at),
        )
        facts[shown] = found.get("words", number)
        if shown == "service" and row.get("match_method"):
            facts["matched by"] = row["match_method"]
    return facts


def _price_section(connection: Any, title: str, side: str, leg: Facts) -> Section | None:
    """Deck, row, prefix, units and components of one side, as the run kept them."""
    rate_id = leg.get(f"{side}_rate_id")
    if rate_id is None:
        status = leg.get("cost_status") if side == "cost" else None
        return Section(title, {"status": status}) if status else None
    rate = _one(
        connection,
        "select r.*, d.deck_id, d.deck_name, d.minimum_seconds as deck_minimum_seconds, "
        "d.increment_seconds as deck_increment_seconds, d.rounding_decimals, d.rounding_mode "
        "from reference.rate as r "
        "left join lateral (select * from reference.deck where deck_code = r.deck_code "
        "order by valid_during @> %s::timestamptz desc, recorded_to desc limit 1) as d on true "
        "where r.rate_id = %s",
        (leg["started_at"], rate_id),
    )
    plan = _one(
        connection,
        "select * from reference.plan where plan_id = %s "
        "order by valid_during @> %s::timestamptz desc, recorded_to desc limit 1",
        (leg.get("plan_id"), leg["started_at"]),
    )
    is_retail = side == "retail"
    rounding = plan if is_retail else rate
    facts = {
        "deck": f"{rate.get('deck_code')} {rate.get('deck_name') or ''}".strip(),
        "row": f"{rate_id}: prefix {rate.get('prefix')} {rate.get('destination_name') or ''}",
        "row's jurisdiction": rate.get("jurisdiction"),
        "valid": _span(rate.get("valid_from"), rate.get("valid_to")),
        "known since": rate.get("recorded_from"),
        "rated number": leg["rated_number"],
        "matched prefix": leg.get(f"{side}_prefix"),
        "duration rounding": plan.get("duration_rounding") if is_retail else "up",
        "minimum seconds": _first(rate, "minimum_seconds", "deck_minimum_seconds"),
        "increment seconds": _first(rate, "increment_seconds", "deck_increment_seconds"),
        "increments count": plan.get("increment_base") if is_retail else "after_minimum",
        "billed seconds": leg.get(f"{side}_billed_seconds"),
        "price per minute": leg.get("retail_price_per_minute")
        if is_retail
        else rate.get("price_per_minute"),
        "connection fee": leg.get("retail_connection_fee")
        if is_retail
        else rate.get("connection_fee"),
        "unrounded": leg.get(f"{side}_unrounded_amount"),
        "rounding": _rounding(rounding, is_retail),
        "amount": leg.get(f"{side}_amount"),
        "currency": leg.get("currency_code" if is_retail else "cost_currency_code"),
    }
    return Section(title, {name: value for name, value in facts.items() if value is not None})


def _first(row: Facts, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _rounding(row: Facts, is_retail: bool) -> str | None:
    if row.get("rounding_decimals") is None:
        return None
    level = row.get("rounding_level", "call") if is_retail else "call"
    if level != "call":
        return f"none at the call: at the {level}"
    return f"to {row['rounding_decimals']} decimals, {row['rounding_mode']}"


def _charge_sections(connection: Any, charge: Facts) -> list[Section]:
    at = charge["period_from"]
    values = Section(
        f"Charge {charge['charge_id']}: what the values mean",
        _pick(
            charge,
            product="product_code",
            description="description",
            period_from="period_from",
            period_to="period_to",
            quantity="quantity",
            carrier_amount="carrier_amount",
        ),
    )
    decision = Section(
        "Decision",
        {
            "state": charge["state"],
            **_reason(connection, charge["reason"]),
            **_original(charge["original_charge_id"]),
            **_ownership(connection, charge, at),
            **_pick(charge, charge_class="charge_class"),
        },
    )
    price = Section(
        "Price",
        _pick(
            charge,
            price_mode="price_mode",
            unrounded="unrounded_amount",
            amount="charge_amount",
            currency="currency_code",
            cost="cost_amount",
            cost_currency="cost_currency_code",
        ),
    )
    return [values, decision, price, _run_section(connection, charge)]


def _run_section(connection: Any, row: Facts) -> Section:
    run = _one(
        connection,
        "select * from control.rating_run where rating_run_id = %s",
        (row["rating_run_id"],),
    )
    changed = " (changed since)" if run.get("code_is_dirty") else ""
    return Section(
        "Rated by",
        {
            "rating run": f"{run['rating_run_id']} ({run['run_kind']}), attempt {run['attempt']}",
            "closed": run["closed_at"],
            "reference known until": run["reference_cutoff"],
            "code": f"{run['code_commit']}{changed}",
            "asked for by": run["requested_by"],
            "period": f"{row['period_month']:%Y-%m}" if row.get("period_month") else None,
        },
    )


def _explain_invoice_line(
    connection: Any, account_code: str, period: str, line_no: int
) -> list[Section]:
    line = _one(
        connection,
        sql.SQL(
            """
            select l.*, r.period_month, r.bill_group, r.status as run_status, r.drafted_at,
                r.code_commit, k.account_code
            from {} as l
            inner join control.invoice_run as r on l.invoice_run_id = r.invoice_run_id
            inner join reference.account_key as k on l.account_id = k.account_id
            where k.account_code = %s and r.period_month = %s::date and l.line_no = %s
            """
        ).format(_built("billing", "draft_invoice_line")),
        (account_code, f"{period}-01", line_no),
    )
    if not line:
        raise RatehouseError(
            f"account {account_code} has no line {line_no} on an invoice of {period} "
            f"(draft it with: ratehouse bill {period})"
        )
    sections = [
        Section(
            "Invoice line",
            {
                "account": line["account_code"],
                "period": f"{line['period_month']:%Y-%m}",
                "line": f"{line_no}: {line['description']}",
                "kind": line["line_kind"],
                "records": line["record_count"],
                "billed seconds": line["billed_seconds"],
                "unrounded": line["unrounded_amount"],
                "amount": line["line_amount"],
                "currency": line["currency_code"],
                "invoice run": f"{line['invoice_run_id']} ({line['run_status']}), "
                f"drafted {line['drafted_at']}",
                "code": line["code_commit"],
            },
        )
    ]
    if line["line_kind"] == "usage":
        sections.append(_largest_usage(connection, line))
    elif line["line_kind"] == "charge":
        sections.append(_largest_charges(connection, line))
    else:
        sections.append(
            Section("Rounding", {"why": "brings the exact sum of the lines to two decimals"})
        )
    return sections


def _largest_usage(connection: Any, line: Facts) -> Section:
    rows = _rows(
        connection,
        sql.SQL(
            """
            select u.usage_id::text, u.started_at, u.rated_number::text, u.retail_prefix,
                u.retail_billed_seconds, u.retail_amount, u.rating_run_id
            from {} as u
            where u.account_id = %(account_id)s and u.period_month = %(period_month)s
                and u.charge_class = %(charge_class)s and u.state = 'billed'
                and u.currency_code = %(currency_code)s
                -- Encloses the period in any zone and for any anchor day: reaches partitions.
                and u.started_at >= (%(period_month)s::date - 1)::timestamp at time zone 'UTC'
                and u.started_at
                    < (%(period_month)s::date + interval '2 months 1 day') at time zone 'UTC'
            order by u.retail_amount desc nulls last, u.usage_id
            limit %(limit)s
            """
        ).format(_built("rating", "current_rated_usage")),
        {**line, "limit": _LARGEST},
    )
    return Section(
        f"Its {len(rows)} largest records (ratehouse explain NUMBER tells more)",
        columns=("number", "started", "rated number", "prefix", "seconds", "amount", "run"),
        rows=[tuple(row.values()) for row in rows],
    )


def _largest_charges(connection: Any, line: Facts) -> Section:
    rows = _rows(
        connection,
        sql.SQL(
            """
            select c.charge_id, c.product_code, c.period_from, c.period_to, c.quantity,
                c.charge_amount, c.rating_run_id
            from {} as c
            where c.account_id = %(account_id)s and c.period_month = %(period_month)s
                and c.charge_class = %(charge_class)s and c.description = %(description)s
                and c.state = 'billed' and c.currency_code = %(currency_code)s
            order by c.charge_amount desc nulls last, c.charge_id
            limit %(limit)s
            """
        ).format(_built("rating", "current_rated_charge")),
        {**line, "limit": _LARGEST},
    )
    return Section(
        f"Its {len(rows)} largest charges (ratehouse explain NUMBER tells more)",
        columns=("number", "product", "from", "to", "quantity", "amount", "run"),
        rows=[tuple(row.values()) for row in rows],
    )
