"""`python -m tests.scale --database URL`: the rules of a cluster, looked for in this project."""

from __future__ import annotations

import argparse
import sys

from tests.scale import project
from tests.scale.known import KNOWN
from tests.scale.rules import check


def main() -> int:
    """Print what breaks a rule; known departures with their reasons."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    parser.add_argument("--database", required=True, help="URL of a warehouse that rated something")
    found = check(project.compiled(parser.parse_args().database), project.migrations())
    for violation in found:
        reason = KNOWN.get((violation.rule, violation.node))
        print(f"{violation} ({'known: ' + reason if reason else 'NEW'})")
    return int(any((v.rule, v.node) not in KNOWN for v in found))


if __name__ == "__main__":
    sys.exit(main())
