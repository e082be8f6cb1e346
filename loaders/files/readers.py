"""Which reader a file's layout asks for."""

from __future__ import annotations

from collections.abc import Iterable

from loaders.files.documents import JsonStream, RadiusStream, XmlStream
from loaders.files.lines import WholeLineStream
from loaders.files.records import LineStream
from loaders.files.streams import RecordStream
from loaders.layouts import Shape

_READERS: dict[str, type[RecordStream]] = {
    "delimited": LineStream,
    "lines": WholeLineStream,
    "json": JsonStream,
    "xml": XmlStream,
    "radius_detail": RadiusStream,
}


def open_stream(
    blocks: Iterable[bytes],
    shape: Shape | None,
    *,
    file_id: int,
    text_encoding: str = "utf-8",
    tolerate_undecodable: bool = False,
) -> RecordStream:
    """The reader of the shape's layout; a file of blank lines is read as lines."""
    reader = _READERS[shape.layout.reader if shape else "delimited"]
    return reader(
        blocks,
        shape,
        file_id=file_id,
        text_encoding=text_encoding,
        tolerate_undecodable=tolerate_undecodable,
    )
