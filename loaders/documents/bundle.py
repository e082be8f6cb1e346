"""Documents into files: one into a folder, those of billing runs into a zip."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from loaders.documents.plain import write_json, write_lines_csv, write_register_csv
from loaders.documents.reading import (
    Document,
    DocumentRefused,
    Selection,
    read_document,
    read_documents,
    snapshot,
)
from loaders.export.archive import Counted, zip_entry

FORMATS = ("csv", "json", "pdf")
Write = Callable[[Document, IO[bytes]], None]


@dataclass(frozen=True)
class WrittenDocument:
    """A file that was written, or a member of a zip."""

    document_key: str
    name: str
    byte_count: int
    sha256: str


def write_document(
    connection: Any, selection: Selection, formats: Sequence[str], folder: Path
) -> list[WrittenDocument]:
    """Write one document into a folder, in each of the formats; files appear whole."""
    _check(formats)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with snapshot(connection):
        for name, write in _parts(formats):
            # Whatever stops the writing, the cursor is closed before its transaction ends.
            with closing(read_document(connection, selection)) as found:
                for document in found:
                    written.append(_write_file(document, write, folder, name))
    return written


def _write_file(document: Document, write: Write, folder: Path, suffix: str) -> WrittenDocument:
    path = folder / f"{file_name(document.key)}{suffix}"
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as stream:
            counted = Counted(stream)
            write(document, counted)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return WrittenDocument(document.key, str(path), counted.byte_count, counted.sha256())


def export_documents(
    connection: Any, selections: Sequence[Selection], formats: Sequence[str], to: Path
) -> list[WrittenDocument]:
    """Write the documents of billing runs into a zip: the same bytes for the same documents."""
    _check(formats)
    if to.suffix.lower() != ".zip":
        raise DocumentRefused(f"{to} does not end in .zip: many documents are written into a zip")
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with snapshot(connection), zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            written = _fill(connection, selections, formats, archive)
        if not written:
            raise DocumentRefused("there is nothing to write: these billing runs have no documents")
        partial.replace(to)
        return written
    finally:
        partial.unlink(missing_ok=True)


def _fill(
    connection: Any,
    selections: Sequence[Selection],
    formats: Sequence[str],
    archive: zipfile.ZipFile,
) -> list[WrittenDocument]:
    written: list[WrittenDocument] = []
    taken: set[str] = set()
    for suffix, write in _parts(formats):
        for selection in selections:
            with closing(read_documents(connection, selection)) as found:
                for document in found:
                    name = f"{file_name(document.key)}{suffix}"
                    if name in taken:  # A/1 and A_1 are two numbers
                        name = f"{file_name(document.key)}_{document.head['invoice_id']}{suffix}"
                    taken.add(name)
                    written.append(_write_member(document, write, archive, name))
    if written:
        index = [
            {"document": w.document_key, "file": w.name, "bytes": w.byte_count, "sha256": w.sha256}
            for w in written
        ]
        with archive.open(zip_entry("manifest.json"), "w") as stream:
            stream.write((json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode())
    return written


def _write_member(
    document: Document, write: Write, archive: zipfile.ZipFile, name: str
) -> WrittenDocument:
    # A PDF is packed page by page already.
    entry = zip_entry(name, packed=not name.endswith(".pdf"))
    with archive.open(entry, "w", force_zip64=True) as stream:
        counted = Counted(stream)
        write(document, counted)
    return WrittenDocument(document.key, name, counted.byte_count, counted.sha256())


def file_name(key: str) -> str:
    """The name of a document as that of a file."""
    return re.sub(r"[^\w.\-]+", "_", key).lstrip(".") or "_"


def _check(formats: Sequence[str]) -> None:
    for name in formats:
        if name not in FORMATS:
            raise DocumentRefused(f"'{name}' is no format; it may be {', '.join(FORMATS)}")


def _parts(formats: Sequence[str]) -> list[tuple[str, Write]]:
    parts: list[tuple[str, Write]] = []
    if "csv" in formats:
        parts += [("_lines.csv", write_lines_csv), ("_register.csv", write_register_csv)]
    if "json" in formats:
        parts.append((".json", write_json))
    if "pdf" in formats:
        # A heavy import that only this needs.
        from loaders.documents.pdf import write_pdf

        parts.append((".pdf", write_pdf))
    return parts
