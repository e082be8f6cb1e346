"""Files of made-up calls, as the tests of history need them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable

from tests.loaders import samples

HEADER = samples.MAPPED_HEADER


def calls(numbers: Iterable[int]) -> str:
    """A mapped file of these calls."""
    return samples.lines(HEADER, *map(samples.mapped, numbers))


def zipped(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def tarred(*members: tuple[str | tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()
