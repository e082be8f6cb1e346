"""Samples of every layout, and what a person says they mean.

Beside each sample stands its expectation, worked out by hand from the description of the format.
All samples are previewed at once, the way `ratehouse load --preview` does it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from loaders.database import connect
from loaders.layouts import LAYOUTS
from orchestration.lib.preview import preview_paths

_HERE = Path(__file__).parent
EXPECTATIONS = sorted(_HERE.glob("*/*.json"))
SAMPLES = [path.with_suffix("") for path in EXPECTATIONS]


def name_of(path: Path) -> str:
    return str(path.relative_to(_HERE))


@pytest.fixture(scope="module")
def previews(module_database: str) -> dict[str, dict[str, Any]]:
    """What the loader and the models make of all samples, by sample."""
    with (
        closing(connect(url=module_database)) as connection,
        preview_paths(connection, module_database, SAMPLES) as found,
    ):
        return {
            name_of(Path(preview.result.origin)): json.loads("".join(preview.to_json()))
            for preview in found
        }


@pytest.mark.parametrize("sample", SAMPLES, ids=name_of)
def test_a_sample_means_what_a_person_says(
    sample: Path, previews: dict[str, dict[str, Any]]
) -> None:
    expected = json.loads((sample.parent / f"{sample.name}.json").read_text())
    found = previews[name_of(sample)]
    assert found["status"] == expected.get("status", "landed"), found["explanation"]
    for name in ("layout", "variant", "status_reason"):
        if name in expected:
            assert found[name] == expected[name], name
    for name, count in expected.get("lines", {}).items():
        assert found["lines"][name] == count, f"{name}: {found['lines']} {found['quarantine']}"
    problems = []
    for part in ("records", "charges"):
        if part in expected:
            problems += list(differences(expected[part], found[part]))
    assert not problems, "\n".join(problems)


def differences(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> Iterator[str]:
    """What is not as expected; every record of the file must be expected."""
    by_line = {record["line_no"]: record for record in found}
    for record in expected:
        line = record["line_no"]
        if line not in by_line:
            yield f"line {line}: no such record"
            continue
        got = by_line.pop(line)
        for name, value in record.items():
            if name not in got:
                yield f"line {line}: there is no {name}"
            elif not same(value, got[name]):
                yield f"line {line}: {name} is {got[name]!r}, expected {value!r}"
    for line in by_line:
        yield f"line {line}: a record nobody expects"


def same(expected: Any, found: Any) -> bool:
    """Equal as values: 60 and 60.000, 12:00Z and 12:00+00:00, text as text."""
    if expected is None or found is None or isinstance(expected, bool):
        return expected is found
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and same(value, found[name]) for name, value in expected.items()
        )
    if str(expected) == str(found):
        return True
    try:
        return Decimal(str(expected)) == Decimal(str(found))
    except InvalidOperation:
        pass
    try:
        return datetime.fromisoformat(expected) == datetime.fromisoformat(found)
    except (TypeError, ValueError):
        return False


def test_every_layout_has_a_sample() -> None:
    with_samples = {path.parent.name for path in EXPECTATIONS}
    assert sorted(set(LAYOUTS) - with_samples) == []
