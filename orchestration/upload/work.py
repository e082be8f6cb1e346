"""What the page asks of the warehouse: sources, previews, and in the end the import."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from loaders import database, settings
from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.files import Received, load_received
from loaders.files.names import shown
from loaders.files.registry import record_file_event
from loaders.files.session import transaction
from loaders.layouts import LAYOUTS
from loaders.layouts.layout import DELIMITER_NAMES
from loaders.layouts.scaffold import ScaffoldError, Sheet, look_at
from loaders.reference import load_reference
from orchestration.lib.preview import FilePreview, preview_upload
from orchestration.upload.meanings import GENERIC, in_words
from orchestration.upload.store import Upload

# Records, bad lines and suspended records shown of a file.
SHOWN = 50
# Columns of a file a person can be asked about.
MOST_COLUMNS = 200
_SAMPLES = 3

_KINDS = {"cdr": "CDR", "sdr": "SDR", "mixed": "CDR and SDR"}
_STATES = {
    "billed": "billed",
    "not_billable": "not billed",
    "duplicate": "repeats an earlier record",
    "error": "waits as an error",
}


@dataclass(frozen=True)
class DeclaredSource:
    """A row of reference.source that a person may choose."""

    source_code: str
    carrier_code: str
    file_kind: str
    layout_code: str

    @property
    def kind_in_words(self) -> str:
        return _KINDS.get(self.file_kind, self.file_kind)


@dataclass
class FileView:
    """One file of a preview, ready for the page."""

    name: str
    facts: dict[str, Any]
    layout: str = ""
    # (words, tone) of what is to be known first.
    verdict: tuple[str, str] = ("", "good")
    scores: list[tuple[str, str, float]] = field(default_factory=list)
    usage: list[dict[str, Any]] = field(default_factory=list)
    charges: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    bad_lines: list[dict[str, Any]] = field(default_factory=list)
    suspended: list[dict[str, Any]] = field(default_factory=list)
    suspended_count: int = 0
    other_lines: list[tuple[str, int]] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        return self.facts["layout"] is not None

    @property
    def good(self) -> int:
        return self.facts["lines"]["data"]

    @property
    def bad(self) -> int:
        return self.facts["lines"]["quarantined"]


class Warehouse:
    """The database behind the page."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _open(self, role: str | None = None) -> Any:
        return closing(
            database.connect(role=role, url=self.url, application_name="ratehouse upload")
        )

    # -- choosing --------------------------------------------------------------------------------

    def sources(self) -> list[DeclaredSource]:
        """Sources that somebody declared."""
        with self._open() as connection, transaction(connection) as cursor:
            cursor.execute(
                "select source_code, carrier_code, file_kind, layout_code from reference.source "
                "where recorded_to = 'infinity' and valid_during @> now() "
                "and carrier_code <> 'unassigned' order by carrier_code, source_code"
            )
            return [DeclaredSource(*row) for row in cursor.fetchall()]

    def zones(self) -> list[str]:
        """Names of time zones, for suggestions."""
        with self._open() as connection, transaction(connection) as cursor:
            cursor.execute(
                "select name from pg_timezone_names where name ~ '^([A-Z][A-Za-z]+/|UTC$)' "
                "and name !~ '^(posix|Etc|SystemV)/' order by name"
            )
            return [name for (name,) in cursor.fetchall()]

    # -- preview ---------------------------------------------------------------------------------

    def preview(self, upload: Upload) -> list[FileView]:
        """What the file would become, and nothing changed."""
        received = Received(upload.path, upload.name, origin_of(upload))
        if upload.trial:
            self._refuse_known(upload.trial["source_code"])
        with (
            self._open() as connection,
            preview_upload(
                connection,
                self.url,
                received,
                source=upload.source_code or None,
                trial_source=upload.trial or None,
            ) as previews,
        ):
            return [_view(found) for found in previews]

    def _refuse_known(self, source_code: str) -> None:
        if any(source.source_code == source_code for source in self.sources()):
            raise RatehouseError(
                f"There is a source '{source_code}' already. Give this one another name, or start "
                "again and choose that one."
            )

    # -- import ----------------------------------------------------------------------------------

    def land(self, upload: Upload, note: str) -> list[dict[str, Any]]:
        """Declare the source if it is new, land the file, and remember who did it."""
        actor = upload.actor or "upload page"
        with self._open("ratehouse_loader") as connection:
            if upload.trial:
                self._refuse_known(upload.trial["source_code"])
                _declare(connection, upload.trial, actor, note)
                upload.source_code, upload.trial = upload.trial["source_code"], {}
                upload.save()
            results = load_received(
                connection,
                Received(upload.path, upload.name, origin_of(upload)),
                source_code=upload.source_code or None,
            )
            detail = {
                "name": upload.name, "file_type": upload.kind, "period": upload.period or None,
                "source": upload.source_code or None, "bytes": upload.size, "note": note or None,
            }  # fmt: skip
            with transaction(connection) as cursor:
                for result in results:
                    outcome = {"status": result.status, "status_reason": result.status_reason}
                    record_file_event(cursor, result.file_id, "uploaded", detail | outcome, actor)
        return [asdict(result) for result in results]

    def bad_lines(self, file_id: int) -> list[dict[str, Any]]:
        """The first lines of a file that could not be read."""
        with self._open() as connection, transaction(connection) as cursor:
            cursor.execute(
                "select line_no, field_name, reason from landing.quarantine "
                "where file_id = %s order by line_no limit %s",
                (file_id, SHOWN),
            )
            names = ("line_no", "field_name", "reason")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def origin_of(upload: Upload) -> str:
    """Where the registry says that the file came from."""
    return f"upload:{upload.name}"


def _declare(
    connection: Connection, row: Mapping[str, str], actor: str, note: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="ratehouse-source-") as folder:
        path = Path(folder) / f"{row['source_code']}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            writer.writeheader()
            writer.writerow(row)
        loaded = load_reference(connection, "source", path)
    with transaction(connection) as cursor:
        record_event(
            cursor,
            "reference",
            loaded.reference_load_id,
            "declared_in_upload",
            {"source": row["source_code"], "note": note or None},
            actor,
        )


# -- a preview as the page shows it ----------------------------------------------------------------


def _view(found: FilePreview) -> FileView:
    facts = found.facts
    layout = LAYOUTS.get(facts["layout"] or "")
    view = FileView(shown(facts["file"]), facts, layout.title if layout else "")
    view.scores = [
        (code, LAYOUTS[code].title if code in LAYOUTS else code, score)
        for code, score in sorted(facts["scores"].items(), key=lambda item: -item[1])[:5]
        if score > 0
    ]
    view.usage = [_usage(record) for record in found.part("records", SHOWN)]
    view.charges = [_charge(record) for record in found.part("charges", SHOWN)]
    view.bad_lines = list(found.part("quarantine", SHOWN))
    words = _reasons()
    for line in found.part("suspended", SHOWN):
        view.suspended.append(line | words.get(line["reason"], {}))
    for outcome in facts.get("outcome_if_loaded_now", []):
        reason = words.get(outcome["reason"] or "", {})
        view.outcomes.append(
            outcome
            | {
                "state_in_words": _STATES.get(outcome["state"], outcome["state"]),
                "reason_in_words": reason.get("description", outcome["reason"] or ""),
            }
        )
        if outcome["state"] == "error":
            view.suspended_count += outcome["records"]
    view.other_lines = [
        (kind.replace("_", " "), count) for kind, count in facts.get("non_data_kinds", {}).items()
    ]
    view.verdict = _verdict(view)
    return view


def _verdict(view: FileView) -> tuple[str, str]:
    facts = view.facts
    status, why = facts["status"], facts["explanation"]
    if status == "failed":
        return f"The file cannot be taken: {why}.", "bad"
    if facts["status_reason"] == "unknown_layout":
        return "The layout of the file is not known. Say below what its columns mean.", "look"
    if status == "already_loaded":
        return f"Already imported: {why}. Importing it again changes nothing.", "look"
    if status == "held":
        return (
            f"It would be held and not rated, because {why}. A person then decides whether it is "
            "released.",
            "bad",
        )
    if view.bad:
        return (
            f"{view.good:,} records would be imported. {view.bad:,} lines cannot be read; they "
            "would be kept in the list of bad lines.",
            "look",
        )
    if view.suspended_count:
        return (
            f"{view.good:,} records would be imported; {view.suspended_count:,} of them would "
            "wait as errors until what they lack is added.",
            "look",
        )
    return f"{view.good:,} records would be imported.", "good"


def _usage(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "line_no": record["line_no"],
        "type": record["usage_type"],
        "start": (record["start_utc"] or "").replace("T", " ").removesuffix("Z"),
        "from": record["src_number"] or record["src_raw"],
        "to": record["dst_number"] or record["dst_raw"],
        "direction": record["direction"],
        "disposition": (record["disposition"] or "").replace("_", " "),
        "amount": _volume(record),
        "cost": _plain(record["carrier_cost"]),
        **_outcome(record["outcome"]),
    }


def _volume(record: dict[str, Any]) -> str:
    if record["usage_type"] == "voice":
        return "" if record["billable_s"] is None else f"{_plain(record['billable_s'])} s"
    sizes = [record.get("bytes_up"), record.get("bytes_down")]
    if any(size is not None for size in sizes):
        return f"{sum(size or 0 for size in sizes):,.0f} bytes"
    return "" if record.get("quantity") is None else f"{_plain(record['quantity'])} parts"


def _charge(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "line_no": record["line_no"],
        "key": record["service_key"] or record["account_key"],
        "product": record["product_code"] or record["description"],
        "from": record["period_from"],
        "to": record["period_to"],
        "quantity": _plain(record["quantity"]),
        "net": _plain(record["net_amount"]),
        **_outcome(record["outcome"]),
    }


def _outcome(legs: list[dict[str, Any]]) -> dict[str, Any]:
    """Service, what would become of it, and the money, of all legs of a record."""
    service, becomes, money = [], [], []
    for leg in legs:
        if leg["service"]:
            service.append(f"{leg['account']} / {leg['service']}")
        elif leg["reason"] == "service_not_found":
            service.append("not found")
        state = _STATES.get(leg["state"], leg["state"].replace("_", " "))
        if leg.get("repeats"):
            state = f"repeats {shown(leg['repeats'])}"
        elif leg["reason"] and leg["reason"] != "service_not_found":
            state = f"{state}: {leg['reason'].replace('_', ' ')}"
        becomes.append(state)
        if leg["amount"] is not None:
            money.append(f"{_plain(leg['amount'])} {leg['currency']}")
    return {
        "service": list(dict.fromkeys(service)),
        "becomes": list(dict.fromkeys(becomes)),
        "money": money,
        "is_error": any(leg["state"] == "error" for leg in legs),
    }


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


@cache
def _reasons() -> dict[str, dict[str, str]]:
    """What the codes of reasons mean, from the seeds."""
    words: dict[str, dict[str, str]] = {}
    folder = settings.project_root() / "seeds"
    for name, code in (("not_billable_rules", "rule_code"), ("record_reasons", "reason_code")):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                words[row[code]] = {
                    "description": row["description"],
                    "field_name": row.get("field_name") or "",
                    "what_to_do": row.get("what_to_do") or "",
                }
    return words


@cache
def number_plans() -> dict[str, str]:
    """How numbers may be written, from the seed."""
    path = settings.project_root() / "seeds" / "number_plans.csv"
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return {row["number_plan"]: row["description"] for row in rows}


# -- columns ---------------------------------------------------------------------------------------


def columns_of(upload: Upload) -> Sheet | None:
    """The file's columns as they are read now; None if it has none that can be shown."""
    reading = upload.reading
    first_line = reading.get("first_line")
    try:
        sheet = look_at(
            upload.path,
            kind=upload.kind,
            delimiter=DELIMITER_NAMES.get(reading.get("delimiter", "")),
            has_header=None if first_line is None else first_line == "names",
        )
    except ScaffoldError:
        return None
    return sheet if len(sheet.columns) <= MOST_COLUMNS else None


def samples(sheet: Sheet) -> list[tuple[str, list[str]]]:
    """For each column what it is called and some of its values."""
    return [
        (
            (column.header or "").strip() or f"Column {number}",
            list(dict.fromkeys(value[:60] for value in column.values))[:_SAMPLES],
        )
        for number, column in enumerate(sheet.columns, start=1)
    ]


def column_map(sheet: Sheet, meanings: list[str]) -> dict[str, str]:
    """The meanings as a source keeps them: by name where the name is clear, else by place."""
    names = [(column.header or "").strip() for column in sheet.columns]
    folded = [name.casefold() for name in names]
    found = {}
    for number, meaning in enumerate(meanings, start=1):
        if not meaning:
            continue
        name = names[number - 1]
        is_clear = name and not name.isdigit() and folded.count(name.casefold()) == 1
        found[name if is_clear else str(number)] = meaning
    return found


def trial_row(
    kind: str,
    values: Mapping[str, str],
    *,
    layout_code: str | None = None,
    mapping: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """A row of reference.source from the form. What is empty is left to the layout."""
    layout = LAYOUTS[layout_code] if layout_code else GENERIC[kind]
    row = {
        "source_code": values["source_code"],
        "carrier_code": values["carrier_code"],
        "file_kind": layout.file_kind,
        "layout_code": layout.code,
    }
    for name in (
        "time_zone", "date_order", "decimal_mark", "number_plan", "direction_mode",
        "currency_code",
    ):  # fmt: skip
        if values.get(name):
            row[name] = values[name]
    if mapping:
        row["column_map"] = json.dumps(mapping, ensure_ascii=False)
    if options:
        row["layout_options"] = json.dumps(options)
    return row


def mapped_in_words(row: Mapping[str, str]) -> list[tuple[str, str]]:
    """The column map of a trial source, for people."""
    layout = LAYOUTS[row["layout_code"]]
    mapping = json.loads(row.get("column_map", "{}"))
    return [(name, in_words(layout, meaning)) for name, meaning in mapping.items()]
