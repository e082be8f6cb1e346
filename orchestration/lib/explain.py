"""Why is this charge what it is? From the raw line to the rounded amount: read from the marts that
tell it (rpt_explain__record, rpt_explain__invoice), never worked out here.

An identifier names one of four things: a usage leg or a charge by its number, a line of a file as
`file name:line`, or an invoice line as `account:2026-10:line`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from loaders.errors import RatehouseError
from loaders.runs.schemas import build_relation
from orchestration.lib import figures, paths

Facts = dict[str, Any]

# usage_id = file_id * 2^36 + line_no * 16 + leg_no
_FILE_UNIT, _LINE_UNIT, _LEG_UNIT = 2**36, 2**4, 2**4
_INVOICE_LINE = re.compile(r"(?P<account>.+):(?P<period>\d{4}-\d{2}):(?P<line>\d+)")
_FILE_LINE = re.compile(r"(?P<file>.+):(?P<line>\d+)")
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
    """What the marts tell of a line, or why no run has anything to tell of it."""
    file = _one(
        connection,
        "select file_id, file_name, source_code, layout_code, layout_variant, status, "
        "status_reason, received_at, sha256 from control.file where file_id = %s",
        (file_id,),
    )
    if not file:
        raise RatehouseError(f"there is no file {file_id}, so no record of that number")
    told = _rows(
        connection,
        sql.SQL(_TOLD).format(_marts(connection)),
        {"file_id": file_id, "line_no": line_no, "leg_no": leg_no},
    )
    if not told:
        if file["status"] in ("landed", "withdrawn"):
            raise RatehouseError(
                f"{file['file_name']} has no record on line {line_no}: nothing landed from there"
            )
        return [_untold_file(connection, file, line_no)]
    is_decided = any(row["leg_no"] is not None for row in told)
    sections = _sections(told)
    if not is_decided and not any(row["item"] == "what it is" for row in told):
        sections.append(Section("Decision", {"state": _undecided(connection, file, leg_no)}))
    return sections


_TOLD = """
    select leg_no, section, item, value from ({}) as told
    where file_id = %(file_id)s and line_no = %(line_no)s
        and (leg_no is null or %(leg_no)s is null or leg_no = %(leg_no)s)
    order by leg_no nulls first, section_no, item_no
"""


def _marts(connection: Any) -> sql.Composable:
    """The marts that explain a record; that of invoices is there once one was drafted."""
    columns = "select file_id, line_no, leg_no, section_no, section, item_no, item, value from {}"
    names = [
        _built("marts", name)
        for name in ("rpt_explain__record", "rpt_explain__invoice")
        if _one(
            connection,
            "select to_regclass(%s) is not null as is_there",
            (_built("marts", name).as_string(connection),),
        )["is_there"]
    ]
    return sql.SQL(" union all ").join(sql.SQL(columns).format(name) for name in names)


def _sections(told: list[Facts]) -> list[Section]:
    """The items under their headings; of a call with two legs these say which is meant."""
    legs = {row["leg_no"] for row in told} - {None}
    sections: list[Section] = []
    for row in told:
        title = row["section"]
        if len(legs) > 1 and row["leg_no"] is not None:
            title = f"{title} (leg {row['leg_no']})"
        if not sections or sections[-1].title != title:
            sections.append(Section(title))
        sections[-1].facts[row["item"]] = row["value"]
    return sections


def _undecided(connection: Any, file: Facts, leg_no: int | None) -> str:
    """Why a line that landed has no decision that counts."""
    if file["status"] == "withdrawn":
        return "none: the file is withdrawn (ratehouse files restore takes it back)"
    if file["status"] != "landed":
        return f"none: the file is {file['status']} (ratehouse files)"
    taken = _rows(
        connection,
        "select 1 from control.rating_run_file as w "
        "inner join control.rating_run as r on w.rating_run_id = r.rating_run_id "
        "where w.file_id = %s and r.status = 'closed' and w.build_schema = %s limit 1",
        (file["file_id"], paths.build_schema()),
    )
    if taken and leg_no is not None:
        return f"none: the record has no leg {leg_no}"
    return "none yet: no run has taken the file (ratehouse rate)"


def _untold_file(connection: Any, file: Facts, line_no: int) -> Section:
    """A file of which nothing landed: why, and what would have to change."""
    event = _one(
        connection,
        "select detail ->> 'explanation' as explanation from control.event "
        "where subject = 'file' and subject_id = %s and event in ('held', 'failed') "
        "order by event_id desc limit 1",
        (file["file_id"],),
    )
    number = file["file_id"]
    advice = {
        "held": f"ratehouse files show {number}; then ratehouse files release {number} --reason "
        "TEXT lets it land, ratehouse files discard puts it away",
        "failed": "load it again; if it fails again, ask for a corrected file",
    }
    return Section(
        "File",
        {
            "file": f"{file['file_name']} (file {number}), line {line_no}",
            "source": file["source_code"],
            "layout": " ".join(filter(None, [file["layout_code"], file["layout_variant"]])),
            "status": ": ".join(filter(None, [file["status"], file["status_reason"]])),
            "why": event.get("explanation"),
            "what would have to change": advice.get(file["status"]),
            "received": file["received_at"],
            "sha256": file["sha256"],
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
                and r.is_current
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
    elif line["line_kind"] == "rounding":
        sections.append(
            Section(
                "Rounding",
                {"why": f"brings the exact sum to the smallest unit of {line['currency_code']}"},
            )
        )
    if line["detail"]:
        sections.append(
            Section(
                "How it came about",
                {
                    name.replace("_", " "): value
                    if isinstance(value, str | int | float)
                    else json.dumps(value)
                    for name, value in line["detail"].items()
                },
            )
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
