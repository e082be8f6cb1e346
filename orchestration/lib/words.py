"""Failures of a step, in the words an operator reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from loaders.errors import RatehouseError


@contextmanager
def failures_in_words() -> Iterator[None]:
    """Our own errors end a step with their text; trying again would not help."""
    try:
        yield
    except RatehouseError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None


def describe_dbt_failure(target: Path, said: Sequence[str] = ()) -> str:
    """Which models and tests failed, and what the database said."""
    results = read_results(target)
    failed = [r for r in results if r["status"] in ("error", "fail", "runtime error")]
    if not failed:
        reason = " ".join(" ".join(said).split())
        return (
            f"dbt stopped before it built anything: {reason or 'it gave no reason'}\n"
            f"Its log: {target / 'dbt.log'}"
        )
    lines = [f"dbt: {len(failed)} of {len(results)} steps failed"]
    for result in failed[:10]:
        kind, _, name = result["unique_id"].partition(".")
        message = " ".join((result.get("message") or result["status"]).split())
        lines.append(f"  {kind} {name.split('.', 1)[-1]}: {message}")
    if len(failed) > 10:
        lines.append(f"  and {len(failed) - 10} more; the log is {target / 'dbt.log'}")
    return "\n".join(lines)


def read_results(target: Path) -> list[dict[str, Any]]:
    """The steps of a dbt process, as its run_results.json tells; empty if it never got so far."""
    try:
        return json.loads((target / "run_results.json").read_text())["results"]
    except (OSError, json.JSONDecodeError, KeyError):
        return []
