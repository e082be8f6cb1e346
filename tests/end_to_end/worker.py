"""`python -m tests.end_to_end.worker URL FOLDER TARGET HOW`: land and rate a folder, to be killed.

HOW is `here` or `apart`: whether dbt works in this process or in one of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.end_to_end.warehouse import Warehouse


def main() -> None:
    """Do what is left to do; starting it again after any end finishes the work."""
    url, folder, target, how = sys.argv[1:]
    warehouse = Warehouse(url, Path(target), is_dbt_apart=how == "apart")
    warehouse.load(Path(folder))
    print("landed", flush=True)
    while warehouse.rate() is not None:
        print("rated", flush=True)


if __name__ == "__main__":
    main()
