"""What a job is about: a tag of the job and of its runs, to filter the pages Jobs and Runs by."""

from __future__ import annotations

_AREA = "area"

FILES = {_AREA: "1-files"}
PRICES = {_AREA: "2-prices-and-customers"}
RATING = {_AREA: "3-rating"}
BILLING = {_AREA: "4-billing"}
REPORTS = {_AREA: "5-reports-and-alerts"}
PROOFS = {_AREA: "6-proofs-and-upkeep"}
AREAS = tuple(area[_AREA] for area in (FILES, PRICES, RATING, BILLING, REPORTS, PROOFS))
