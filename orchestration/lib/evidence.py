"""The evidence of a billing run: written and checked, as command and job do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loaders import evidence
from loaders.errors import RatehouseError
from orchestration.lib import paths

FINDING_COLUMNS = ("member", "result", "found")


def write(connection: Any, invoice_run_id: int, to: Path | None) -> evidence.EvidencePack:
    """Write the pack of an invoice run."""
    if paths.build_schema():
        raise RatehouseError("evidence is of production, not of a build schema")
    if invoice_run_id <= 0:
        raise RatehouseError("say which invoice run: `ratehouse approve PERIOD` names them")
    target = to or paths.export_folder() / f"evidence_run{invoice_run_id}.zip"
    return evidence.write_pack(connection, invoice_run_id, target.absolute())


def verify(connection: Any, path: Path) -> evidence.Verification:
    """Check a pack."""
    return evidence.verify_pack(connection, path)


def finding_rows(result: evidence.Verification) -> list[tuple[str, str, str]]:
    """One row per finding (FINDING_COLUMNS), what is wrong first."""
    ordered = sorted(result.findings, key=lambda finding: finding.is_good)
    return [(f.member, "good" if f.is_good else "WRONG", f.words) for f in ordered]


def describe_verdict(result: evidence.Verification) -> str:
    """The verdict in words."""
    wrong = sum(not finding.is_good for finding in result.findings)
    if wrong:
        return f"{result.path.name} does not hold: {wrong} finding(s) against it."
    return f"{result.path.name} holds: it is whole, and the database says the same."
