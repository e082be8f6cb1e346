"""Command line of the demo generator: `python -m loaders.demo --out DIR`."""

import argparse
import re
import sys
from pathlib import Path

from loaders.demo.generate import DemoOptions, generate


def main(arguments: list[str] | None = None) -> int:
    """Write the demo data and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m loaders.demo", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write (made if absent)")
    parser.add_argument("--cdrs", type=int, default=50_000, help="call records (default 50000)")
    parser.add_argument("--charges", type=int, default=500, help="charge records (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="same seed and flags: same bytes")
    parser.add_argument("--month", default="2026-10", help="month of the calls, YYYY-MM")
    chosen = parser.parse_args(arguments)
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", chosen.month):
        parser.error(f"--month must look like 2026-10, not {chosen.month!r}")
    if chosen.cdrs < 1 or chosen.charges < 0:
        parser.error("--cdrs must be at least 1 and --charges at least 0")
    if chosen.out.exists() and not chosen.out.is_dir():
        parser.error(f"--out {chosen.out} is a file, not a folder")
    if (chosen.out / "files").exists():
        parser.error(f"{chosen.out / 'files'} exists already: choose an empty folder")
    manifest = generate(
        chosen.out,
        DemoOptions(cdrs=chosen.cdrs, charges=chosen.charges, seed=chosen.seed, month=chosen.month),
    )
    files = len(manifest["files"]) + len(manifest["bad_files"])
    print(f"{manifest['records']} records in {files} files below {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
