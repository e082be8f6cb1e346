"""Taking a form with a file: streamed to disk as it comes, whatever its size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.requests import Request

from loaders.errors import RatehouseError

_LARGEST_FIELD = 10_000
_MOST_FIELDS = 50
_LARGEST_NAME = 255


class UploadRefused(RatehouseError):
    """What was sent cannot be taken."""


class Received:
    """The fields of the form, and the file as it lies on disk."""

    def __init__(self, target: Path, limit: int, check: Callable[[FormData], None]) -> None:
        self.file_name: str | None = None
        self.size = 0
        self._fields: list[tuple[str, str]] = []
        self._target = target
        self._limit = limit
        self._check = check
        self._stream: IO[bytes] | None = None
        self._header = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value = b""
        self.is_complete = False

    @property
    def form(self) -> FormData:
        return FormData(self._fields)

    async def take(self, request: Request) -> None:
        """Read the body. The fields before the file are checked before any of it is written."""
        kind, parameters = parse_options_header(request.headers.get("content-type", ""))
        boundary = parameters.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise UploadRefused("This is not the form of the upload page.")
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": lambda data, a, b: self._header_piece(0, data[a:b]),
                "on_header_value": lambda data, a, b: self._header_piece(1, data[a:b]),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": lambda data, a, b: self._data(data[a:b]),
                "on_part_end": self._part_ends,
                "on_end": self._end,
            },
        )
        try:
            await self._read(request, parser)
        except MultipartParseError as error:
            raise UploadRefused("What the browser sent is damaged. Try again.") from error
        finally:
            if self._stream is not None:
                self._stream.close()
        if not self.is_complete:
            raise UploadRefused("The upload ended too early. Try again.")

    async def _read(self, request: Request, parser: MultipartParser) -> None:
        refusal: RatehouseError | None = None
        surplus = 0
        async for chunk in request.stream():
            if refusal is not None:
                # A browser shows the answer only once it has sent everything: hear it out, but
                # not for ever.
                surplus += len(chunk)
                if surplus > self._limit:
                    break
                continue
            try:
                parser.write(chunk)
            except RatehouseError as error:
                refusal = error
        if refusal is not None:
            raise refusal

    def _part_begins(self) -> None:
        self._headers = {}
        self._value = b""

    def _header_piece(self, which: int, piece: bytes) -> None:
        self._header[which] += piece
        if len(self._header[which]) > _LARGEST_FIELD:
            raise UploadRefused("The form has a header that is too long.")

    def _header_ends(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        if file_name is None:
            return
        if self._name != "file" or self.file_name is not None:
            raise UploadRefused("Send one file at a time.")
        self._check(self.form)
        self.file_name = plain_name(file_name.decode("utf-8", "replace"))
        self._stream = self._target.open("xb")

    def _data(self, piece: bytes) -> None:
        if self._stream is not None:
            self.size += len(piece)
            if self.size > self._limit:
                raise UploadRefused(
                    f"The file is larger than {self._limit // 1024**2:,} MB, which is the most "
                    "this page takes. Load it with: ratehouse load FILE"
                )
            self._stream.write(piece)
            return
        self._value += piece
        if len(self._value) > _LARGEST_FIELD:
            raise UploadRefused(f"The field {self._name} is too long.")

    def _part_ends(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            return
        self._fields.append((self._name, self._value.decode("utf-8", "replace")))
        if len(self._fields) > _MOST_FIELDS:
            raise UploadRefused("The form has too many fields.")

    def _end(self) -> None:
        self.is_complete = True


def plain_name(name: str) -> str:
    """The last part of a name, as it is shown and registered; it never becomes a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\x00", "")
    return last[-_LARGEST_NAME:] if last not in ("", ".", "..") else "unnamed"
