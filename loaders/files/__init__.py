"""Landing files: every line ends as data, as a known non-record, or in quarantine."""

from loaders.files.arrival import load_paths
from loaders.files.landing import LandingError
from loaders.files.results import FileResult
from loaders.files.sources import UnknownSource

__all__ = ["FileResult", "LandingError", "UnknownSource", "load_paths"]
