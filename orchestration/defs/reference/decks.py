"""Import a supplier's rate sheet into a deck, or show what it would change."""

from contextlib import closing
from pathlib import Path

import dagster as dg
from pydantic import Field

from loaders import database, decks
from orchestration.lib import decks as words
from orchestration.lib import paths, progress
from orchestration.lib.areas import PRICES
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

RATES = dg.AssetKey(["reference", "rate"])


class DeckConfig(dg.Config):
    """The sheet, its deck, and what the sheet does not say itself."""

    path: str = Field(description="The sheet: CSV, .xlsx, or either gzipped.")
    deck: str = Field(description="Code of the deck.")
    effective: str = Field(
        default="", description="From when rows without a date (and ASAP) hold, as YYYY-MM-DD."
    )
    scope: str = Field(
        default="", description="full: the whole list. partial: only changes. Empty: it asks."
    )
    date_order: str = Field(default="", description="dmy or mdy, where no date proves it.")
    decimal_mark: str = Field(default="", description="Where 1,234 has two readings.")
    increments: list[str] = Field(
        default=[], description="Confirmed increments, as MEXICO=60/60 or *=row."
    )
    pending: str = Field(
        default="refuse", description="refuse, keep or replace prices already known for later."
    )
    closed: str = Field(default="fallback", description="Closed codes: fallback or blocked.")
    notice_days: int = Field(default=7, description="Days of notice an increase needs.")
    notice: str = Field(default="warn", description="warn or refuse where it is too short.")
    preview: bool = Field(default=True, description="Only show what would change.")


def _options(config: DeckConfig) -> decks.DeckOptions:
    return decks.DeckOptions(
        effective=config.effective,
        is_full=_is_full(config.scope),
        date_order=config.date_order,
        decimal_mark=config.decimal_mark,
        increments=decks.parse_increments(config.increments),
        pending=config.pending,
        closed=config.closed,
        notice_days=config.notice_days,
        notice=config.notice,
    )


def _is_full(scope: str) -> bool | None:
    answers = {"": None, "full": True, "partial": False}
    if scope not in answers:
        raise dg.Failure(f"scope must be full, partial or empty, not '{scope}'")
    return answers[scope]


@dg.op(
    name="import_rate_sheet",
    out=dg.Out(dg.Nothing),
    pool="warehouse",
    description="Compares a rate sheet with the deck in force; loads it unless preview is on.",
)
def import_rate_sheet(context: dg.OpExecutionContext, config: DeckConfig) -> None:
    mark_process(context)
    run = decks.preview_deck if config.preview else decks.import_deck
    with failures_in_words(), closing(database.connect()) as connection:
        result = run(
            connection, Path(config.path), config.deck, _options(config),
            build_schema=paths.build_schema(),
        )  # fmt: skip
    shown = result.preview if isinstance(result, decks.DeckImport) else result
    for sentence in words.sentences(shown):
        progress.say(f"  {sentence}")
    metadata = {
        "difference": dg.MetadataValue.md(
            markdown_table(["what", "codes"], words.count_rows(shown))
        ),
        "largest_changes": dg.MetadataValue.md(
            markdown_table(words.CHANGE_COLUMNS, words.change_rows(shown))
        ),
        "estimate": dg.MetadataValue.md(
            markdown_table(words.EFFECT_COLUMNS, words.effect_rows(shown))
        ),
        "remarks": dg.MetadataValue.md("\n".join(f"- {text}" for text in words.sentences(shown))),
        "question": shown.question or "",
    }
    if isinstance(result, decks.DeckImport):
        context.log_event(
            dg.AssetMaterialization(
                asset_key=RATES,
                description=f"{shown.file_name} imported into deck {shown.deck_code}.",
                metadata={**metadata, "load": result.load.reference_load_id},
            )
        )
    else:
        context.log_event(
            dg.AssetObservation(
                asset_key=RATES,
                description=f"{shown.file_name} against deck {shown.deck_code}: a preview.",
                metadata=metadata,
            )
        )


@dg.job(
    name="import_deck",
    tags=PRICES,
    description="""\
Compare a supplier's rate sheet with its deck, and import it.

With `preview` on it shows *difference*, *largest_changes* and an *estimate* of what they cost.
Usage rated before is rated by the new prices with `rerate`.""",
)
def import_deck() -> None:
    import_rate_sheet()
