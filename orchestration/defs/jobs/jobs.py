"""The jobs people start."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.billing.assets import billing_models
from orchestration.defs.landing.assets import land_files
from orchestration.defs.rating.assets import rating_models
from orchestration.defs.reference.assets import load_reference_files

load_reference = dg.define_asset_job(
    name="load_reference",
    selection=dg.AssetSelection.assets(load_reference_files),
    description="Load the reference folder: sources, accounts, services, plans, decks, numbers.",
)

rate_usage = dg.define_asset_job(
    name="rate_usage",
    selection=dg.AssetSelection.assets(land_files, rating_models),
    description="Land what lies in the drop folder and rate it; loops until nothing is left.",
)

billing_run = dg.define_asset_job(
    name="billing_run",
    selection=dg.AssetSelection.assets(billing_models),
    description="Draft the invoices of a period and bill group. Previews unless told otherwise.",
)
