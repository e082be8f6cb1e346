"""Names other people chose: which belong to unfinished files, and how to use them here."""

from __future__ import annotations

import unicodedata

# Names under which programs write a file that is still under way.
_UNFINISHED_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "~")
# Most file systems end at 255 bytes.
_MAXIMUM_BYTES = 200


def is_unfinished(name: str) -> bool:
    """By its name, a file that somebody is still writing (or an editor's copy)."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED_SUFFIXES)


def local_name(name: str) -> str:
    """A file name that is safe here and the supplier's own wherever that is.

    No folders, no control characters or line breaks, not hidden, not too long. Always the same
    for the same name: the loader knows a file again by it.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(
        character
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else "_"
        for character in last
    ).strip()
    if kept.startswith("."):
        kept = "_" + kept.lstrip(".")
    if not kept or kept == "_":
        return "unnamed"
    return _shortened(kept)


def _shortened(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= _MAXIMUM_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 16:
        stem, ending = name, ""
    tail = f"{dot}{ending}" if ending else ""
    room = _MAXIMUM_BYTES - len(tail.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + tail
