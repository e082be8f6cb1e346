"""Layouts as data, and their recognition by content."""

from loaders.layouts.catalogue import LAYOUTS
from loaders.layouts.dialect import Dialect, Problem
from loaders.layouts.layout import Layout, Variant
from loaders.layouts.recognise import Recognition, Shape, recognise

__all__ = [
    "LAYOUTS", "Dialect", "Layout", "Problem", "Recognition", "Shape", "Variant", "recognise",
]  # fmt: skip
