"""What a withdrawal or restore would do, as tables for the screen and for Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from loaders import runs

COLUMNS = ("kind", "state", "reason", "records", "amount", "currency")
INVOICE_COLUMNS = ("status", "number", "account", "period")


def record_rows(preview: runs.WithdrawalPreview) -> list[tuple[Any, ...]]:
    """The file's records by what became of them (COLUMNS)."""
    return [
        (g.record_kind, g.state, g.reason, g.record_count, g.amount, g.currency_code)
        for g in preview.records
    ]


def invoice_rows(preview: runs.WithdrawalPreview) -> list[tuple[Any, ...]]:
    """Invoices that forbid it (INVOICE_COLUMNS)."""
    return [
        (i["status"], i["number"], i["account_code"], i["period"])
        for i in preview.invoices_in_the_way
    ]


def sentences(preview: runs.WithdrawalPreview) -> list[str]:
    """What else would happen, one sentence each."""
    is_restore = preview.status == "withdrawn"
    said = []
    if not preview.records:
        said.append(f"No run has rated its {preview.record_count:,} record(s) yet.")
    if preview.repeat_count and is_restore:
        said.append(
            f"{preview.repeat_count:,} record(s) of other files become repeats of it again."
        )
    elif preview.repeat_count:
        said.append(
            f"{preview.repeat_count:,} record(s) of other files were left out as repeats of it "
            "and would be rated now."
        )
    if preview.drafts:
        drafts = ", ".join(f"{period} {group}" for period, group in preview.drafts)
        said.append(f"Drafts that would be made again: {drafts}.")
    return said


def as_json(preview: runs.WithdrawalPreview) -> Mapping[str, Any]:
    """Everything, for programs."""
    return asdict(preview)
