"""python -m tests.cases FILE [--reference FOLDER]: prints what became of each case."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from loaders.errors import RatehouseError
from loaders.settings import project_root
from tests.cases.book import BadFile, read_cases
from tests.cases.running import Outcome, run_cases, scratch_database
from tests.servers import scratch_server

# Real decks and reports, where they are at hand.
REFERENCE = Path(
    os.environ.get("RATEHOUSE_REFERENCE") or project_root().parent / "shared" / "reference"
)
_STATES = ("passed", "failed", "not supported")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases of a file; 1 if any failed, 2 if they could not be run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cases",
        description="Runs worked cases (columns id, area, inputs_json, expected_json) through the "
        "dbt models. RATEHOUSE_TEST_DATABASE_URL names a PostgreSQL server; without it one is "
        "started for the run.",
    )
    parser.add_argument("file", type=Path, help="CSV file of cases")
    parser.add_argument(
        "--reference", type=Path,
        help="folder with the decks and reports that cases name (left out: that of the file, "
        "then RATEHOUSE_REFERENCE)",
    )  # fmt: skip
    parser.add_argument("--id", action="append", help="only this case; may be given several times")
    options = parser.parse_args(arguments)
    try:
        cases = read_cases(options.file)
        if options.id:
            cases = [case for case in cases if case.id in options.id]
        folder = options.reference or options.file.resolve().parent
        with scratch_server() as server_url, scratch_database(server_url) as url:
            outcomes = run_cases(cases, url, [folder, REFERENCE])
    except (BadFile, RatehouseError) as error:
        print(error, file=sys.stderr)
        return 2
    report(outcomes)
    return 1 if any(outcome.status == "failed" for outcome in outcomes) else 0


def report(outcomes: Sequence[Outcome]) -> None:
    """One line per case, what is missing by number of cases, and the totals."""
    for outcome in outcomes:
        print(outcome)
    waiting: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.status == "not supported":
            for reason in dict.fromkeys(outcome.reasons):
                waiting[reason].append(outcome.case.id)
    if waiting:
        print("\nNot supported, by what is needed:")
        for reason, ids in sorted(waiting.items(), key=lambda item: (-len(item[1]), item[0])):
            print(f"{len(ids):5}  {reason}: {', '.join(ids)}")
    counts = Counter(outcome.status for outcome in outcomes)
    print("\n" + ", ".join(f"{counts[state]} {state}" for state in _STATES))


if __name__ == "__main__":
    sys.exit(main())
