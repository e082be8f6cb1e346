"""Reading bytes with a layout made for the test, without a database."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from loaders.files.readers import open_stream
from loaders.layouts import Layout, Recognition, recognise
from loaders.layouts.profile import read_profile


@dataclass(frozen=True)
class Reading:
    """All that a reader made of some bytes."""

    data: dict[int, tuple[str, ...]]
    non_data: dict[int, tuple[str, ...]]
    quarantine: dict[int, tuple[str, ...]]
    stated: tuple[object, ...]


def profile(folder: Path, text: str, code: str = "made") -> Layout:
    path = folder / f"{code}.toml"
    path.write_text(f'code = "{code}"\ntitle = "Made"\nfile_kind = "cdr"\n{text}', "utf-8")
    return read_profile(path)


def only(monkeypatch: pytest.MonkeyPatch, *layouts: Layout) -> None:
    """Recognition knows these layouts and no other."""
    module = sys.modules["loaders.layouts.recognise"]
    monkeypatch.setattr(module, "LAYOUTS", {layout.code: layout for layout in layouts})


def head_of(content: bytes) -> Recognition:
    return recognise(content.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"))


def cut(content: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The content in blocks of these sizes, by turns."""
    blocks = []
    position = turn = 0
    while position < len(content):
        size = sizes[turn % len(sizes)]
        blocks.append(content[position : position + size])
        position += size
        turn += 1
    return blocks


def read(
    content: bytes,
    *,
    sizes: Sequence[int] = (1 << 16,),
    tolerant: bool = False,
    head: bytes | None = None,
) -> Reading:
    """Recognise and read; ``tolerant`` sends every line through the tolerant path."""
    shape = head_of(content if head is None else head).shape
    assert shape is not None
    stream = open_stream(cut(content, sizes), shape, file_id=1, tolerate_undecodable=True)
    if tolerant:
        stream._plain = stream._careful = None  # type: ignore[attr-defined]
    copied = b"".join(stream.copy_input()).decode()
    rows = _rows(copied, stream.copy_delimiter)
    for columns, spool in stream.side_rows.items():
        for line_no, values in _rows(b"".join(spool.blocks()).decode(), ",").items():
            rows[line_no] = (",".join(columns), *values)
    aside = [
        _rows(b"".join(spool.blocks()).decode(), ",")
        for spool in (stream.non_data, stream.quarantine)
    ]
    counts = (stream.data_count, stream.non_data.count, stream.quarantine.count)
    assert counts == (len(rows), len(aside[0]), len(aside[1]))
    assert len({*rows, *aside[0], *aside[1]}) == sum(counts)
    stated = (stream.stated_count, stream.stated_total, stream.stated_sequence)
    stream.close()
    return Reading(rows, aside[0], aside[1], stated)


def _rows(text: str, delimiter: str) -> dict[int, tuple[str, ...]]:
    csv.field_size_limit(1 << 24)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return {int(row[1]): tuple(row[2:]) for row in reader}
