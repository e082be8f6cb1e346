"""Months of the facts: made ahead, kept in shape, moved to Parquet files and read back."""

from loaders.partitions.archive import (
    ArchivedMonth,
    ArchiveRefused,
    archive_month,
    archived_months,
    attach_month,
)
from loaders.partitions.catalogue import Partition, partitions
from loaders.partitions.upkeep import IndexUse, index_use, keep

__all__ = [
    "ArchiveRefused",
    "ArchivedMonth",
    "IndexUse",
    "Partition",
    "archive_month",
    "archived_months",
    "attach_month",
    "index_use",
    "keep",
    "partitions",
]
