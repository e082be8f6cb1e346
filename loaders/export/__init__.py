"""Export: what the marts say, as a zip with CSV or Parquet for other people's tools."""

from loaders.export.archive import ExportResult, export, show_query
from loaders.export.question import DATASETS, FORMATS, Question

__all__ = ["DATASETS", "FORMATS", "ExportResult", "Question", "export", "show_query"]
