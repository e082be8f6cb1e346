"""Reference data: loaded as files, refused as a whole, dated twice."""

from loaders.reference.errors import ReferenceRefused, Refusal
from loaders.reference.kinds import KINDS
from loaders.reference.loading import ReferenceResult, load_folder, load_reference, try_row

__all__ = [
    "KINDS", "ReferenceRefused", "ReferenceResult", "Refusal", "load_folder", "load_reference",
    "try_row",
]  # fmt: skip
