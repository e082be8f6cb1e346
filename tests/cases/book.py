"""Reading a file of cases, and comparing what is expected with what came."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

_COLUMNS = ("id", "area", "inputs_json", "expected_json")


class BadFile(Exception):
    """The file of cases itself cannot be read; the message says where."""


class NotSupported(Exception):
    """The models cannot do this yet: what they need."""


@dataclass(frozen=True)
class Case:
    """One row of the file."""

    id: str
    area: str
    rule: str
    inputs: dict[str, Any]
    expected: dict[str, Any]


def read_cases(path: Path) -> list[Case]:
    """All cases of a file, in its order."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise BadFile(f"{path}, line 1: there is no column {', '.join(missing)}")
            cases = [_case(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path} cannot be read: {error}") from error
    twice = {case.id for case in cases if sum(other.id == case.id for other in cases) > 1}
    if twice:
        raise BadFile(f"{path}: these ids stand there twice: {', '.join(sorted(twice))}")
    return cases


def _case(path: Path, line: int, row: dict[str, str]) -> Case:
    objects = []
    for name in ("inputs_json", "expected_json"):
        try:
            value = json.loads(row[name] or "", parse_float=Decimal)
        except json.JSONDecodeError as error:
            raise BadFile(f"{path}, line {line}, {name}: {error}") from error
        if not isinstance(value, dict):
            raise BadFile(f"{path}, line {line}, {name}: must be a JSON object")
        objects.append(value)
    return Case(row["id"], row["area"], row.get("rule") or "", objects[0], objects[1])


class Given:
    """The inputs of a case; what a translator did not look at must not be ignored silently."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or the default where the case does not say."""
        self._read.add(name)
        return self._values.get(name, default)

    def first(self, *names: str, default: Any = None) -> Any:
        """The value under whichever of these names the case uses."""
        for name in names:
            if name in self._values:
                return self[name]
        return default

    def keys(self) -> set[str]:
        """The names of all inputs."""
        return set(self._values)

    def unread(self) -> list[str]:
        """Inputs nobody asked for."""
        return [name for name in self._values if name not in self._read]


def same(expected: Any, got: Any) -> bool:
    """Equal: numbers as numbers, lists item by item, everything else as text."""
    if expected is None or got is None or isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(same(one, other) for one, other in zip(expected, got, strict=True))
        )
    if isinstance(got, (int, Decimal)):
        try:
            return Decimal(str(expected)) == got
        except InvalidOperation:
            return False
    return str(expected) == str(got)
