"""How a preview is printed: for a person a page per file, for a program all of it as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from loaders import database
from orchestration.cli.output import LOOK_EXIT_CODE, print_facts, print_table
from orchestration.lib.preview import FilePreview, preview_paths, preview_received

_SHOWN = 10
_USAGE = (
    "line", "type", "start (UTC)", "from", "to", "direction", "outcome", "billable s", "cost",
    "would become",
)  # fmt: skip
_CHARGES = ("line", "service", "product", "from", "to", "quantity", "net amount", "would become")


def preview(
    paths: Sequence[Path], *, source: str | None, as_json: bool, limit: int | None
) -> None:
    """Show what files would become; nothing is changed. Exit code 3: a person should look."""
    url = database.ensure_database()
    with (
        closing(database.connect(url=url)) as connection,
        preview_paths(connection, url, paths, source=source) as previews,
    ):
        if as_json:
            _print_json(previews, limit)
        else:
            for found in previews:
                _print(found, _SHOWN if limit is None else limit)
            if not previews:
                typer.echo("no files")
        look = any(_needs_a_look(found) for found in previews)
    if look:
        raise typer.Exit(LOOK_EXIT_CODE)


def show_received(file_id: int, *, as_json: bool) -> None:
    """Show what a file of the registry would become if it were released now."""
    url = database.ensure_database()
    with (
        closing(database.connect(url=url)) as connection,
        preview_received(connection, url, file_id) as found,
    ):
        if as_json:
            _print_json([found], None)
        else:
            _print(found, _SHOWN)


def _needs_a_look(found: FilePreview) -> bool:
    return found.result.status in ("held", "failed") or found.result.quarantined_count > 0


def _print_json(previews: Sequence[FilePreview], limit: int | None) -> None:
    write = sys.stdout.write
    write("[")
    for number, found in enumerate(previews):
        write(",\n" if number else "")
        for piece in found.to_json(limit):
            write(piece)
    write("]\n")


def _print(found: FilePreview, limit: int) -> None:
    facts = found.facts
    lines = facts["lines"]
    shown: dict[str, Any] = {
        "Status": " ".join(filter(None, (facts["status"].replace("_", " "), _why(facts)))),
        "Layout": f"{facts['layout']} ({facts['variant']})" if facts["layout"] else _scores(facts),
        "Source": facts["source"] or "",
        "Lines": f"{lines['total']:,} = {lines['data']:,} data + {lines['non_data']:,} non-data "
        f"+ {lines['quarantined']:,} quarantined",
    }
    if "states" in facts:
        shown["Records"] = _states(facts["states"])
        shown["If loaded now"] = "; ".join(map(_outcome, facts["outcome_if_loaded_now"]))
    print_facts(facts["file"], shown.items())
    if found.file_id is None:
        return
    usage = [_usage_row(record) for record in found.part("records", limit)]
    if usage:
        print_table("First records", _USAGE, usage)
    charges = [_charge_row(record) for record in found.part("charges", limit)]
    if charges:
        print_table("First charges", _CHARGES, charges)
    for line in found.part("quarantine", limit):
        where = f", {line['field_name']}" if line["field_name"] else ""
        typer.echo(f"line {line['line_no']}{where}: {line['reason']}")


def _why(facts: dict[str, Any]) -> str:
    if not facts["status_reason"]:
        return ""
    return f"({facts['status_reason']}): {facts['explanation']}"


def _scores(facts: dict[str, Any]) -> str:
    best = sorted(facts["scores"].items(), key=lambda item: -item[1])[:5]
    return ", ".join(f"{code} {score:.2f}" for code, score in best)


def _states(states: dict[str, Any]) -> str:
    words = [f"{states['billable']:,} billable"]
    for state in ("not_billable", "duplicate", "error"):
        for reason, count in states[state].items():
            words.append(f"{count:,} {state.replace('_', ' ')} ({reason})")
    return ", ".join(words)


def _outcome(row: dict[str, Any]) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    money = f" = {row['amount']:,.2f} {row['currency']}" if row["amount"] is not None else ""
    return f"{row['records']:,} {row['state'].replace('_', ' ')}{reason}{money}"


def _became(record: dict[str, Any]) -> str:
    legs = []
    for leg in record["outcome"]:
        words = [leg["state"].replace("_", " ")]
        if leg["reason"]:
            words.append(f"({leg['reason']})")
        if leg.get("repeats"):
            words.append(f"of {leg['repeats']}")
        if leg["service"]:
            words.append(f"to {leg['account']}/{leg['service']}")
        if leg["amount"] is not None:
            words.append(f"{leg['amount'].normalize():f} {leg['currency']}")
        legs.append(" ".join(words))
    return "; ".join(legs)


def _usage_row(record: dict[str, Any]) -> list[Any]:
    return [
        record["line_no"],
        record["usage_type"],
        record["start_utc"],
        record["src_number"] or record["src_raw"],
        record["dst_number"] or record["dst_raw"],
        record["direction"],
        record["disposition"],
        record["billable_s"],
        record["carrier_cost"],
        _became(record),
    ]


def _charge_row(record: dict[str, Any]) -> list[Any]:
    return [
        record["line_no"],
        record["service_key"] or record["account_key"],
        record["product_code"] or record["description"],
        record["period_from"],
        record["period_to"],
        record["quantity"],
        record["net_amount"],
        _became(record),
    ]
