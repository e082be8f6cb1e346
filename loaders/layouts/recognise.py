"""Which layout a file has, judged by what stands in it and never by its name.

A named layout (a profile) is proved by its header words, by the values of a headerless variant, by
the form of its lines or by what its documents hold; the generic layouts take what no named one
fits. Each line is split once per delimiter and quoting, whatever the number of layouts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from loaders.layouts.catalogue import LAYOUTS, MAPPED_USAGE
from loaders.layouts.checks import (
    check_of,
    is_amount,
    is_clock,
    is_date,
    is_datetime,
    is_day_or_datetime,
    is_duration,
    is_number_like,
    looks_like_data,
)
from loaders.layouts.dialect import dialect_of
from loaders.layouts.documents import has_path, sample
from loaders.layouts.layout import (
    DELIMITER_NAMES,
    DELIMITERS,
    EXTRA_COLUMNS,
    HeaderRule,
    Layout,
    Variant,
)
from loaders.layouts.profile import squeeze

# Below this a file is held; a layout named by its source needs only not to be absurd.
RECOGNISED = 0.6
NOT_ABSURD = 0.3
# What a header is worth at most that lacks some of the words it needs.
_INCOMPLETE = 0.55
_HEAD_LINES = 300
_HEADER_WITHIN = 25
# More columns than any table has: such a line is an attack or no list of columns.
_MAXIMUM_COLUMNS = 4000
_SCORES_IN_WORDS = 5
_NO_RECORD = re.compile(
    r"\s*(?:#|(?:grand |sub|report )?totals?\b|trailer|trl|footer|eof|end of)", re.I
)
_NOTHING = "".join(DELIMITERS) + '" '


@dataclass(frozen=True)
class Shape:
    """How the lines of one file become rows of one landing table."""

    layout: Layout
    variant: str
    # None where records are not split into fields.
    delimiter: str | None
    # Physical line of the header, None without one.
    header_line: int | None
    # What the file calls its columns.
    columns: tuple[str, ...]
    # The table column of each of them. One name twice: those fields are packed together.
    targets: tuple[str, ...]
    # Fields a short line may lack.
    optional_tail: int = 0

    @property
    def is_packed(self) -> bool:
        return self.layout.grows or len(set(self.targets)) < len(self.targets)


@dataclass(frozen=True)
class Recognition:
    """The verdict, with the score of every layout considered."""

    shape: Shape | None
    scores: dict[str, float] = field(default_factory=dict)
    explanation: str = ""
    # False when there is no record to judge by: only blank lines.
    has_rows: bool = True


Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class _Candidate:
    """One reading of the file. Of those that score enough the highest rank is taken."""

    score: float
    shape: Shape
    is_named: bool = False
    # Header words that had to be there and are.
    required: int = 0
    # What else speaks for it: values that were checked, words that are known, lines that fit.
    evidence: tuple[float, ...] = ()

    @property
    def rank(self) -> tuple[float, ...]:
        if not self.is_named:
            return (0, 0, 0, round(self.score, 6), len(self.shape.columns))
        # Coarse first: one odd line must not outweigh a layout that proves more of its values.
        return (1, self.required, round(self.score, 1), *self.evidence, round(self.score, 6))


class _Sheet:
    """The first lines, split by one delimiter."""

    def __init__(
        self, numbered: Sequence[tuple[int, str]], delimiter: str, quoting: str
    ) -> None:
        self.delimiter = delimiter
        dialect = dialect_of(delimiter, quoting)
        self.rows: Rows = [
            (
                number,
                [
                    "" if value is None else value.decode("utf-8", "replace")
                    for value in dialect.best_effort(line.encode("utf-8", "replace"))
                ],
            )
            for number, line in numbered
        ]
        self.lines = dict(numbered)
        self.is_split = any(len(fields) > 1 for _, fields in self.rows)

    @cached_property
    def names(self) -> list[dict[str, list[int]]]:
        """For each line that may be a header, where its words stand."""
        found = []
        for _, cells in self.rows[:_HEADER_WITHIN]:
            positions: dict[str, list[int]] = {}
            for index, cell in enumerate(cells):
                if word := squeeze(cell):
                    positions.setdefault(word, []).append(index)
            found.append(positions)
        return found

    @cached_property
    def widths(self) -> Counter[int]:
        return Counter(len(fields) for _, fields in self.rows)

    def records_of(self, layout: Layout, rows: Rows, header: Sequence[str] = ()) -> Rows:
        """Without what the layout says is no record."""
        return [
            (number, fields)
            for number, fields in _records(rows, header)
            if not any(rule.pattern.find_text(self.lines[number]) for rule in layout.non_data)
        ]


class _Sheets:
    """The first lines split in each way some layout asks for, once."""

    def __init__(self, numbered: Sequence[tuple[int, str]]) -> None:
        self.numbered = numbered
        self._made: dict[tuple[str, str], _Sheet] = {}
        self.too_wide: dict[str, str] = {}
        for delimiter in DELIMITERS:
            for number, line in numbered:
                if (columns := line.count(delimiter) + 1) > _MAXIMUM_COLUMNS:
                    self.too_wide[delimiter] = (
                        f"line {number} has {columns} columns; lines of more than "
                        f"{_MAXIMUM_COLUMNS} are not read"
                    )
                    break

    def of(self, layout: Layout) -> Iterator[_Sheet]:
        for delimiter in layout.delimiters:
            if delimiter in self.too_wide:
                continue
            key = (delimiter, layout.quoting)
            if key not in self._made:
                self._made[key] = _Sheet(self.numbered, *key)
            if self._made[key].is_split:
                yield self._made[key]


def normalise_name(name: str) -> str:
    """Header words compared without case, accents of spelling, units' brackets."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name.strip().strip('"'))
    return re.sub(r"[^0-9a-z]+", "_", spaced.lower()).strip("_")


def _same_name(left: str, right: str) -> bool:
    return left.strip() == right.strip() or squeeze(left) == squeeze(right) != ""


def recognise(
    lines: Sequence[str],
    *,
    layout_code: str | None = None,
    column_map: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> Recognition:
    """Judge the first lines of a file.

    ``layout_code``, ``column_map`` and ``options`` come from the file's source, when it has one:
    the layout is then not chosen but checked.
    """
    numbered = [
        (number, line)
        for number, line in enumerate(lines[:_HEAD_LINES], start=1)
        if line.strip().strip(_NOTHING)
    ]
    if not numbered:
        return Recognition(None, has_rows=False, explanation="the file has only blank lines")
    if layout_code is not None and layout_code not in LAYOUTS:
        return Recognition(
            None,
            explanation=f"the source names the layout '{layout_code}', which does not exist; "
            f"there are {', '.join(LAYOUTS)}",
        )
    considered = [LAYOUTS[layout_code]] if layout_code else list(LAYOUTS.values())
    scores: dict[str, float] = {layout.code: 0.0 for layout in considered}
    needed = NOT_ABSURD if layout_code else RECOGNISED
    best: _Candidate | None = None
    complaints: list[str] = []
    sheets = _Sheets(numbered)
    for layout in considered:
        mapping = column_map if layout_code or layout.is_generic else None
        chosen = options or {}
        for candidate in _candidates(layout, sheets, lines, mapping, chosen, complaints):
            scores[layout.code] = max(scores[layout.code], round(candidate.score, 3))
            if candidate.score >= needed and (best is None or candidate.rank > best.rank):
                best = candidate
    if best is not None:
        return Recognition(best.shape, scores)
    highest = sorted(
        ((code, score) for code, score in scores.items() if score > 0), key=lambda item: -item[1]
    )[:_SCORES_IN_WORDS]
    shown = ", ".join(f"{code} {score:.2f}" for code, score in highest)
    explanation = f"no layout fits well enough: {shown}" if shown else (
        f"nothing in the file speaks for {'the layout' if layout_code else 'any layout'} "
        f"{layout_code or 'that is known'}"
    )
    complaints += sheets.too_wide.values()
    if complaints:
        explanation = complaints[0]
    return Recognition(None, scores, explanation)


def _candidates(
    layout: Layout,
    sheets: _Sheets,
    lines: Sequence[str],
    column_map: Mapping[str, str] | None,
    options: Mapping[str, str],
    complaints: list[str],
) -> Iterator[_Candidate]:
    if layout.reader == "lines":
        yield from _by_lines(layout, sheets.numbered)
        return
    if layout.reader != "delimited":
        yield from _by_documents(layout, lines)
        return
    delimiter = DELIMITER_NAMES.get(options.get("delimiter", ""))
    for sheet in sheets.of(layout):
        if delimiter is not None and sheet.delimiter != delimiter:
            continue
        if column_map:
            found, complaint = _by_column_map(
                layout, sheet.rows, sheet.delimiter, column_map, options.get("first_line", "auto")
            )
            if complaint:
                complaints.append(complaint)
            yield from (_Candidate(score, shape) for score, shape in found)
        elif layout.is_generic:
            yield from _by_aliases(layout, sheet)
        else:
            yield from _by_header_words(layout, sheet) or _by_variants(layout, sheet)


# -- named layouts -------------------------------------------------------------------------------


def _by_lines(layout: Layout, numbered: Sequence[tuple[int, str]]) -> Iterator[_Candidate]:
    """Lines of one form: the share of them that have it, or that of a line that is no record."""
    assert layout.data_line is not None
    data = other = 0
    for _, line in numbered:
        if any(rule.pattern.find_text(line) for rule in layout.non_data):
            other += 1
        elif layout.data_line.find_text(line):
            data += 1
    if data:
        column = layout.table_columns[0]
        shape = Shape(layout, "lines", None, None, (column,), (column,))
        # The form of a whole line proves more than checks of some of its fields.
        yield _Candidate((data + other) / len(numbered), shape, is_named=True, evidence=(inf,))


def _by_documents(layout: Layout, lines: Sequence[str]) -> Iterator[_Candidate]:
    """Documents: the share of the first records that have all that the layout requires."""
    records = sample(layout, lines)
    required = layout.documents.required
    there = [
        sum(has_path(record, path) for path in required) if record is not None else 0
        for record in records
    ]
    if not any(there):
        return
    columns = layout.table_columns[:-1]
    shape = Shape(layout, layout.reader, None, None, columns, columns)
    whole = sum(found == len(required) for found in there)
    if whole:
        yield _Candidate(whole / len(records), shape, is_named=True, required=len(required))
    else:
        share = max(there) / len(required)
        yield _Candidate(_INCOMPLETE * share, shape)


def _by_header_words(layout: Layout, sheet: _Sheet) -> list[_Candidate]:
    """A line that holds the words of a header rule, and values below it as they should be.

    Part of the words is worth something only to a source that names the layout.
    """
    found = []
    partial: _Candidate | None = None
    for rule in layout.headers:
        for place, words in enumerate(sheet.names):
            there = [
                name
                for name in rule.required
                if any(alias in words for alias in layout.aliases[name])
            ]
            if len(there) < 2:
                continue
            candidate = _of_header(layout, sheet, rule, place, there)
            if candidate.required:
                found.append(candidate)
                break
            if partial is None or candidate.score > partial.score:
                partial = candidate
    if found or partial is None:
        return found
    # Not instead of a headerless variant, which may prove the layout after all.
    return [partial, *_by_variants(layout, sheet)]


def _of_header(
    layout: Layout, sheet: _Sheet, rule: HeaderRule, place: int, there: Sequence[str]
) -> _Candidate:
    number, cells = sheet.rows[place]
    targets: dict[int, str] = {}
    for name, aliases in layout.aliases.items():
        free = (
            position
            for alias in aliases
            for position in sheet.names[place].get(alias, ())
            if position not in targets
        )
        if (position := next(free, None)) is not None:
            targets[position] = name
    named = sum(1 for cell in cells if cell.strip())
    shape = _shape(layout, "header", sheet.delimiter, number, cells, targets)
    if len(there) < len(rule.required) or (rule.is_complete and len(targets) < named):
        is_plausible = not any(looks_like_data(cell) for cell in cells if cell.strip())
        share = len(there) / len(rule.required)
        return _Candidate(_INCOMPLETE * share * is_plausible, shape)
    where = {target: index for index, target in targets.items()}
    rows = sheet.records_of(layout, sheet.rows[place + 1 :], cells)
    data = [fields for _, fields in rows if len(fields) == len(cells)] or [
        fields for _, fields in rows if len(fields) > max(where.values())
    ]
    rates = [
        _rate(check, [fields[where[name]] for fields in data])
        for name, check in rule.checks.items()
        if name in where and data
    ]
    return _Candidate(
        _together(rates),
        shape,
        is_named=True,
        required=len(rule.required),
        evidence=(len(targets) / named, len(targets)),
    )


def _by_variants(layout: Layout, sheet: _Sheet) -> Iterator[_Candidate]:
    """Headerless: the share of lines that have the variant's width, and whose values pass."""
    if not any(
        _fits(layout, variant, width) or _fits(layout, variant, width - 1)
        for variant in layout.variants
        for width in sheet.widths
    ):
        return
    records = sheet.records_of(layout, sheet.rows)
    rows = [fields for _, fields in records] or [fields for _, fields in sheet.rows]
    above = _header_above(layout, records)
    for variant in layout.variants:
        score, share = _score_among(layout, variant, rows[1:] if above else rows)
        if score > 0:
            shape = _variant_shape(layout, variant, sheet.delimiter, above=above)
            evidence = (len(variant.checks), share, len(variant.columns))
            yield _Candidate(score, shape, is_named=True, evidence=evidence)
    if layout.grows:
        return
    # Rows that end with a delimiter have one field more than their columns; it is always empty.
    widths = Counter(map(len, rows))
    width = widths.most_common(1)[0][0]
    trimmed = [fields[:-1] for fields in rows if len(fields) == width and not fields[-1]]
    if len(trimmed) == widths[width]:
        for variant in layout.variants:
            # A little less than a variant that has a column for it.
            share = len(trimmed) / len(rows)
            score = 0.99 * score_variant(layout, variant, trimmed) * share
            if score > 0:
                shape = _variant_shape(layout, variant, sheet.delimiter, trailing=True)
                evidence = (len(variant.checks), share, len(variant.columns))
                yield _Candidate(score, shape, is_named=True, evidence=evidence)


def _header_above(layout: Layout, records: Rows) -> tuple[int, list[str]] | None:
    """A first line of words over values that prove a variant: a header nobody described."""
    if len(records) < 2:
        return None
    number, cells = records[0]
    if any(looks_like_data(cell) for cell in cells) or not all(map(str.strip, cells)):
        return None
    if any(score_variant(layout, variant, [cells]) > 0.5 for variant in layout.variants):
        return None
    return number, cells


def _fits(layout: Layout, variant: Variant, width: int) -> bool:
    return variant.least <= width and (layout.grows or width <= len(variant.columns))


def _score_among(
    layout: Layout, variant: Variant, rows: Sequence[Sequence[str]]
) -> tuple[float, float]:
    """Score and own share; lines that are plainly another variant of the family count too."""
    fitting = [fields for fields in rows if _fits(layout, variant, len(fields))]
    if not fitting:
        return 0.0, 0.0
    share = len(fitting) / len(rows)
    family = [
        other
        for other in layout.variants
        if other.family == variant.family and other is not variant
    ]
    others = 0
    if share < 1:
        others = sum(
            any(score_variant(layout, other, [fields]) == 1.0 for other in family)
            for fields in rows
            if not _fits(layout, variant, len(fields))
        )
    score = score_variant(layout, variant, fitting) * (len(fitting) + others) / len(rows)
    return score, share


def score_variant(
    layout: Layout, variant: Variant, rows: Sequence[Sequence[str]]
) -> float:
    """0 to 1: the share of rows of its width times how well the checks of its columns pass."""
    fitting = [fields for fields in rows if _fits(layout, variant, len(fields))]
    if not fitting:
        return 0.0
    rates = []
    for column, check in variant.checks.items():
        index = variant.columns.index(column)
        rates.append(_rate(check, [fields[index] for fields in fitting]))
    return len(fitting) / len(rows) * _together(rates)


def _rate(check: str, values: Sequence[str]) -> float:
    passes = check_of(check)
    return sum(map(passes, values)) / len(values)


def _together(rates: Sequence[float]) -> float:
    """One column that is wholly wrong weighs more than its share."""
    return (sum(rates) / len(rates) + min(rates)) / 2 if rates else 1.0


def _variant_shape(
    layout: Layout,
    variant: Variant,
    delimiter: str,
    *,
    trailing: bool = False,
    above: tuple[int, list[str]] | None = None,
) -> Shape:
    extra = (EXTRA_COLUMNS,) if trailing else ()
    columns = variant.columns + extra
    number = None
    if above is not None and len(above[1]) == len(columns):
        number, columns = above[0], tuple(cell.strip() for cell in above[1])
    return Shape(
        layout=layout,
        variant=variant.code,
        delimiter=delimiter,
        header_line=number,
        columns=columns,
        targets=variant.columns + extra,
        optional_tail=len(extra) + len(variant.columns) - variant.least,
    )


# -- the generic layouts -------------------------------------------------------------------------


def _by_aliases(layout: Layout, sheet: _Sheet) -> Iterator[_Candidate]:
    header = _find_header(layout, sheet.rows)
    if header is not None:
        number, cells = sheet.rows[header]
        data = _of_width(_records(sheet.rows[header + 1 :], cells), len(cells))
        targets = _targets_by_alias(layout, cells, data)
        shape = _shape(layout, "header", sheet.delimiter, number, cells, targets)
        yield _Candidate(_score_header(layout, cells, targets, data), shape)


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
        if _NO_RECORD.match(fields[0]) is None and not _are_named(fields, names)
    ]


def _are_named(fields: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the fields are these words; most records are told by their first field."""
    return len(fields) == len(names) and all(
        normalise_name(field) == name for field, name in zip(fields, names, strict=True)
    )


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
    layout: Layout,
    rows: Rows,
    delimiter: str,
    column_map: Mapping[str, str],
    first_line: str = "auto",
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
    if header is None and first_line == "names":
        header = 0
        width = len(rows[0][1])
    elif header is None and first_line == "auto":
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
