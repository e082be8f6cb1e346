"""A sheet against the deck in force: what is new, changed, removed, and the rows that follow.

All of it is joins over temporary tables of the caller's transaction:
    deck_sheet   one code of one row of the sheet, as read
    deck_known   the deck's rows as known now
    deck_wanted  the sheet as periods of each code
    deck_change  deck_wanted beside the row in force where it begins, and what that amounts to
    deck_cut     codes that change: since when, and up to which price that is kept
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from psycopg2.extensions import cursor as Cursor

from loaders.decks.errors import SHOWN, DeckRefused, Unclear
from loaders.decks.options import DeckOptions
from loaders.decks.reading import DeckSheet, SheetLine
from loaders.files.session import copy_from
from loaders.reference.kinds import KINDS
from loaders.reference.validation import columns_of

CATEGORIES = ("new", "increased", "decreased", "changed", "blocked", "removed", "unchanged")
_LARGEST = 20
_ROWS_AT_A_TIME = 1000
_ABSENT = "absent"
_RATE = KINDS["rate"]
# Columns the sheet decides; every other one stays as the row in force has it.
_FROM_SHEET = {
    "destination_name", "status", "price_per_minute", "price_per_call", "connection_fee",
    "minimum_seconds", "increment_seconds", "grace_seconds", "minimum_charge", "maximum_charge",
}  # fmt: skip
# Column of reference.rate -> what the sheet calls it.
_KEPT_UNLESS_GIVEN = {
    "connection_fee": "fee", "minimum_seconds": "minimum", "increment_seconds": "increment",
    "grace_seconds": "grace", "minimum_charge": "minimum_charge",
    "maximum_charge": "maximum_charge",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One code whose price changes."""

    category: str
    prefix: str
    jurisdiction: str
    destination: str
    old_price: Decimal | None
    new_price: Decimal | None
    old_increments: str
    new_increments: str
    effective: str
    row: int | None


@dataclass
class Difference:
    """What a sheet changes in a deck."""

    counts: dict[str, int]
    largest: list[Change]
    code_count: int
    # Codes of the deck that a full list would end.
    absent_count: int = 0
    warnings: list[str] = field(default_factory=list)


def compare(
    cursor: Cursor, file_name: str, deck_code: str, sheet: DeckSheet, options: DeckOptions
) -> Difference:
    """Fill the temporary tables and count; raises DeckRefused for what contradicts itself."""
    comparison = _Comparison(cursor, file_name, deck_code, sheet, options)
    return comparison.run()


def target_query(cursor: Cursor, options: DeckOptions) -> str:
    """The rows of reference.rate that the change asks for, each with a line."""
    columns = columns_of(cursor, _RATE)
    kept, fresh = [], []
    for name, column in columns.items():
        kept.append("t.cut_at" if name == "valid_to" else f"k.{name}")
        if name in ("prefix", "jurisdiction", "valid_from", "valid_to"):
            fresh.append(f"c.{name}")
        elif name in _FROM_SHEET:
            fresh.append(f"c.new_{name}")
        elif name == "deck_code":
            fresh.append("c.deck_code")
        else:
            fresh.append(
                f"case when c.known_id is null then ({column.default or 'null'})::{column.type} "
                f"else k.{name} end"
            )
    pieces = "'rate', 'block', 'close'" if options.closed == "blocked" else "'rate', 'block'"
    typed = ", ".join(f"{name}::{column.type} as {name}" for name, column in columns.items())
    return (
        f"select row_number() over (order by prefix, jurisdiction, valid_from) as line, {typed} "
        f"from ("
        # What holds until the change comes back with an end.
        f"select {', '.join(kept)} "
        f"from deck_known as k inner join deck_cut as t "
        f"on k.prefix = t.prefix and k.jurisdiction = t.jurisdiction "
        f"where k.valid_from < t.cut_at and k.valid_to > t.cut_at "
        f"union all "
        f"select {', '.join(fresh)} from deck_change as c "
        f"inner join deck_cut as t on c.prefix = t.prefix and c.jurisdiction = t.jurisdiction "
        f"left join deck_known as k on c.known_id = k.rate_id "
        f"where c.action in ({pieces}) and c.valid_from >= t.cut_at "
        f"and c.valid_from < c.valid_to and (c.action <> 'close' or c.known_id is not null)"
        f") as target ({', '.join(columns)})"
    )


CLOSED_QUERY = (
    "select k.row_id from deck_known as k inner join deck_cut as t "
    "on k.prefix = t.prefix and k.jurisdiction = t.jurisdiction "
    "where k.valid_from >= t.cut_at and k.valid_from < t.kept_from"
)


class _Comparison:
    def __init__(
        self, cursor: Cursor, file_name: str, deck_code: str, sheet: DeckSheet,
        options: DeckOptions,
    ) -> None:  # fmt: skip
        self._cursor = cursor
        self._file_name = file_name
        self._deck_code = deck_code
        self._sheet = sheet
        self._options = options

    def run(self) -> Difference:
        self._copy()
        self._refuse_contradictions()
        self._make_known()
        self._make_wanted()
        absent = self._absent()
        self._make_change()
        self._refuse_pending()
        self._make_cut()
        difference = Difference(
            self._counts(), self._largest(), len(self._sheet.lines), absent
        )
        difference.warnings += self._warnings()
        return difference

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        self._cursor.execute(query, parameters)
        return self._cursor.fetchall()

    def _refuse(self, column: str, rows: list[tuple[Any, ...]]) -> None:
        """Rows: sheet, row, value, reason, how many there are."""
        if rows:
            raise DeckRefused(
                self._file_name,
                [Unclear(sheet or "", row, column, value, reason)
                 for sheet, row, value, reason, _ in rows],
                rows[0][4],
            )  # fmt: skip

    def _copy(self) -> None:
        self._cursor.execute(
            "create temporary table deck_sheet (line bigint generated always as identity, "
            "sheet text, row_no bigint, prefix text, jurisdiction text, destination text, "
            "action text, price numeric, unit text, fee numeric, minimum integer, "
            "increment integer, grace integer, minimum_charge numeric, "
            "maximum_charge numeric, valid_from timestamptz, valid_to timestamptz, mark text) "
            "on commit drop"
        )
        copy_from(
            self._cursor,
            "copy deck_sheet (sheet, row_no, prefix, jurisdiction, destination, action, price, "
            "unit, fee, minimum, increment, grace, minimum_charge, maximum_charge, valid_from, "
            "valid_to, mark) "
            "from stdin (encoding utf8)",
            _copy_text(self._sheet.lines),
        )
        self._cursor.execute("analyze deck_sheet")

    def _refuse_contradictions(self) -> None:
        """A code said twice for the same time, and not the same both times."""
        values = (
            "action, price, unit, fee, minimum, increment, grace, minimum_charge, "
            "maximum_charge, valid_to"
        )
        self._refuse(
            "code",
            self._rows(
                f"select sheet, row_no, prefix, 'stands in row ' || earlier_row || "
                f"case when earlier_from = valid_from then ' too, with other values for the "
                f"same day' else ' too, whose end is later than this start' end, "
                f"count(*) over () from (select *, lag(row_no) over w as earlier_row, "
                f"lag(valid_from) over w as earlier_from, lag(valid_to) over w as earlier_to, "
                f"lag(({values})) over w as earlier from deck_sheet "
                f"window w as (partition by prefix, jurisdiction order by valid_from, line)) as s "
                f"where (earlier_from = valid_from and earlier is distinct from ({values})) "
                f"or (earlier_from < valid_from and earlier_to <> 'infinity' "
                f"and earlier_to > valid_from) order by row_no limit {SHOWN}"
            ),
        )

    def _make_known(self) -> None:
        self._cursor.execute(
            "create temporary table deck_known on commit drop as "
            "select r.*, r.ctid as row_id, "
            "lead(r.valid_from) over (partition by r.prefix, r.jurisdiction "
            "order by r.valid_from) as next_from, "
            "row_number() over (partition by r.prefix, r.jurisdiction "
            "order by r.valid_from) = 1 as is_first "
            "from reference.rate as r where r.deck_code = %s and r.recorded_to = 'infinity'",
            (self._deck_code,),
        )
        self._cursor.execute("analyze deck_known")

    def _make_wanted(self) -> None:
        """The last of equal lines; each holds until its end or until the code's next line."""
        self._cursor.execute(
            "create temporary table deck_wanted on commit drop as "
            "select line, sheet, row_no, prefix, jurisdiction, destination, action, "
            "case unit when 'second' then price * 60 when 'minute' then price end as per_minute, "
            "case unit when 'call' then price end as per_call, fee, minimum, increment, grace, "
            "minimum_charge, maximum_charge, valid_from, valid_to as said_to, "
            "least(valid_to, lead(valid_from) over (partition by prefix, jurisdiction "
            "order by valid_from)) as valid_to, mark "
            "from (select distinct on (prefix, jurisdiction, valid_from) * from deck_sheet "
            "order by prefix, jurisdiction, valid_from, line) as s"
        )
        self._cursor.execute("analyze deck_wanted")

    def _absent(self) -> int:
        """Codes of the deck that the sheet does not have; a full list ends them."""
        absent = (
            "from deck_known as k where not exists (select from deck_sheet as s "
            "where s.prefix = k.prefix and s.jurisdiction = k.jurisdiction) "
            "and k.valid_to > {}"
        )
        if not self._options.is_full:
            (count,) = self._rows(
                "select count(distinct (k.prefix, k.jurisdiction)) "
                + absent.format("clock_timestamp()")
            )[0]
            return count
        cut_at = self._full_from()
        self._cursor.execute(
            "insert into deck_wanted (prefix, jurisdiction, action, valid_from, said_to, valid_to, "
            "mark) select k.prefix, k.jurisdiction, 'close', greatest(%s, min(k.valid_from)), "
            f"'infinity', 'infinity', %s {absent.format('%s')} group by k.prefix, k.jurisdiction",
            (cut_at, _ABSENT, cut_at),
        )
        count = self._cursor.rowcount
        self._cursor.execute("analyze deck_wanted")
        return count

    def _full_from(self) -> str:
        if effective := self._options.effective_from():
            return effective
        days = self._rows("select distinct valid_from::text from deck_sheet limit 2")
        if len(days) == 1:
            return days[0][0]
        raise DeckRefused(
            self._file_name,
            [Unclear("", None, "effective date", None,
                     "the rows hold from different days; say from when the codes that a full "
                     "list does not have end: --effective DATE")],
        )  # fmt: skip

    def _make_change(self) -> None:
        """What each line amounts to, compared with the row in force where it begins.

        A line that begins before the first row known, and says the same, changes nothing: lists
        often give the day a price was agreed.
        """
        given = self._sheet.given
        new = {
            "destination_name": "w.destination" if "destination" in given else "null",
            "status": "case w.action when 'rate' then 'open' else 'blocked' end",
            "price_per_minute": "w.per_minute",
            "price_per_call": "w.per_call",
        }
        for name, said in _KEPT_UNLESS_GIVEN.items():
            # A row that blocks says nothing of units.
            new[name] = (
                f"case when w.action = 'rate' then w.{said} else k.{name} end"
                if said in given else f"k.{name}"
            )  # fmt: skip
        new["destination_name"] = f"coalesce({new['destination_name']}, k.destination_name, '')"
        new["connection_fee"] = f"coalesce({new['connection_fee']}, 0)"
        values = ", ".join(f"{value} as new_{name}" for name, value in new.items())
        news = ", ".join(f"new_{name}" for name in new)
        olds = ", ".join(f"old_{name}" for name in new)
        self._cursor.execute(
            f"create temporary table deck_change on commit drop as "
            f"with beside as (select w.line, w.sheet, w.row_no, w.prefix, w.jurisdiction, "
            f"w.action, w.mark, w.valid_from, w.said_to, w.valid_to, "
            f"k.rate_id as known_id, k.valid_from as known_from, k.valid_to as known_to, "
            f"k.next_from, {values}, {', '.join(f'k.{name} as old_{name}' for name in new)} "
            f"from deck_wanted as w left join deck_known as k "
            f"on w.prefix = k.prefix and w.jurisdiction = k.jurisdiction "
            f"and w.valid_from < k.valid_to and (w.valid_from >= k.valid_from or k.is_first)), "
            f"judged as (select *, ({news}) is not distinct from ({olds}) as has_same_values, "
            f"known_id is not null and valid_from >= known_from as is_in_force from beside) "
            f"select %s::text as deck_code, j.*, case "
            f"when action = 'close' then case when is_in_force then 'removed' else 'unchanged' end "
            f"when has_same_values and not is_in_force then 'unchanged' "
            f"when has_same_values and (said_to = known_to or (said_to = 'infinity' "
            f"and (next_from is not null or %s))) then 'unchanged' "
            f"when action = 'block' then "
            f"case when is_in_force and old_status = 'blocked' then 'changed' else 'blocked' end "
            f"when not is_in_force then 'new' "
            f"when (new_price_per_minute is null) <> (old_price_per_minute is null) "
            f"then 'changed' "
            f"when new_price_per_minute > old_price_per_minute "
            f"or new_price_per_call > old_price_per_call then 'increased' "
            f"when new_price_per_minute < old_price_per_minute "
            f"or new_price_per_call < old_price_per_call then 'decreased' "
            f"when new_connection_fee > old_connection_fee then 'increased' "
            f"when new_connection_fee < old_connection_fee then 'decreased' "
            f"else 'changed' end as category from judged as j",
            (self._deck_code, self._options.pending == "keep"),
        )
        self._cursor.execute("analyze deck_change")

    def _refuse_pending(self) -> None:
        """A change may not silently meet a price, or an end, that is already known for later."""
        if self._options.pending != "refuse":
            return
        self._refuse(
            "code",
            self._rows(
                f"with first_change as (select distinct on (prefix, jurisdiction) * "
                f"from deck_change where category <> 'unchanged' "
                f"order by prefix, jurisdiction, valid_from), later as ("
                f"select c.sheet, c.row_no, c.prefix, c.mark, min(k.valid_from) as at, "
                f"'a price' as what "
                f"from first_change as c inner join deck_known as k on c.prefix = k.prefix "
                f"and c.jurisdiction = k.jurisdiction and k.valid_from > c.valid_from "
                f"where not exists (select from deck_wanted as w where w.prefix = k.prefix "
                f"and w.jurisdiction = k.jurisdiction and w.valid_from = k.valid_from) "
                f"group by c.sheet, c.row_no, c.prefix, c.mark union all "
                f"select c.sheet, c.row_no, c.prefix, c.mark, c.known_to, 'an end' "
                f"from first_change as c where c.known_to <> 'infinity' and c.next_from is null "
                f"and c.action <> 'close' and c.said_to <> c.known_to) "
                f"select sheet, row_no, prefix, case when mark = '{_ABSENT}' "
                f"then 'the list does not have this code, and ' else '' end || what || "
                f"' is already known from ' || to_char(at at time zone 'UTC', 'YYYY-MM-DD') || "
                f"'; say --pending keep or --pending replace', count(*) over () from later "
                f"order by row_no limit {SHOWN}"
            ),
        )

    def _make_cut(self) -> None:
        keeps = self._options.pending == "keep"
        self._cursor.execute(
            "create temporary table deck_cut on commit drop as "
            "select c.prefix, c.jurisdiction, min(c.valid_from) as cut_at, "
            "'infinity'::timestamptz as kept_from from deck_change as c "
            "where c.category <> 'unchanged' group by c.prefix, c.jurisdiction"
        )
        if keeps:
            self._cursor.execute(
                "update deck_cut as t set kept_from = k.kept_from from ("
                "select k.prefix, k.jurisdiction, min(k.valid_from) as kept_from "
                "from deck_known as k inner join deck_cut as t on k.prefix = t.prefix "
                "and k.jurisdiction = t.jurisdiction and k.valid_from > t.cut_at "
                "where not exists (select from deck_wanted as w where w.prefix = k.prefix "
                "and w.jurisdiction = k.jurisdiction and w.valid_from = k.valid_from) "
                "group by k.prefix, k.jurisdiction) as k "
                "where t.prefix = k.prefix and t.jurisdiction = k.jurisdiction"
            )
            self._cursor.execute(
                "update deck_change as c set valid_to = least(c.valid_to, t.kept_from) "
                "from deck_cut as t where t.prefix = c.prefix "
                "and t.jurisdiction = c.jurisdiction and t.kept_from < c.valid_to"
            )
        self._cursor.execute("analyze deck_cut")

    def _counts(self) -> dict[str, int]:
        counts = dict(
            self._rows("select category, count(*) from deck_change group by category")
        )
        return {name: counts.get(name, 0) for name in CATEGORIES}

    def _largest(self) -> list[Change]:
        increments = (
            "coalesce({0}_minimum_seconds::text, 'deck') || '/' || "
            "coalesce({0}_increment_seconds::text, 'deck')"
        )
        old = "coalesce(old_price_per_minute, old_price_per_call)"
        new = "coalesce(new_price_per_minute, new_price_per_call)"
        rows = self._rows(
            f"select category, prefix, jurisdiction, coalesce(nullif(new_destination_name, ''), "
            f"old_destination_name, ''), {old}, {new}, "
            f"case when known_id is null then '' else {increments.format('old')} end, "
            f"case when action = 'close' then '' else {increments.format('new')} end, "
            f"valid_from::text, row_no from deck_change where category <> 'unchanged' "
            f"order by category = 'new', abs(coalesce({new}, 0) - coalesce({old}, 0)) "
            f"/ greatest({old}, 0.0001) desc, prefix, jurisdiction "
            f"limit {_LARGEST}"
        )
        return [Change(*row[:8], _day(row[8]), row[9]) for row in rows]

    def _warnings(self) -> list[str]:
        warnings = [*self._late_increases(), *self._backdated(), *self._other_marks()]
        (merged,) = self._rows(
            "select (select count(*) from deck_sheet) - "
            "(select count(*) from deck_wanted where row_no is not null)"
        )[0]
        if merged:
            warnings.append(f"{merged:,} codes stand in the sheet twice, with the same values")
        (unknown,) = self._rows(
            "select count(*) from deck_change where action = 'close' and known_id is null"
        )[0]
        if unknown:
            warnings.append(f"{unknown:,} codes to close are not in the deck, or closed already")
        return warnings

    def _late_increases(self) -> list[str]:
        """Increases need notice; what comes too late is warned of or refused."""
        days = self._options.notice_days
        rows = self._rows(
            f"select sheet, row_no, prefix, 'increases on ' || "
            f"to_char(valid_from at time zone 'UTC', 'YYYY-MM-DD') || ', less than {days} days "
            f"after the sheet was received', count(*) over () from deck_change "
            f"where category = 'increased' "
            f"and valid_from < coalesce(%s, clock_timestamp()::date) + interval '{days} days' "
            f"order by row_no limit {SHOWN}",
            self._options.received,
        )
        if self._options.notice == "refuse":
            self._refuse("effective date", rows)
        if not rows:
            return []
        return [
            f"{rows[0][4]:,} increases have less than {days} days of notice (row {rows[0][1]} "
            f"first)"
        ]

    def _backdated(self) -> list[str]:
        (count,) = self._rows(
            "select count(*) from deck_change where category <> 'unchanged' and is_in_force "
            "and valid_from > '-infinity' and valid_from < clock_timestamp() - interval '1 day'"
        )[0]
        if not count:
            return []
        return [
            f"{count:,} changes hold from a day that is past: usage that is rated already keeps "
            f"its price"
        ]

    def _other_marks(self) -> list[str]:
        """The supplier's words against what was found."""
        rows = self._rows(
            "select row_no, mark, category, count(*) over () from deck_change "
            "where known_id is not null and category <> 'unchanged' "
            "and ((mark = 'increase' and category <> 'increased') or (mark = 'decrease' "
            "and category <> 'decreased') or mark in ('unchanged', 'new')) "
            "order by row_no limit 1"
        )
        if not rows:
            return []
        row, mark, category, count = rows[0]
        return [
            f"{count:,} codes are marked otherwise than the deck shows (row {row}: marked {mark}, "
            f"found {category})"
        ]


def _day(instant: str) -> str:
    names = {"-infinity": "the beginning"}
    return names.get(instant, instant.removesuffix(" 00:00:00+00"))


def _copy_text(lines: Iterable[SheetLine]) -> Iterator[bytes]:
    remaining = iter(lines)
    while batch := list(islice(remaining, _ROWS_AT_A_TIME)):
        yield "".join(
            [f"{chr(9).join([_field(value) for value in line])}\n" for line in batch]
        ).encode()


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    text = str(value)
    if text.isalnum():
        return text
    text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return text.replace("\r", "\\r").replace("\x00", "")
