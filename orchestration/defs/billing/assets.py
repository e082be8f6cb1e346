"""Draft invoices: the billing models, built for one period and bill group at a time."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets
from pydantic import Field

from orchestration.lib.billing import bill
from orchestration.lib.dbt_arguments import BILLING_SELECTION
from orchestration.lib.manifest import load_manifest
from orchestration.lib.report import INVOICE_RUN_ASSET
from orchestration.lib.subsets import refuse_parts
from orchestration.lib.translator import RatehouseTranslator

invoice_run = dg.AssetSpec(
    INVOICE_RUN_ASSET,
    deps=[dg.AssetKey(["billing", "draft_invoice"])],
    group_name="runs",
    description="Drafts of a period and bill group: invoices, totals, what changed.",
)


class BillingConfig(dg.Config):
    """Options of a billing run."""

    period: str = Field(
        default="",
        description="The month the period starts in, as YYYY-MM. Empty: last month.",
    )
    bill_group: str = Field(
        default="all", description="A bill group, or `all` for each of them in turn."
    )
    dry_run: bool = Field(
        default=True,
        description="true: only show what would be drafted. false: write the drafts.",
    )


@dbt_assets(
    name="billing_models",
    manifest=load_manifest(),
    select=BILLING_SELECTION,
    dagster_dbt_translator=RatehouseTranslator(),
    pool="warehouse",
)
def billing_models(context: dg.AssetExecutionContext, config: BillingConfig) -> Iterator[Any]:
    """Draft the invoices of a period (or preview them)."""
    refuse_parts(context, "ratehouse bill (job billing_run)")
    yield from bill(context, config.period, config.bill_group, dry_run=config.dry_run)
