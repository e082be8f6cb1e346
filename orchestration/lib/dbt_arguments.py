"""The tags by which the models of a run are selected."""

from __future__ import annotations

RATING_TAG = "rating"
BILLING_TAG = "billing"
RATING_SELECTION = f"tag:{RATING_TAG}"
BILLING_SELECTION = f"tag:{BILLING_TAG}"
