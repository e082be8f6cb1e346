"""The code location: everything under defs/, and what all of it shares.

Modules under defs/ do without `from __future__ import annotations`: Dagster reads the types of
`context` and `config` at run time, and a text is no type.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

defs = dg.Definitions.merge(
    dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
    dg.Definitions(
        # One warehouse, one writer: a process per step would only load everything again.
        executor=dg.in_process_executor,
    ),
)
