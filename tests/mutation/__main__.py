"""python -m tests.mutation: breaks the code in one place at a time; exit code 1 if one survives."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from loaders.errors import RatehouseError
from tests.cases.running import scratch_database
from tests.mutation.catalogue import LIST, BadList, Mutant, read_mutants
from tests.mutation.project import Copy, DoesNotCompile, changed
from tests.mutation.worlds import NAMES, World, make_world
from tests.servers import TEST_DATABASE_VARIABLE, scratch_server, temporary_folder


class WrongBefore(Exception):
    """A check complains of the code as it is."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    # Who noticed, and what; None: nobody did.
    noticed_by: str | None
    words: str
    seconds: float

    def __str__(self) -> str:
        seconds = f"{self.seconds:5.1f} s"
        if self.noticed_by is None:
            return (
                f"SURVIVED  {seconds}  {self.mutant.name} ({self.mutant.file}): "
                f"{self.mutant.breaks}; {self.words}"
            )
        return f"killed    {seconds}  {self.mutant.name}: by {self.noticed_by}: {self.words}"


class Bench:
    """The copy of the project and the worlds that are rated with it."""

    def __init__(self, copy: Copy, worlds: dict[str, World], server_url: str) -> None:
        self._copy = copy
        self._worlds = worlds
        self._server_url = server_url

    def check_unbroken(self) -> None:
        """Nobody complains of the code as it is, or the mutants would prove nothing."""
        for name, world in self._worlds.items():
            if complaints := world.complaints(self._copy.models):
                raise WrongBefore(
                    f"the code as it is has wrong answers ({name}):\n" + "\n".join(complaints[:20])
                )

    def judge(self, mutant: Mutant) -> Verdict:
        """Break the copy, and see who notices."""
        began = time.monotonic()
        noticed_by, words = self._noticed(mutant)
        return Verdict(mutant, noticed_by, words, time.monotonic() - began)

    def _noticed(self, mutant: Mutant) -> tuple[str | None, str]:
        try:
            models = self._copy.compiled(mutant)
        except DoesNotCompile as error:
            return "dbt", _one_line(str(error))
        if models is None and not mutant.tests:
            return None, "no model of a dry run reads the file, and no tests are named"
        if models is not None:
            for name in sorted(self._worlds, key=lambda name: name != mutant.ask):
                try:
                    complaints = self._worlds[name].complaints(models)
                except psycopg2.Error as error:
                    return name, f"does not run: {_one_line(str(error))}"
                if complaints:
                    return name, f"{len(complaints)} wrong answers: {_one_line(complaints[0])}"
        if mutant.tests:
            with changed(self._copy.whole, mutant):
                for test in mutant.tests:
                    if not self._passes(test):
                        return "test", test
        asked = [*(self._worlds if models is not None else ()), *mutant.tests]
        return None, f"asked: {', '.join(asked)}"

    def _passes(self, test: str) -> bool:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
            cwd=self._copy.whole,
            env={**os.environ, TEST_DATABASE_VARIABLE: self._server_url},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise WrongBefore(f"{test} cannot be run:\n{(done.stdout + done.stderr)[-2000:]}")
        return done.returncode == 0


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 140 else f"{line[:137]}..."


@contextmanager
def bench(worlds: Sequence[str]) -> Iterator[Bench]:
    """A bench with these worlds, on a server of its own or that of the tests."""
    with ExitStack() as stack:
        server_url = stack.enter_context(scratch_server())
        folder = stack.enter_context(temporary_folder("mutants"))
        urls = {name: stack.enter_context(scratch_database(server_url)) for name in worlds}
        copy = Copy(folder, next(iter(urls.values())))
        made = {name: make_world(name, url, folder / name) for name, url in urls.items()}
        yield Bench(copy, made, server_url)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge mutants; 1 if one survived, 2 if the check itself does not work."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description="Breaks the code in one place at a time, as the list says, and shows who "
        "notices. RATEHOUSE_TEST_DATABASE_URL names a PostgreSQL server; without it one is started "
        "for the run.",
    )
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--list", type=Path, default=LIST, help="another list of mutants")
    parser.add_argument(
        "--world", action="append", choices=NAMES, help="ask only this world; may be repeated"
    )
    options = parser.parse_args(arguments)
    try:
        mutants = read_mutants(options.list)
        if unknown := set(options.names) - {mutant.name for mutant in mutants}:
            raise BadList(f"no such mutant: {', '.join(sorted(unknown))}")
        chosen = [m for m in mutants if not options.names or m.name in options.names]
        with bench(options.world or NAMES) as made:
            made.check_unbroken()
            survivors = 0
            for mutant in chosen:
                verdict = made.judge(mutant)
                survivors += verdict.noticed_by is None
                print(verdict, flush=True)
    except (BadList, WrongBefore, DoesNotCompile, RatehouseError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\n{len(chosen)} mutants: {len(chosen) - survivors} killed, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
