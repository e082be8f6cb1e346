"""Landing files: every line ends as data, as a known non-record, or in quarantine."""

from loaders.files.arrival import load_paths, load_received
from loaders.files.landing import LandingError, Received
from loaders.files.results import FileResult
from loaders.files.sources import UnknownSource

__all__ = [
    "FileResult",
    "LandingError",
    "Received",
    "UnknownSource",
    "load_paths",
    "load_received",
]
