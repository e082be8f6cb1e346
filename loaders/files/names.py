"""Names that others chose: as the database can hold them, and as a terminal may show them."""

from __future__ import annotations

import os
import unicodedata

# Control, format (such as right-to-left overrides), surrogate, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def stored_text(name: str | os.PathLike[str]) -> str:
    """The name as text; bytes that are no UTF-8 become \\xNN, which the database can hold."""
    text = os.fspath(name)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shown(name: str) -> str:
    """The name on one line, without anything a terminal would obey."""
    if name.isprintable():
        return name
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _HIDDEN
        else character
        for character in name
    )
