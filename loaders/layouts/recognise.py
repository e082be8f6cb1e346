"""Which layout a file has, judged by what stands in it and never by its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loaders.layouts.catalogue import ASTERISK_CDR, LAYOUTS, MAPPED_USAGE, Layout, Variant
from loaders.layouts.checks import (
    CHECKS,
    is_amount,
    is_clock,
    is_date,
    is_datetime,
    is_day_or_datetime,
    is_duration,
    is_number_like,
    looks_like_data,
)
from loaders.layouts.dialect import Dialect

DELIMITERS = (",", ";", "\t", "|")
# Below this a file is held; a layout named by its source needs only not to be absurd.
RECOGNISED = 0.6
NOT_ABSURD = 0.3
_HEADER_WITHIN = 25
_NO_RECORD = re.compile(
    r"\s*(?:#|(?:grand |sub|report )?totals?\b|trailer|trl|footer|eof|end of)", re.I
)
_SIGNATURE = {"clid", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "uniqueid"}


@dataclass(frozen=True)
class Shape:
    """How the lines of one file become rows of one landing table."""

    layout: Layout
    variant: str
    delimiter: str
    # Physical line of the header, None without one.
    header_line: int | None
    # What the file calls its columns.
    columns: tuple[str, ...]
    # The table column of each of them. One name twice: those fields are packed together.
    targets: tuple[str, ...]
    # Fields a short line may lack: nameless columns at the end of the header.
    optional_tail: int = 0

    @property
    def is_packed(self) -> bool:
        return len(set(self.targets)) < len(self.targets)


@dataclass(frozen=True)
class Recognition:
    """The verdict, with the score of every layout considered."""

    shape: Shape | None
    scores: dict[str, float] = field(default_factory=dict)
    explanation: str = ""
    # False when there is no record to judge by: only blank lines.
    has_rows: bool = True


Rows = list[tuple[int, list[str]]]


def normalise_name(name: str) -> str:
    """Header words compared without case, accents of spelling, units' brackets."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name.strip().strip('"'))
    return re.sub(r"[^0-9a-z]+", "_", spaced.lower()).strip("_")


def _same_name(left: str, right: str) -> bool:
    return left.strip() == right.strip() or _squeeze(left) == _squeeze(right) != ""


def _squeeze(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "", name.lower())


def recognise(
    lines: Sequence[str],
    *,
    layout_code: str | None = None,
    column_map: Mapping[str, str] | None = None,
) -> Recognition:
    """Judge the first lines of a file.

    ``layout_code`` and ``column_map`` come from the file's source, when it has one: the layout
    is then not chosen but checked.
    """
    numbered = [
        (number, line)
        for number, line in enumerate(lines, start=1)
        if line.strip().strip("".join(DELIMITERS) + '" ')
    ]
    if not numbered:
        return Recognition(None, has_rows=False, explanation="the file has only blank lines")
    if layout_code is not None and layout_code not in LAYOUTS:
        return Recognition(
            None,
            explanation=f"the source names the layout '{layout_code}', which does not exist; "
            f"there are {', '.join(LAYOUTS)}",
        )
    candidates = [LAYOUTS[layout_code]] if layout_code else list(LAYOUTS.values())
    scores: dict[str, float] = {layout.code: 0.0 for layout in candidates}
    best: tuple[float, int, Shape] | None = None
    complaints: list[str] = []
    for delimiter in DELIMITERS:
        dialect = Dialect(delimiter.encode())
        rows = [
            (
                number,
                [
                    "" if value is None else value.decode("utf-8", "replace")
                    for value in dialect.best_effort(line.encode("utf-8", "replace"))
                ],
            )
            for number, line in numbered
        ]
        if max(len(fields) for _, fields in rows) < 2:
            continue
        for layout in candidates:
            mapping = column_map if column_map and layout.code != ASTERISK_CDR.code else None
            found, complaint = _score_layout(layout, rows, delimiter, mapping)
            if complaint:
                complaints.append(complaint)
            for score, shape in found:
                scores[layout.code] = max(scores[layout.code], round(score, 3))
                rank = (round(score, 6), len(shape.columns), shape)
                if best is None or rank[:2] > best[:2]:
                    best = rank
    needed = NOT_ABSURD if layout_code else RECOGNISED
    if best is not None and best[0] >= needed:
        return Recognition(best[2], scores)
    shown = ", ".join(f"{code} {score:.2f}" for code, score in scores.items())
    explanation = complaints[0] if complaints else f"no layout fits well enough: {shown}"
    return Recognition(None, scores, explanation)


def _score_layout(
    layout: Layout, rows: Rows, delimiter: str, column_map: Mapping[str, str] | None
) -> tuple[list[tuple[float, Shape]], str | None]:
    if column_map is not None:
        return _by_column_map(layout, rows, delimiter, column_map)
    found = []
    header = _find_header(layout, rows)
    if header is not None:
        number, cells = rows[header]
        data = _of_width(_records(rows[header + 1 :], cells), len(cells))
        targets = _targets_by_alias(layout, cells, data)
        shape = _shape(layout, "header", delimiter, number, cells, targets)
        found.append((_score_header(layout, cells, targets, data), shape))
    else:
        found.extend(_score_variants(layout, _records(rows) or rows, delimiter))
    return found, None


def _find_header(layout: Layout, rows: Rows) -> int | None:
    known = {alias for aliases in layout.aliases.values() for alias in aliases}
    for index, (_, cells) in enumerate(rows[:_HEADER_WITHIN]):
        named = [cell for cell in cells if cell.strip()]
        if len(named) < 2 or any(looks_like_data(cell) for cell in named):
            continue
        if sum(_known_name(cell, known) for cell in named) >= 2:
            return index
    return None


def _known_name(cell: str, known: set[str]) -> bool:
    name = normalise_name(cell)
    return name in known or name.replace("_", "") in known


def _records(rows: Rows, header: Sequence[str] = ()) -> Rows:
    """Without what says nothing about the columns: repeated headers, totals, comments."""
    names = [normalise_name(name) for name in header]
    return [
        (number, fields)
        for number, fields in rows
        if _NO_RECORD.match(fields[0]) is None
        and [normalise_name(field) for field in fields] != names
    ]


def _of_width(rows: Rows, width: int) -> list[list[str]]:
    return [fields for _, fields in rows if len(fields) == width]


def _column(data: list[list[str]], index: int) -> list[str]:
    return [fields[index] for fields in data if fields[index].strip()]


def _share(values: list[str], check) -> float:
    return sum(map(check, values)) / len(values) if values else 0.0


def _targets_by_alias(
    layout: Layout, cells: list[str], data: list[list[str]]
) -> dict[int, str]:
    """Table column by position, from the header's words and, for times, the values."""
    names = [normalise_name(cell) for cell in cells]
    targets: dict[int, str] = {}
    for target, aliases in layout.aliases.items():
        for alias in aliases:
            position = next(
                (
                    index
                    for index, name in enumerate(names)
                    if index not in targets and alias in (name, name.replace("_", ""))
                ),
                None,
            )
            if position is not None:
                targets[position] = target
                break
    if layout.code == MAPPED_USAGE.code:
        _settle_start(targets, data)
    return targets


def _settle_start(targets: dict[int, str], data: list[list[str]]) -> None:
    """A "date" may hold the clock too, and a "start time" only the clock."""
    where = {target: index for index, target in targets.items()}
    start, day, clock = (where.get(name) for name in ("start_time", "start_date", "start_clock"))
    if (
        start is not None
        and day is not None
        and clock is None
        and _share(_column(data, start), is_clock) > 0.5
    ):
        targets[start] = "start_clock"
    elif start is None and day is not None and _share(_column(data, day), is_datetime) > 0.5:
        targets[day] = "start_time"
    elif (
        start is not None
        and day is None
        and clock is not None
        and _share(_column(data, start), is_date) > 0.5
    ):
        targets[start] = "start_date"


def _score_header(
    layout: Layout, cells: list[str], targets: dict[int, str], data: list[list[str]]
) -> float:
    where = {target: index for index, target in targets.items()}
    named = sum(1 for cell in cells if cell.strip())
    share = len(targets) / named

    def evidence(check, *columns: str) -> float:
        """1 for a column that is there and, where there are values, holds what it should."""
        best = 0.0
        for column in columns:
            if column in where:
                values = _column(data, where[column])
                best = max(best, _share(values, check) if values else 1.0)
        return best

    def anything(_value: str) -> bool:
        return True

    if layout.code == ASTERISK_CDR.code:
        if not {"start_time", "dst", "billsec", "disposition"} <= set(where):
            return 0.0
        if share < 1 and len(_SIGNATURE & set(where)) < 3:
            return 0.0
        checks = ("start_time", is_datetime), ("billsec", is_duration)
        values = sum(evidence(check, column) for column, check in checks) / len(checks)
        return 0.6 * values + 0.2 * share + 0.2 * evidence(CHECKS["disposition"], "disposition")
    if layout.code == MAPPED_USAGE.code:
        return (
            0.3 * evidence(is_day_or_datetime, "start_time", "start_date")
            + 0.2 * evidence(is_number_like, "called_number")
            + 0.15 * evidence(is_number_like, "calling_number")
            + 0.2 * max(
                evidence(is_duration, "duration", "billable_duration"),
                evidence(is_amount, "quantity", "bytes_up", "bytes_down"),
            )
            + 0.05 * share
        )  # fmt: skip
    usage = _targets_by_alias(MAPPED_USAGE, cells, data)
    is_usage = {"duration", "billable_duration"} & set(usage.values()) and {
        "called_number",
        "calling_number",
    } & set(usage.values())
    return (
        0.3 * evidence(is_amount, "net_amount", "unit_price")
        + 0.2 * evidence(anything, "account_key", "service_key")
        + 0.2 * evidence(anything, "description", "product_code")
        + 0.2 * evidence(is_day_or_datetime, "period_from", "event_date")
        + 0.05 * share
        - (0.4 if is_usage else 0.0)
    )


def _score_variants(layout: Layout, rows: Rows, delimiter: str) -> list[tuple[float, Shape]]:
    found = []
    for variant in layout.variants:
        score = score_variant(variant, [fields for _, fields in rows])
        if score > 0:
            found.append((score, _variant_shape(layout, variant, delimiter)))
    # Rows that end with a delimiter have one field more than their columns; it is always empty.
    widths = Counter(len(fields) for _, fields in rows)
    width = widths.most_common(1)[0][0]
    trimmed = [fields[:-1] for _, fields in rows if len(fields) == width and not fields[-1]]
    if len(trimmed) == widths[width]:
        for variant in layout.variants:
            # A little less than a variant that has a column for it.
            score = 0.99 * score_variant(variant, trimmed) * len(trimmed) / len(rows)
            if score > 0:
                shape = _variant_shape(layout, variant, delimiter, trailing=True)
                found.append((score, shape))
    return found


def score_variant(variant: Variant, rows: Sequence[Sequence[str]]) -> float:
    """0 to 1: the share of rows of its width times how well the checks of its columns pass."""
    fitting = [fields for fields in rows if len(fields) == len(variant.columns)]
    if not fitting:
        return 0.0
    rates = []
    for column, check in variant.checks.items():
        index = variant.columns.index(column)
        passes = CHECKS[check]
        rates.append(sum(passes(fields[index]) for fields in fitting) / len(fitting))
    return len(fitting) / len(rows) * (sum(rates) / len(rates) + min(rates)) / 2


def _variant_shape(
    layout: Layout, variant: Variant, delimiter: str, *, trailing: bool = False
) -> Shape:
    extra = layout.overflow[:1] if trailing else ()
    return Shape(
        layout=layout,
        variant=variant.code,
        delimiter=delimiter,
        header_line=None,
        columns=variant.columns + extra,
        targets=variant.columns + extra,
        optional_tail=len(extra),
    )


def _shape(
    layout: Layout,
    variant: str,
    delimiter: str,
    header_line: int | None,
    cells: Sequence[str],
    targets: Mapping[int, str],
) -> Shape:
    free = [name for name in layout.overflow if name not in targets.values()]
    last = free[-1] if free else layout.overflow[-1]
    complete = []
    for index in range(len(cells)):
        if index in targets:
            complete.append(targets[index])
        else:
            complete.append(free.pop(0) if free else last)
    tail = 0
    while tail < len(cells) - 1 and not cells[len(cells) - 1 - tail].strip():
        tail += 1
    return Shape(
        layout=layout,
        variant=variant,
        delimiter=delimiter,
        header_line=header_line,
        columns=tuple(cell.strip() for cell in cells),
        targets=tuple(complete),
        optional_tail=tail if header_line is not None else 0,
    )


def _by_column_map(
    layout: Layout, rows: Rows, delimiter: str, column_map: Mapping[str, str]
) -> tuple[list[tuple[float, Shape]], str | None]:
    """The user said which column means what; the file must have those columns."""
    unknown = sorted(set(column_map.values()) - set(layout.table_columns))
    if unknown:
        return [], (
            f"column_map of the source names '{unknown[0]}', which is no column of "
            f"landing.{layout.code}"
        )
    names = [name for name in column_map if not name.strip().isdigit()]
    positions = {int(name) - 1: target for name, target in column_map.items() if name not in names}
    header: int | None = None
    missing = list(names)
    for index, (_, cells) in enumerate(rows[:_HEADER_WITHIN]):
        lacking = [name for name in names if not any(_same_name(name, cell) for cell in cells)]
        if names and not lacking:
            header, missing = index, []
            break
        if len(lacking) < len(missing):
            missing = lacking
    if missing:
        return [], (
            "no line has the columns of the source's column_map; the nearest one lacks "
            + ", ".join(f"'{name}'" for name in missing[:5])
        )
    widths = Counter(len(fields) for _, fields in rows)
    width = len(rows[header][1]) if header is not None else widths.most_common(1)[0][0]
    if positions and max(positions) >= width:
        return [], (
            f"column_map of the source names column {max(positions) + 1}, "
            f"but the lines of the file have {width}"
        )
    if header is None:
        header = _header_over(layout, rows, positions, width)
    number: int | None = None
    cells = [f"column_{index}" for index in range(1, width + 1)]
    body = _records(rows)
    if header is not None:
        number, cells = rows[header]
        body = _records(rows[header + 1 :], cells)
    targets = dict(positions)
    for name in names:
        exact = [index for index, cell in enumerate(cells) if cell.strip() == name.strip()]
        alike = [index for index, cell in enumerate(cells) if _same_name(name, cell)]
        targets[(exact or alike)[0]] = column_map[name]
    data = _of_width(body, width)
    dated = [index for index, target in targets.items() if target in layout.date_columns]
    values = [value for index in dated for value in _column(data, index)]
    fitting = len(data) / len(body) if body else 1.0
    evidence = _share(values, is_day_or_datetime) if values else (0.0 if data else 1.0)
    score = 0.5 * fitting + 0.5 * evidence
    return [(score, _shape(layout, "column_map", delimiter, number, cells, targets))], None


def _header_over(
    layout: Layout, rows: Rows, positions: Mapping[int, str], width: int
) -> int | None:
    """With positions only: the first line is a header if nothing in it is data."""
    cells = rows[0][1]
    if len(cells) != width or any(looks_like_data(cell) for cell in cells):
        return None
    dated = [index for index, target in positions.items() if target in layout.date_columns]
    if any(is_date(cells[index]) or is_datetime(cells[index]) for index in dated):
        return None
    named = sum(1 for cell in cells if cell.strip())
    return 0 if named >= 2 else None
