"""Letters for documents: DejaVu, which matplotlib brings along, and others for what it lacks.

DejaVu has Latin, Greek, Cyrillic, Armenian, Georgian and more. Chinese, Japanese and Korean are
written in fonts that readers of PDF have of their own. RATEHOUSE_DOCUMENT_FONTS names TrueType
files (with the path separator between them) that are looked at before those.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from loaders.errors import RatehouseError

FONTS_VARIABLE = "RATEHOUSE_DOCUMENT_FONTS"
REGULAR, BOLD = "ratehouse", "ratehouse-bold"
# First letter and the one behind the last, and the font of readers that has them.
_CJK = (
    (0x3040, 0x3100, "HeiseiKakuGo-W5"),
    (0xAC00, 0xD7B0, "HYGothic-Medium"),
    (0x1100, 0x1200, "HYGothic-Medium"),
    (0x2E80, 0xA4D0, "STSong-Light"),
    (0xF900, 0xFB00, "STSong-Light"),
    (0xFF00, 0xFFF0, "STSong-Light"),
)


@cache
def load() -> None:
    """Make the fonts known, once in a process."""
    spec = find_spec("matplotlib")
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise RatehouseError("the fonts of documents are missing: matplotlib is not installed")
    folder = Path(places[0]) / "mpl-data" / "fonts" / "ttf"
    for name, file in ((REGULAR, "DejaVuSans.ttf"), (BOLD, "DejaVuSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
    for number, path in enumerate(_own_files()):
        try:
            pdfmetrics.registerFont(TTFont(f"own-{number}", path))
        except (TTFError, OSError) as error:
            raise RatehouseError(
                f"{FONTS_VARIABLE} names {path}, which cannot be used: {error}"
            ) from error
    for *_, name in _CJK:
        pdfmetrics.registerFont(UnicodeCIDFont(name))


def _own_files() -> list[str]:
    return [path for path in os.environ.get(FONTS_VARIABLE, "").split(os.pathsep) if path]


def runs(text: str, font: str) -> list[tuple[str, str]]:
    """The text in pieces of one font each: nearly always one piece."""
    if text.isascii():
        return [(font, text)]
    known = _letters(font)
    if all(ord(letter) in known for letter in text):
        return [(font, text)]
    pieces = groupby(text, key=lambda letter: _font_of(ord(letter), font))
    return [(name, "".join(letters)) for name, letters in pieces]


def width(text: str, font: str, points: float) -> float:
    """How long a text gets."""
    return sum(pdfmetrics.stringWidth(piece, name, points) for name, piece in runs(text, font))


def _font_of(letter: int, font: str) -> str:
    if letter in _letters(font):
        return font
    for number, _ in enumerate(_own_files()):
        if letter in _letters(f"own-{number}"):
            return f"own-{number}"
    return next((name for first, end, name in _CJK if first <= letter < end), font)


@cache
def _letters(font: str) -> frozenset[int]:
    return frozenset(pdfmetrics.getFont(font).face.charToGlyph)
