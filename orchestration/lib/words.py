"""Failures of a step, in the words an operator reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from loaders.errors import RatehouseError


@contextmanager
def failures_in_words() -> Iterator[None]:
    """Our own errors end a step with their text; trying again would not help."""
    try:
        yield
    except RatehouseError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
