"""`make bench`: one table, ratios to a bare COPY of the same file, measured in one run.

    python -m benchmarks [--cdrs 1000000] [--rounds 3] [--out docs/benchmarks.md]

Uses RATEHOUSE_DATABASE_URL or the embedded server, in databases of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pipeline import measure
from loaders.database import ensure_database


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cdrs", type=int, default=1_000_000, help="records in the file")
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds that count, after one warm-up"
    )
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    chosen = parser.parse_args()
    table = measure(ensure_database(), chosen.cdrs, chosen.rounds)
    print(table)
    if chosen.out:
        chosen.out.write_text(table + "\n")


if __name__ == "__main__":
    main()
