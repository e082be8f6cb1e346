"""The list of mutants, and the texts that they change."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from loaders.settings import project_root

LIST = Path(__file__).parent / "mutants.toml"
_KEYS = {"name", "file", "text", "becomes", "breaks", "times", "ask", "tests"}
_NEEDED = {"name", "file", "text", "becomes", "breaks"}


class BadList(Exception):
    """The list does not fit the code: one line for each mutant."""


@dataclass(frozen=True)
class Mutant:
    """One change that must not go unnoticed."""

    name: str
    # From the root of the project.
    file: str
    text: str
    becomes: str
    # What goes wrong, in words.
    breaks: str
    # How often the text stands in the file; all are changed.
    times: int = 1
    # The world that is asked first, because it is known to notice.
    ask: str | None = None
    # Tests (as pytest names them) for what only a warehouse built by dbt can show.
    tests: tuple[str, ...] = ()

    def complaint(self, root: Path) -> str | None:
        """Why the mutant does not fit the code any more."""
        path = root / self.file
        if not path.is_file():
            return f"{self.name}: {self.file} is no longer there"
        found = path.read_text(encoding="utf-8").count(self.text)
        if found != self.times:
            return (
                f"{self.name}: its text stands {found} times in {self.file}, not {self.times}; "
                "the code has changed, so must the mutant"
            )
        return None

    def applied(self, original: str) -> str:
        """The file's content with the change."""
        return original.replace(self.text, self.becomes)


def read_mutants(path: Path = LIST) -> list[Mutant]:
    """The mutants of a list, checked against itself and against the code."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    complaints = []
    mutants: list[Mutant] = []
    for number, row in enumerate(rows, start=1):
        name = row.get("name", f"mutant {number}")
        if missing := _NEEDED - row.keys():
            complaints.append(f"{name}: has no {', '.join(sorted(missing))}")
            continue
        if unknown := row.keys() - _KEYS:
            complaints.append(f"{name}: what is {', '.join(sorted(unknown))}?")
            continue
        mutants.append(Mutant(**{**row, "tests": tuple(row.get("tests", ()))}))
        if row["text"] == row["becomes"]:
            complaints.append(f"{name}: changes nothing")
    names = [mutant.name for mutant in mutants]
    complaints += [f"{name}: listed twice" for name in set(names) if names.count(name) > 1]
    complaints += filter(None, (mutant.complaint(project_root()) for mutant in mutants))
    if complaints:
        raise BadList("\n".join(complaints))
    return mutants
