"""Trying again after errors that pass: longer waits each time, never all clients at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from loaders.collect.errors import TransientError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """How often and how long."""

    attempts: int = 4
    first_wait_seconds: float = 2.0
    longest_wait_seconds: float = 60.0

    def wait_before(self, attempt: int) -> float:
        """Seconds before attempt 2, 3, ...: doubled each time, and half of it by chance."""
        longest = min(self.longest_wait_seconds, self.first_wait_seconds * 2 ** (attempt - 2))
        return longest * random.uniform(0.5, 1.0)

    def persist(self, work: Callable[[], Result], say: Callable[[str], None]) -> Result:
        """Do the work, again after each error that may pass; the last one comes out."""
        for attempt in range(1, self.attempts + 1):
            if attempt > 1:
                time.sleep(self.wait_before(attempt))
            try:
                return work()
            except TransientError as error:
                if attempt == self.attempts:
                    raise
                say(f"{error}; trying again ({attempt} of {self.attempts - 1})")
        raise AssertionError("unreachable: the last attempt returns or raises")
