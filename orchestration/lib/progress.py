"""Progress for whoever is watching: the command line sets a listener, Dagster has its own log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]

_listeners: list[Listener] = []


def say(text: str) -> None:
    """One line about what has just been done."""
    for listener in _listeners:
        listener(text)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Pass every line on for a while."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
