"""One large file for benchmarks: `python -m loaders.demo.bulk --out FILE --cdrs 1000000`.

An Asterisk 18-column file for the source metro_switch, nearly clean, over the demo's reference
data (write those with `python -m loaders.demo`, same seed and month).
"""

import argparse
import random
import sys
from pathlib import Path

from loaders.demo.customers import build_customers
from loaders.demo.month import Month
from loaders.demo.output import OutputFile
from loaders.demo.switches import SwitchWriter
from loaders.demo.traffic import CallMaker


def write_bulk(path: Path, cdrs: int, seed: int = 1, month_name: str = "2026-10") -> int:
    """Write the file and return the number of records in it."""
    month = Month(month_name)
    customers = build_customers(random.Random(f"{seed}:customers"), month)
    maker = CallMaker(random.Random(f"{seed}:bulk:calls"), month, customers, ("metro_switch",))
    writer = SwitchWriter(random.Random(f"{seed}:bulk:lines"), month, "UTC", 18, dirt_share=0.0)
    with OutputFile(path) as output:
        for _, calls in maker.calls(cdrs):
            lines = [writer.line(writer.clean_form(call)) for call in calls]
            output.write(lines, len(lines))
    return output.records


def main(arguments: list[str] | None = None) -> int:
    """Write the benchmark file."""
    parser = argparse.ArgumentParser(prog="python -m loaders.demo.bulk", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--cdrs", type=int, default=1_000_000, help="records (default 1000000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--month", default="2026-10", help="month of the calls, YYYY-MM")
    chosen = parser.parse_args(arguments)
    print(f"{write_bulk(chosen.out, chosen.cdrs, chosen.seed, chosen.month)} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
