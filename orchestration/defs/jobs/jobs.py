"""The jobs people start."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.billing.assets import billing_models
from orchestration.defs.landing.assets import land_files
from orchestration.defs.rating.assets import rating_models
from orchestration.defs.reference.assets import load_reference_files
from orchestration.lib.areas import BILLING, PRICES, RATING

load_reference = dg.define_asset_job(
    name="load_reference",
    selection=dg.AssetSelection.assets(load_reference_files),
    tags=PRICES,
    description="""\
Load every file `<kind>.csv` of the reference folder: sources, customers, services, plans,
prices.

Each file is loaded whole or not at all; rows that are known already change nothing. Records
that waited for them are rated with `reprocess_suspense`.""",
)

rate_usage = dg.define_asset_job(
    name="rate_usage",
    selection=dg.AssetSelection.assets(land_files, rating_models),
    tags=RATING,
    description="""\
Land what lies in the drop folder, and rate everything that is not rated yet.

Look at *files* (what landed, what is held and why), and at the *states* of the run. Again, it
changes nothing. While `ratehouse dev` runs, this starts by itself when files arrive.""",
)

billing_run = dg.define_asset_job(
    name="billing_run",
    selection=dg.AssetSelection.assets(billing_models),
    tags=BILLING,
    description="""\
Draft the invoices of a month, as often as you like. Nothing is sent or posted.

Step 1 of 4: **billing_run**, approve_billing_run, post_billing_run, close_period.

With `dry_run` on it lists what each customer would be billed (*would_be_drafted*). Switch it
off to write the drafts; then look at *gates* (what speaks against posting) and *top_invoices*.""",
)
