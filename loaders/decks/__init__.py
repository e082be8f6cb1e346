"""Rate decks: suppliers' price lists, compared with the deck in force and loaded whole."""

from loaders.decks.difference import CATEGORIES, Change, Difference
from loaders.decks.effect import Effect, PrefixEffect, SideEffect
from loaders.decks.errors import DeckRefused, Unclear
from loaders.decks.importing import DeckImport, DeckPreview, import_deck, preview_deck
from loaders.decks.options import DeckOptions, parse_columns, parse_increments

__all__ = [
    "CATEGORIES", "Change", "DeckImport", "DeckOptions", "DeckPreview", "DeckRefused",
    "Difference", "Effect", "PrefixEffect", "SideEffect", "Unclear", "import_deck",
    "parse_columns", "parse_increments", "preview_deck",
]  # fmt: skip
