"""Collectors: fetch files from suppliers' servers, mailboxes and folders, and land them."""

from loaders.collect.collecting import CollectedFile, CollectorResult, collect
from loaders.collect.collector import Collector, due_collectors, read_collectors
from loaders.collect.errors import CollectError
from loaders.collect.retry import Patience

__all__ = [
    "CollectError",
    "CollectedFile",
    "Collector",
    "CollectorResult",
    "Patience",
    "collect",
    "due_collectors",
    "read_collectors",
]
