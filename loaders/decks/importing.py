"""Importing a rate sheet: read, compare with the deck in force, estimate, load. All or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.decks.difference import (
    CLOSED_QUERY,
    Difference,
    compare,
    target_query,
)
from loaders.decks.effect import Effect, estimate, last_month
from loaders.decks.errors import DeckRefused, Unclear
from loaders.decks.options import DeckOptions
from loaders.decks.reading import DeckFacts, DeckSheet, read_deck
from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.reference import ReferenceResult
from loaders.reference.loading import TableQuery, load_query, lock_loads
from loaders.reference.table_file import sha256_of


@dataclass(frozen=True)
class DeckPreview:
    """What a sheet would change, and what that would have meant for a month of traffic."""

    file_name: str
    deck_code: str
    row_count: int
    difference: Difference
    notes: list[str]
    # None: nothing has been rated yet.
    effect: Effect | None
    # What has to be said before the sheet can be imported.
    question: str | None


@dataclass(frozen=True)
class DeckImport:
    """What an import did."""

    preview: DeckPreview
    load: ReferenceResult


class _Undo(Exception):
    """Ends a preview: nothing of it stays."""


def preview_deck(
    connection: Connection, path: Path | str, deck_code: str, options: DeckOptions,
    *, build_schema: str = "",
) -> DeckPreview:  # fmt: skip
    """Compare a sheet with the deck; nothing is changed. Refuses what is unclear."""
    path, sheet, deck = _read(connection, path, deck_code, options)
    preview: DeckPreview | None = None
    try:
        with transaction(connection) as cursor:
            cursor.execute("set local timezone = 'UTC'")
            cursor.execute("set local enable_nestloop = off")
            cursor.execute("set local work_mem = '64MB'")
            preview = _compared(cursor, path, deck, sheet, options, build_schema)
            raise _Undo
    except _Undo:
        pass
    assert preview is not None
    return preview


def import_deck(
    connection: Connection, path: Path | str, deck_code: str, options: DeckOptions,
    *, build_schema: str = "",
) -> DeckImport:  # fmt: skip
    """Load a sheet's changes in one transaction, or refuse it and change nothing."""
    path, sheet, deck = _read(connection, path, deck_code, options)
    sha256 = sha256_of(path)
    with transaction(connection) as cursor:
        lock_loads(cursor)
        preview = _compared(cursor, path, deck, sheet, options, build_schema)
        if preview.question is not None:
            raise DeckRefused(path.name, [Unclear("", None, "", None, preview.question)])
        counts = preview.difference.counts
        query = TableQuery(
            target_query(cursor, options),
            CLOSED_QUERY,
            preview.difference.code_count,
            counts["unchanged"],
            {"deck": deck_code, "difference": counts},
        )
        load = load_query(cursor, "rate", path, sha256, query)
    return DeckImport(preview, load)


@dataclass(frozen=True)
class _Deck:
    facts: DeckFacts
    deck_id: int


def _read(
    connection: Connection, path: Path | str, deck_code: str, options: DeckOptions
) -> tuple[Path, DeckSheet, _Deck]:
    path = Path(path)
    with transaction(connection) as cursor:
        cursor.execute(
            "select deck_id, currency_code, is_jurisdictional from reference.deck "
            "where deck_code = %s and recorded_to = 'infinity' order by valid_from desc limit 1",
            (deck_code,),
        )
        row = cursor.fetchone()
    if row is None:
        raise RatehouseError(
            f"there is no deck {deck_code}; load it first: `ratehouse reference load deck FILE`"
        )
    deck_id, currency_code, is_jurisdictional = row
    facts = DeckFacts(deck_code, currency_code, is_jurisdictional)
    try:
        return path, read_deck(path, facts, options), _Deck(facts, deck_id)
    except OSError as error:
        raise RatehouseError(f"{path} cannot be read: {error.strerror or error}") from error


def _compared(
    cursor: Cursor, path: Path, deck: _Deck, sheet: DeckSheet, options: DeckOptions,
    build_schema: str,
) -> DeckPreview:  # fmt: skip
    facts = deck.facts
    difference = compare(cursor, path.name, facts.deck_code, sheet, options)
    question = None
    if options.is_full is None and difference.absent_count:
        question = (
            f"{difference.absent_count:,} codes of deck {facts.deck_code} are not in the sheet; "
            "say --full (it is the whole list, they end) or --partial (they stay)"
        )
    effect = estimate(
        cursor,
        build_schema,
        (deck.deck_id, facts.currency_code, facts.is_jurisdictional),
        options.month or last_month(_today()),
        closed_is_blocked=options.closed == "blocked",
    )
    return DeckPreview(
        path.name, facts.deck_code, sheet.row_count, difference, sheet.notes, effect, question
    )


def _today() -> date:
    return datetime.now(UTC).date()
