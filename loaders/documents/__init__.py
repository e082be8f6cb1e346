"""Invoices as documents: what the marts say of them, as CSV, JSON and PDF."""

from loaders.documents.bundle import (
    FORMATS,
    WrittenDocument,
    export_documents,
    write_document,
)
from loaders.documents.reading import (
    Document,
    DocumentRefused,
    find_document,
    read_heads,
    read_lines,
    snapshot,
)

__all__ = [
    "FORMATS",
    "Document",
    "DocumentRefused",
    "WrittenDocument",
    "export_documents",
    "find_document",
    "read_heads",
    "read_lines",
    "snapshot",
    "write_document",
]
