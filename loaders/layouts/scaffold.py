"""The first draft of a new layout, from a few of a carrier's files.

What it writes compiles and lands the files it saw. What it guessed about meanings is marked in the
draft; a person who knows the carrier puts it right.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loaders.errors import RatehouseError
from loaders.files.stored import HEAD, Hold, StoredFile, as_utf8, wide_encoding
from loaders.layouts.catalogue import CARRIER_CHARGE, LAYOUTS, MAPPED_USAGE
from loaders.layouts.checks import (
    is_amount,
    is_date,
    is_datetime,
    is_duration,
    is_number_like,
    looks_like_data,
)
from loaders.layouts.dialect import dialect_of
from loaders.layouts.layout import DELIMITERS
from loaders.layouts.profile import squeeze

_LINES = 300
_HEADER_WITHIN = 25
_SAMPLE_RECORDS = 3
# A meaning of the generic layouts, and the column of the staging contract it fills.
_USAGE = {
    "record_id": "record_id",
    "call_group": "call_group_id",
    "start_time": "start_raw",
    "answer_time": "answer_raw",
    "end_time": "end_raw",
    "duration": "duration_raw",
    "billable_duration": "billable_raw",
    "quantity": "quantity_raw",
    "bytes_up": "bytes_up_raw",
    "bytes_down": "bytes_down_raw",
    "calling_number": "calling_raw",
    "called_number": "called_raw",
    "calling_name": "calling_name",
    "disposition": "disposition_raw",
    "cause_code": "cause_code",
    "account_key": "account_key",
    "service_key": "service_key_1",
    "trunk": "trunk",
    "lrn": "lrn",
    "carrier_amount": "carrier_amount_raw",
    "currency_code": "carrier_currency",
    "category": "category",
}
_CHARGE = {
    "record_id": "record_id",
    "account_key": "account_key",
    "service_key": "service_key",
    "product_code": "product_code",
    "description": "description",
    "charge_type": "charge_type",
    "period_from": "period_from_raw",
    "period_to": "period_to_raw",
    "event_date": "event_date_raw",
    "quantity": "quantity_raw",
    "unit_price": "unit_price_raw",
    "net_amount": "net_amount_raw",
    "tax_code": "tax_code",
    "tax_amount": "tax_amount_raw",
    "gross_amount": "gross_amount_raw",
    "currency_code": "currency_code",
    "order_ref": "order_ref",
}
_CODE = re.compile(r"[a-z][a-z0-9_]{0,40}")
_DAY_FIRST = re.compile(r"\s*(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}")


class ScaffoldError(RatehouseError):
    """Why no draft can be made of the files."""


@dataclass(frozen=True)
class Column:
    """A column of the carrier's files."""

    name: str
    header: str | None
    values: tuple[str, ...]
    # Its meaning among those of the generic layouts, where one could be guessed.
    meaning: str | None = None


@dataclass(frozen=True)
class Draft:
    """What was understood of the files, and the files to write."""

    code: str
    kind: str
    delimiter: str
    has_header: bool
    columns: tuple[Column, ...]
    files: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """What the first lines of one file show of its columns."""

    delimiter: str
    has_header: bool
    columns: tuple[Column, ...]
    date_order: str
    decimal_mark: str


def look_at(
    path: Path, *, kind: str, delimiter: str | None = None, has_header: bool | None = None
) -> Sheet:
    """Take the first lines of a file apart and guess what its columns mean.

    ``delimiter`` and ``has_header`` are guessed too unless a person says them.
    """
    try:
        lines = _head(path)
    except Hold as hold:
        raise ScaffoldError(hold.explanation) from hold
    if delimiter is None:
        delimiter = _delimiter([lines])
    rows = _split(lines, delimiter)
    header = None
    if has_header:
        header = rows[0]
    elif has_header is None:
        header = _header([rows])
    columns = _columns([rows], header, kind)
    return Sheet(
        delimiter, header is not None, columns, _date_order(columns), _decimal_mark(columns)
    )


def draft_layout(
    code: str, examples: Sequence[Path], *, kind: str = "cdr", title: str | None = None
) -> Draft:
    """Look at 1 to n example files of one layout and write profile, staging model and test."""
    if not _CODE.fullmatch(code):
        raise ScaffoldError(
            f"'{code}' cannot name a layout: a small letter, then small letters, digits and "
            "underscores"
        )
    if code in LAYOUTS:
        raise ScaffoldError(f"there is a layout '{code}' already")
    if kind not in ("cdr", "sdr"):
        raise ScaffoldError(f"the kind is cdr or sdr, not '{kind}'")
    if not examples:
        raise ScaffoldError("name one or more example files")
    sheets = [_head(path) for path in examples]
    delimiter = _delimiter(sheets)
    tables = [_split(lines, delimiter) for lines in sheets]
    header = _header(tables)
    columns = _columns(tables, header, kind)
    files = _files(code, title or code.replace("_", " "), kind, delimiter, header, columns)
    files |= _golden(code, sheets[0], examples[0], header is not None)
    return Draft(code, kind, delimiter, header is not None, columns, files)


def write_draft(root: Path, draft: Draft) -> list[Path]:
    """Write the draft's files; none of them may exist. Adds the layout to macros/layouts.sql."""
    paths = [root / name for name in draft.files]
    present = [path for path in paths if path.exists()]
    if present:
        raise ScaffoldError(f"{present[0]} exists already; nothing was written")
    macro = root / "macros" / "layouts.sql"
    listed = _with_layout(macro.read_text(encoding="utf-8"), draft)
    for path, text in zip(paths, draft.files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    macro.write_text(listed, encoding="utf-8")
    return [*paths, macro]


def _with_layout(text: str, draft: Draft) -> str:
    name = "usage_layouts" if draft.kind == "cdr" else "charge_layouts"
    pattern = re.compile(r"(\{% macro " + name + r"\(\) -%\}.*?)(\n    \]\))", re.S)
    if pattern.search(text) is None:
        raise ScaffoldError(f"macros/layouts.sql has no list {name} to add '{draft.code}' to")
    return pattern.sub(
        lambda found: f"{found[1]}\n        '{draft.code}',{found[2]}", text, count=1
    )


# -- looking at the files ------------------------------------------------------------------------


def _head(path: Path) -> list[str]:
    try:
        blocks = StoredFile(path).blocks()
        head = b""
        for block in blocks:
            head += block
            if len(head) >= HEAD:
                break
    except OSError as error:
        raise ScaffoldError(f"{path}: cannot be read: {error.strerror}") from error
    wide = wide_encoding(head)
    if wide is not None:
        head = b"".join(as_utf8(iter([head]), wide))
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = head.decode("cp1252", "replace")
    lines = [line for line in re.split(r"\r\n|\r|\n", text)[:_LINES] if line.strip()]
    if not lines:
        raise ScaffoldError(f"{path}: the file is empty")
    return lines


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    dialect = dialect_of(delimiter, "csv")
    return [
        [
            "" if value is None else value.decode("utf-8", "replace")
            for value in dialect.best_effort(line.encode())
        ]
        for line in lines
    ]


def _delimiter(sheets: Sequence[Sequence[str]]) -> str:
    """The one that gives the most lines the same width of two or more."""
    best, best_rank = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for lines in sheets for row in _split(lines, delimiter))
        width, count = widths.most_common(1)[0]
        rank = (count / sum(widths.values()) if width > 1 else 0.0, width)
        if rank > best_rank:
            best, best_rank = delimiter, rank
    if best_rank[1] < 2:
        raise ScaffoldError(
            "the lines are not separated by comma, semicolon, tab or pipe. For fixed-width lines, "
            "JSON or XML write a profile by hand "
            '(reader = "lines", "json" or "xml"): docs/layouts.md'
        )
    return best


def _header(tables: Sequence[Sequence[Sequence[str]]]) -> list[str] | None:
    """The header all examples share, if they have one."""
    headers = []
    for rows in tables:
        width = Counter(len(row) for row in rows).most_common(1)[0][0]
        found = None
        for row in rows[:_HEADER_WITHIN]:
            named = [cell for cell in row if cell.strip()]
            if len(row) == width and len(named) >= 2 and not any(map(looks_like_data, named)):
                found = list(row)
                break
        headers.append(found)
    if all(header is None for header in headers):
        return None
    if any(header is None for header in headers):
        raise ScaffoldError("some examples have a header and some have none: they are two layouts")
    first = headers[0]
    assert first is not None
    words = [squeeze(cell) for cell in first]
    for header in headers[1:]:
        assert header is not None
        if [squeeze(cell) for cell in header][: len(words)] != words[: len(header)]:
            raise ScaffoldError(
                "the examples have different headers; draft a layout from files of one kind"
            )
    return max((header for header in headers if header is not None), key=len)


def _columns(
    tables: Sequence[Sequence[Sequence[str]]], header: list[str] | None, kind: str
) -> tuple[Column, ...]:
    words = [squeeze(cell) for cell in header] if header is not None else []
    rows = [
        row
        for table in tables
        for row in table
        if header is None or [squeeze(cell) for cell in row][: len(words)] != words[: len(row)]
    ]
    width = len(header) if header else Counter(len(row) for row in rows).most_common(1)[0][0]
    rows = [row for row in rows if len(row) == width]
    names = _names(header, width)
    values = [
        tuple(row[index].strip() for row in rows if row[index].strip()) for index in range(width)
    ]
    meanings = _by_header(words, kind) if header else _by_values(values, kind)
    return tuple(
        Column(names[index], header[index] if header else None, values[index], meanings.get(index))
        for index in range(width)
    )


def _names(header: list[str] | None, width: int) -> list[str]:
    names: list[str] = []
    for index in range(width):
        spoken = header[index].strip() if header else ""
        parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", spoken)
        name = re.sub(r"[^0-9a-z]+", "_", parted.lower()).strip("_")[:50]
        if not name or not name[0].isalpha():
            name = f"column_{index + 1}" if not name else f"column_{name}"
        if name in names or name in ("file_id", "line_no", "extra_columns"):
            name = f"{name}_{index + 1}"
        names.append(name)
    return names


def _by_header(words: Sequence[str], kind: str) -> dict[int, str]:
    generic = MAPPED_USAGE if kind == "cdr" else CARRIER_CHARGE
    known = _USAGE if kind == "cdr" else _CHARGE
    found: dict[int, str] = {}
    for meaning, aliases in generic.aliases.items():
        if meaning not in known:
            continue
        for alias in map(squeeze, aliases):
            if alias in words and words.index(alias) not in found:
                found[words.index(alias)] = meaning
                break
    return found


def _by_values(values: Sequence[Sequence[str]], kind: str) -> dict[int, str]:
    """Without a header only what the values themselves give away."""
    found: dict[int, str] = {}

    def first(meaning: str, check: object) -> None:
        for index, column in enumerate(values):
            if index not in found and column and all(check(value) for value in column):  # type: ignore[operator]
                found[index] = meaning
                return

    if kind == "cdr":
        first("start_time", is_datetime)
        for meaning in ("calling_number", "called_number"):
            first(meaning, lambda value: is_number_like(value) and len(value) >= 7)
        first("duration", lambda value: is_duration(value) and len(value) <= 8)
    else:
        first("period_from", lambda value: is_date(value) or is_datetime(value))
        first("net_amount", lambda value: is_amount(value) and "." in value)
    return found


# -- writing the draft -----------------------------------------------------------------------------


def _files(
    code: str,
    title: str,
    kind: str,
    delimiter: str,
    header: list[str] | None,
    columns: Sequence[Column],
) -> dict[str, str]:
    folder = f"dbt_project/models/staging/{code}"
    suffix = "usage" if kind == "cdr" else "charge"
    return {
        f"loaders/layouts/profiles/{code}.toml": _profile(
            code, title, kind, delimiter, header, columns
        ),
        f"{folder}/stg_{code}__{suffix}.sql": _staging(code, title, kind, columns),
        f"{folder}/_{code}.yml": _yml(code, title, suffix),
    }


def _profile(
    code: str,
    title: str,
    kind: str,
    delimiter: str,
    header: list[str] | None,
    columns: Sequence[Column],
) -> str:
    lines = [
        "# Drafted from example files. Say here who writes this layout and what is known of it.",
        f"code = {_toml(code)}",
        f"title = {_toml(title)}",
        f"file_kind = {_toml(kind)}",
        'reader = "delimited"',
        "",
        "# What the layout itself fixes; the source of a carrier overrides it. Leave time_zone out",
        "# where the carrier does not say it.",
        "[defaults]",
        f"date_order = {_toml(_date_order(columns))}",
        f"decimal_mark = {_toml(_decimal_mark(columns))}",
        'number_plan = "nanp"',
        "",
        "[delimited]",
        f"delimiters = [{_toml(delimiter)}]",
    ]
    checks = _checks(columns)
    if header is not None:
        lines += ["", "[[header]]"]
        lines += _list("required", [column.name for column in columns if column.header])
        if checks:
            lines.append(f"checks = {{ {checks} }}")
    for column in columns:
        lines += ["", "[[columns]]", f"name = {_toml(column.name)}"]
        if column.header is not None:
            lines.append(f"headers = [{_toml(column.header.strip())}]")
        example = next(iter(column.values), "")
        lines.append(f"description = {_toml(f'For example {example[:60]!r}.' if example else '')}")
    if header is None:
        lines += ["", "[[variants]]", f"code = {_toml(f'fields_{len(columns)}')}"]
        lines += _list("columns", [column.name for column in columns])
        lines.append(f"checks = {{ {checks} }}")
    return "\n".join(lines) + "\n"


def _list(key: str, names: Sequence[str]) -> list[str]:
    wrapped = textwrap.wrap(", ".join(map(_toml, names)), 90)
    return [f"{key} = [", *(f"    {part}" for part in wrapped), "]"]


def _checks(columns: Sequence[Column]) -> str:
    """What the values prove: times, whole numbers, a handful of words."""
    found = []
    for column in columns:
        if not column.values:
            continue
        if all(map(is_datetime, column.values)):
            found.append(f'{column.name} = "datetime"')
        elif column.header is None and all(value.isdigit() for value in column.values):
            found.append(f'{column.name} = "integer"')
    return ", ".join(found)


def _date_order(columns: Sequence[Column]) -> str:
    """dmy or mdy where a value above twelve proves it; else as ISO writes it."""
    for column in columns:
        for value in column.values:
            if (match := _DAY_FIRST.match(value)) is not None:
                if int(match[1]) > 12:
                    return "dmy"
                if int(match[2]) > 12:
                    return "mdy"
    return "ymd"


def _decimal_mark(columns: Sequence[Column]) -> str:
    """A comma where an amount or a duration has one and no column has a point in its place."""
    values = [value for column in columns for value in column.values]
    commas = sum(re.fullmatch(r"-?\d+,\d+", value) is not None for value in values)
    points = sum(re.fullmatch(r"-?\d+[.]\d+", value) is not None for value in values)
    return "," if commas > points else "."


def _staging(code: str, title: str, kind: str, columns: Sequence[Column]) -> str:
    targets = _USAGE if kind == "cdr" else _CHARGE
    lines = [
        f"-- Grain: one row per landed record of {title}.",
        "-- Drafted from example files: check each meaning before money depends on it.",
        "with records as (",
        f"    select * from {{{{ source('landing', '{code}') }}}}",
        ")",
        "",
        "select",
        "    records.file_id,",
        "    records.line_no,",
    ]
    given = []
    if kind == "cdr":
        lines.append("    'voice' as usage_type,")
        given.append("usage_type")
    record_id = "null"
    for column in columns:
        if column.meaning is None:
            continue
        target = targets[column.meaning]
        lines.append(f"    nullif(btrim(records.{column.name}), '') as {target},")
        given.append(target)
        if target == "record_id":
            record_id = f"btrim(records.{column.name})"
    unused = [column.name for column in columns if column.meaning is None]
    if unused:
        words = textwrap.wrap(f"without a meaning so far: {', '.join(unused)}", 90)
        lines += [f"    -- {part}" for part in words]
    lines.append(
        f"    {{{{ record_key_hash('records', '{code}', \"{record_id}\") }}}} as record_key_hash,"
    )
    if kind == "sdr":
        lines.append(f"    {{{{ content_hash('records', '{code}') }}}} as content_hash,")
    unset = "unset_usage_columns" if kind == "cdr" else "unset_charge_columns"
    quoted = textwrap.wrap(", ".join(f"'{name}'" for name in given), 88)
    lines.append(f"    {{{{ {unset}(except=[")
    lines += [f"        {part}" for part in quoted]
    lines += ["    ]) }}", "from records"]
    return "\n".join(lines) + "\n"


def _yml(code: str, title: str, suffix: str) -> str:
    meaning = "usage" if suffix == "usage" else "charges"
    return f"""sources:
  - name: landing
    tables:
      - name: {code}
        description: {title}, every column as text.

models:
  - name: stg_{code}__{suffix}
    description: {title} as canonical {meaning}, values still text.
    columns:
      - {{name: file_id, description: "File of the line."}}
      - {{name: line_no, description: "Physical line in the file."}}
      - {{name: record_key_hash, description: "Hash of the record key."}}
"""


def _golden(code: str, lines: Sequence[str], example: Path, has_header: bool) -> dict[str, str]:
    """A sample of the first records, and an expectation that fails until a person fills it in."""
    kept = list(lines[: _SAMPLE_RECORDS + has_header])
    name = f"tests/golden/{code}/{code}{example.suffix or '.txt'}"
    first = 2 if has_header else 1
    expectation = {
        "layout": code,
        "lines": {"data": len(kept) - has_header, "non_data": int(has_header), "quarantined": 0},
        "records": [
            {"line_no": line, "start_utc": "WORK OUT BY HAND", "billable_s": "WORK OUT BY HAND"}
            for line in range(first, len(kept) + 1)
        ],
    }
    return {
        name: "\n".join(kept) + "\n",
        f"{name}.json": json.dumps(expectation, indent=2) + "\n",
    }


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
