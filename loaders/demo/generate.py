"""Puts the demo together: reference data, files of every source, bad files, manifest."""

import csv
import json
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loaders.demo import carriers, charges
from loaders.demo.customers import Customers, build_customers
from loaders.demo.month import Month
from loaders.demo.numbering import npa_rows, npanxx_rows
from loaders.demo.output import write_manifest
from loaders.demo.prices import (
    DECK_COLUMNS,
    DECKS,
    PLAN_COLUMNS,
    PLANS,
    charge_tariff_rows,
    rate_rows,
)
from loaders.demo.switches import SwitchWriter, write_daily, write_weekly_exports
from loaders.demo.text import words
from loaders.demo.traffic import CallMaker

SOURCE_COLUMNS = words(
    "source_code carrier_code file_kind layout_code time_zone date_order decimal_mark number_plan "
    "direction_mode classify_mode rating_mode cost_deck_code currency_code charge_tariff_code "
    "column_map reject_ceiling_percent"
)
# Shares of the CDRs by source, per thousand; metro_switch takes the rest.
SHARES = {"west_pbx": 220, "freepbx_branch": 30, "carrier_alpha": 150, "carrier_beta_info": 60}


@dataclass(frozen=True)
class DemoOptions:
    """What a person may choose."""

    cdrs: int = 50_000
    charges: int = 500
    seed: int = 1
    month: str = "2026-10"
    dirt_share: float = 0.04


def source_rows() -> list[dict[str, str]]:
    """Give the rows of source.csv."""

    def row(code: str, carrier: str, layout: str, **settings: str) -> dict[str, str]:
        values = {
            "source_code": code,
            "carrier_code": carrier,
            "file_kind": "sdr" if layout == "carrier_charge" else "cdr",
            "layout_code": layout,
            "time_zone": "UTC",
            "date_order": "ymd",
            "decimal_mark": ".",
            "number_plan": "nanp",
            "direction_mode": "indeterminate",
            "classify_mode": "npanxx",
            "rating_mode": "rate",
            "cost_deck_code": "",
            "currency_code": "USD",
            "charge_tariff_code": "",
            "column_map": "{}",
            "reject_ceiling_percent": "50",
        }
        return values | settings

    return [
        row("metro_switch", "own", "asterisk_cdr", cost_deck_code="COST-ALPHA"),
        row(
            "west_pbx",
            "own",
            "asterisk_cdr",
            time_zone="America/Los_Angeles",
            cost_deck_code="COST-BETA",
        ),
        row(
            "freepbx_branch",
            "own",
            "asterisk_cdr",
            time_zone="Europe/London",
            number_plan="uk",
            cost_deck_code="COST-BETA",
        ),
        row(
            "carrier_alpha",
            "ALPHA",
            "mapped_usage",
            date_order="dmy",
            decimal_mark=",",
            number_plan="e164",
            direction_mode="outbound",
            cost_deck_code="COST-ALPHA",
            column_map=json.dumps(carriers.ALPHA_COLUMNS),
        ),
        row(
            "carrier_beta_info",
            "BETA",
            "mapped_usage",
            time_zone="America/New_York",
            date_order="mdy",
            direction_mode="inbound",
            classify_mode="none",
            rating_mode="none",
            column_map=json.dumps(carriers.BETA_COLUMNS),
        ),
        row(
            "alpha_charges",
            "ALPHA",
            "carrier_charge",
            date_order="dmy",
            decimal_mark=",",
            charge_tariff_code="ALPHA-RETAIL",
            column_map=json.dumps(charges.ALPHA_COLUMNS),
        ),
        row(
            "beta_charges",
            "BETA",
            "carrier_charge",
            date_order="mdy",
            charge_tariff_code="BETA-RETAIL",
            column_map=json.dumps(charges.BETA_COLUMNS),
        ),
    ]


def write_reference(folder: Path, month: Month, customers: Customers) -> None:
    """Write one CSV per kind of reference data, columns named as in the database."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(kind: str, rows: Iterable[dict[str, str]]) -> None:
        with (folder / f"{kind}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer: csv.DictWriter[str] | None = None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(stream, list(row), lineterminator="\n")
                    writer.writeheader()
                writer.writerow(row)

    dated = {"valid_from": "", "valid_to": ""}
    write("source", source_rows())
    write("account", customers.account_rows)
    write("service", customers.service_rows)
    write("service_identifier", customers.identifier_rows)
    write("plan", (dict(zip(PLAN_COLUMNS, p, strict=True)) | dated for p in PLANS))
    write(
        "deck",
        (dict(zip(DECK_COLUMNS, d, strict=True)) | {"currency_code": "USD"} | dated for d in DECKS),
    )
    write("rate", rate_rows(month))
    write("npa", npa_rows())
    write("npanxx", npanxx_rows())
    write("charge_tariff", charge_tariff_rows(month))


def _bad_files(files: Path, month: Month) -> list[dict[str, str]]:
    """Add files that must be held or refused."""
    metro = files / "metro_switch"
    whole = metro / f"Master-{month.day(5).isoformat()}.csv"
    resend = metro / f"Master-resend-{month.day(5).isoformat()}.csv"
    shutil.copyfile(whole, resend)
    packed = sorted(metro.glob("Master-*.csv.gz"))[0]
    broken = metro / f"Master-upload-{packed.name.removeprefix('Master-')}"
    data = packed.read_bytes()
    broken.write_bytes(data[: max(32, len(data) * 3 // 5)])
    page = files / "carrier_alpha" / "alpha_portal_error.csv"
    page.write_text(
        "<!DOCTYPE html>\n<html><head><title>Session expired</title></head>\n"
        "<body><p>Please sign in again to download your call records.</p></body></html>\n",
        encoding="utf-8",
    )
    empty = files / "west_pbx" / f"Master-{month.name}-empty.csv"
    empty.write_bytes(b"")
    return [
        {"source": "metro_switch", "file": resend.name, "expected": "same_bytes"},
        {"source": "metro_switch", "file": broken.name, "expected": "truncated_archive"},
        {"source": "carrier_alpha", "file": page.name, "expected": "unknown_layout"},
        {"source": "west_pbx", "file": empty.name, "expected": "empty"},
    ]


def generate(out: Path, options: DemoOptions) -> dict[str, object]:
    """Write the whole demo below a folder and return the manifest."""
    month = Month(options.month)
    customers = build_customers(random.Random(f"{options.seed}:customers"), month)
    write_reference(out / "reference", month, customers)
    files = out / "files"
    counts = {source: options.cdrs * share // 1000 for source, share in SHARES.items()}
    counts["metro_switch"] = options.cdrs - sum(counts.values())

    def rng(name: str) -> random.Random:
        return random.Random(f"{options.seed}:{name}")

    def maker(name: str, sources: tuple[str, ...], **settings) -> CallMaker:
        return CallMaker(rng(f"{name}:calls"), month, customers, sources, **settings)

    def writer(name: str, zone: str, variant: int | str) -> SwitchWriter:
        return SwitchWriter(
            rng(f"{name}:lines"), month, zone, variant, dirt_share=options.dirt_share
        )

    summaries: list[dict[str, object]] = []
    summaries += write_daily(
        files / "metro_switch",
        month,
        writer("metro_switch", "UTC", 18),
        maker("metro_switch", ("metro_switch",)).calls(counts["metro_switch"]),
        "UTC",
        lambda date, number: f"Master-{date.isoformat()}.csv" + (".gz" if number % 6 == 0 else ""),
        overlap_day=10,
    )
    summaries += write_daily(
        files / "west_pbx",
        month,
        writer("west_pbx", "America/Los_Angeles", 21),
        maker("west_pbx", ("west_pbx",), edge_zone="America/Los_Angeles").calls(counts["west_pbx"]),
        "America/Los_Angeles",
        lambda date, number: f"Master-{date.isoformat()}.csv" + (".gz" if number % 9 == 0 else ""),
        overlap_day=17,
    )
    summaries += write_weekly_exports(
        files / "freepbx_branch",
        month,
        writer("freepbx_branch", "Europe/London", "freepbx"),
        maker("freepbx_branch", ("freepbx_branch",), edge_zone="Europe/London").calls(
            counts["freepbx_branch"]
        ),
        "Europe/London",
    )
    summaries += carriers.write_alpha(
        files / "carrier_alpha",
        month,
        rng("carrier_alpha:lines"),
        maker("carrier_alpha", ("carrier_alpha",), outbound_only=True),
        counts["carrier_alpha"],
        options.dirt_share,
    )
    summaries += carriers.write_beta(
        files / "carrier_beta_info",
        month,
        rng("carrier_beta_info:lines"),
        maker("carrier_beta_info", ("metro_switch", "west_pbx")),
        counts["carrier_beta_info"],
    )
    alpha_share = options.charges * 7 // 10
    summaries += charges.write_alpha_charges(
        files / "alpha_charges", month, rng("alpha_charges"), customers, alpha_share
    )
    summaries += charges.write_beta_charges(
        files / "beta_charges",
        month,
        rng("beta_charges"),
        customers,
        options.charges - alpha_share,
    )
    dirt: dict[str, int] = {}
    for summary in summaries:
        for kind, times in summary["dirt"].items():
            dirt[kind] = dirt.get(kind, 0) + times
    manifest: dict[str, object] = {
        "month": options.month,
        "seed": options.seed,
        "cdrs": options.cdrs,
        "charges": options.charges,
        "records": sum(summary["records"] for summary in summaries),
        "dirt": dict(sorted(dirt.items())),
        "files": summaries,
        "bad_files": _bad_files(files, month),
    }
    write_manifest(out / "manifest.json", manifest)
    return manifest
