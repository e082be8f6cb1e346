"""What a run came to, as metadata people can read and Dagster can plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from loaders import runs
from orchestration.lib import figures, posting
from orchestration.lib.dbt_process import DbtProcess
from orchestration.lib.tables import markdown_table

RATING_RUN_ASSET = dg.AssetKey(["runs", "rating_run"])
INVOICE_RUN_ASSET = dg.AssetKey(["runs", "invoice_run"])


def file_table(results: Iterable[Any]) -> str:
    """What became of each file, worst first."""
    order = {"failed": 0, "held": 1, "landed": 2, "already_loaded": 3}
    ordered = sorted(results, key=lambda r: (order.get(r.status, 9), r.file_name))
    return markdown_table(
        ["file", "source", "layout", "status", "records", "data", "quarantined", "why"],
        [
            (
                r.file_name,
                r.source_code,
                r.layout_code,
                r.status,
                r.record_count,
                r.data_count,
                r.quarantined_count,
                r.status_reason,
            )
            for r in ordered
        ],
    )


def dbt_metadata(process: DbtProcess) -> dict[str, Any]:
    return {
        "dbt_steps": dg.MetadataValue.md(
            markdown_table(["steps", "number"], process.counts().items())
        ),
        "slowest_steps": dg.MetadataValue.md(
            markdown_table(["step", "seconds"], process.slowest())
        ),
    }


def rating_run_event(
    connection: Any, run: runs.RatingRun, totals: Mapping[str, Any], process: DbtProcess
) -> dg.AssetMaterialization:
    """A closed run: its balance, files, states and dbt steps."""
    states = figures.run_state_rows(connection, run.rating_run_id)
    return dg.AssetMaterialization(
        asset_key=RATING_RUN_ASSET,
        description=run.describe(),
        metadata={
            "summary": f"{run.describe()}: balances, and counts from now on",
            "states": dg.MetadataValue.md(markdown_table(figures.STATE_COLUMNS, states)),
            "rating_run_id": run.rating_run_id,
            "kind": run.run_kind,
            "attempt": run.attempt,
            "files": run.file_count,
            "lines": run.line_count,
            # One number per state: Dagster draws them over the runs.
            **{f"records_{state}": number for state, number in figures.by_state(states).items()},
            "balance": dg.MetadataValue.md(totals_table(totals)),
            "work_set": dg.MetadataValue.md(
                markdown_table(
                    ["file", "source", "layout", "records", "data", "non-data", "quarantined"],
                    figures.run_file_rows(connection, run.rating_run_id),
                )
            ),
            **dbt_metadata(process),
        },
    )


def totals_table(totals: Mapping[str, Any]) -> str:
    """Control totals, one line each."""
    return markdown_table(
        ["total", "value"],
        [(name.replace("_", " "), value) for name, value in totals.items()],
    )


def proposal_metadata(proposal: runs.Proposal) -> dict[str, Any]:
    """A draft as somebody looks at it before it is approved or posted: gates, documents, totals."""
    # What a person reads first comes first: the page of a run folds the rest away.
    return {
        "summary": posting.describe_proposal(proposal),
        "gates": dg.MetadataValue.md(
            markdown_table(posting.GATE_COLUMNS, posting.gate_rows(proposal))
        ),
        "to_be_posted": dg.MetadataValue.md(
            markdown_table(posting.DOCUMENT_COLUMNS, posting.document_rows(proposal))
        ),
        "total_to_be_posted": posting.money(proposal.to_post["totals"]),
        "period": f"{proposal.period_month:%Y-%m}",
        "bill_group": proposal.bill_group,
        "round": proposal.round_no,
        "status": proposal.status,
        "invoice_run_id": proposal.invoice_run_id,
    }


def invoice_run_event(
    connection: Any, run: runs.InvoiceRun, result: runs.DraftResult, process: DbtProcess
) -> dg.AssetMaterialization:
    """A draft: how many invoices, what they come to, whether anything changed."""
    totals = result.control_totals
    proposal = (
        {} if run.build_schema else proposal_metadata(runs.propose(connection, run.invoice_run_id))
    )
    return dg.AssetMaterialization(
        asset_key=INVOICE_RUN_ASSET,
        description=run.describe(),
        metadata={
            **proposal,
            "invoice_run_id": run.invoice_run_id,
            "period": f"{run.period_month:%Y-%m}",
            "bill_group": run.bill_group,
            "invoices": totals["invoices"],
            "lines": totals["lines"],
            "is_changed": result.is_changed,
            "held": dg.MetadataValue.md(
                markdown_table(["reason", "invoices"], totals["held"].items())
            ),
            "totals": dg.MetadataValue.md(
                markdown_table(["currency", "total"], totals["invoice_total"].items())
            ),
            "top_invoices": dg.MetadataValue.md(
                markdown_table(
                    figures.INVOICE_COLUMNS,
                    figures.top_invoice_rows(connection, [run.invoice_run_id]),
                )
            ),
            **dbt_metadata(process),
        },
    )
