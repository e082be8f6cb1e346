"""A pack of evidence as a zip: every member with its sha256 in the manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extras import DictCursor

from loaders import settings
from loaders.errors import RatehouseError
from loaders.evidence import queries
from loaders.export.archive import Counted, zip_entry
from loaders.runs.schemas import relation_exists

SCHEMA = "ratehouse.evidence/1"
MANIFEST = "manifest.json"
MODELS = "models.csv"
_CODE_FOLDERS = ("dbt_project/models", "macros", "seeds", "loaders", "orchestration")


class EvidenceRefused(RatehouseError):
    """No pack can be made of this."""


@dataclass(frozen=True)
class EvidencePack:
    """What was written."""

    path: Path
    invoice_run_id: int
    status: str
    sha256: str
    statement: str
    members: Mapping[str, Mapping[str, Any]]


def write_pack(
    connection: Any, invoice_run_id: int, to: Path, *, root: Path | None = None
) -> EvidencePack:
    """Write the evidence of a billing run; the file appears whole or not at all."""
    if to.suffix.lower() != ".zip":
        raise EvidenceRefused(f"{to} does not end in .zip; a pack of evidence is a zip archive")
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with _reading(connection) as cursor:
            run = _read_run(cursor, invoice_run_id)
            values = _values(cursor, run)
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                members = {
                    name: _write_query(cursor, archive, name, words, query, values)
                    for name, words, query in queries.MEMBERS
                }
                members[MODELS] = _write_models(
                    archive, run["code_commit"], root or settings.project_root()
                )
                statement = _statement(cursor, values)
                manifest = {
                    "schema": SCHEMA,
                    "invoice_run_id": invoice_run_id,
                    "period": f"{run['period_month']:%Y-%m}",
                    "bill_group": run["bill_group"],
                    "round": run["round_no"],
                    "status": run["status"],
                    "code_commit": run["code_commit"],
                    "statement": statement,
                    "members": members,
                }
                with archive.open(zip_entry(MANIFEST), "w") as stream:
                    stream.write(
                        (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
                    )
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)
    return EvidencePack(to, invoice_run_id, run["status"], file_sha256(to), statement, members)


def file_sha256(path: Path) -> str:
    """Fingerprint of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _reading(connection: Any) -> Any:
    """One view of the data, told in UTC."""
    connection.rollback()
    before = connection.isolation_level
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    try:
        with connection.cursor(cursor_factory=DictCursor) as cursor:
            cursor.execute("set local timezone to 'UTC'")
            cursor.execute("set local datestyle to 'ISO, YMD'")
            yield cursor
    finally:
        connection.rollback()
        connection.set_session(isolation_level=before, readonly=False)


def _read_run(cursor: Any, invoice_run_id: int) -> Mapping[str, Any]:
    cursor.execute(
        "select period_month, bill_group, round_no, reference_cutoff, code_commit, rating_runs, "
        "drafted_at, is_building, "
        "case when status = 'posted' then 'posted' else 'draft' end as status "
        "from control.invoice_run where invoice_run_id = %s and build_schema = ''",
        (invoice_run_id,),
    )
    run = cursor.fetchone()
    if run is None:
        raise EvidenceRefused(f"there is no invoice run {invoice_run_id}")
    if run["drafted_at"] is None or run["is_building"] or run["rating_runs"] is None:
        raise EvidenceRefused(
            f"invoice run {invoice_run_id} has no finished draft: there is nothing to prove yet"
        )
    with_key = {**dict(run), "invoice_run_id": invoice_run_id}
    for schema, name in (("rating", "usage_supersession"), ("rating", "charge_supersession")):
        if not relation_exists(cursor, "", schema, name):
            raise EvidenceRefused("this warehouse has rated nothing yet: there is no evidence")
    return with_key


def _values(cursor: Any, run: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "run_id": run["invoice_run_id"],
        "runs": list(run["rating_runs"]),
        "period": run["period_month"],
        "known_until": run["reference_cutoff"],
        "files": [],
    }
    cursor.execute(queries.FILES, values)
    values["files"] = [row["file_id"] for row in cursor.fetchall()]
    return values


def _write_query(
    cursor: Any,
    archive: zipfile.ZipFile,
    name: str,
    words: str,
    query: str,
    values: Mapping[str, Any],
) -> dict[str, Any]:
    asked = cursor.mogrify(query, values).decode()
    with archive.open(zip_entry(name), "w", force_zip64=True) as stream:
        counted = Counted(stream)
        cursor.copy_expert(
            f"copy (\n{asked}\n) to stdout with (format csv, header true, encoding 'UTF8')",
            counted,
        )
    return {
        "what": words, "rows": cursor.rowcount, "bytes": counted.byte_count,
        "sha256": counted.sha256(),
    }  # fmt: skip


def _write_models(archive: zipfile.ZipFile, commit: str | None, root: Path) -> dict[str, Any]:
    """Fingerprints of the code that drafted: of its commit, or where that is not at hand, of the
    files as they lie here."""
    found = re.match(r"[0-9a-f]{7,40}", commit or "")
    rows = _of_commit(found.group(), root) if found else None
    where = "commit" if rows is not None else "disk"
    if rows is None:
        rows = [
            (path.relative_to(root).as_posix(), file_sha256(path))
            for folder in _CODE_FOLDERS
            for path in (root / folder).rglob("*")
            if path.is_file() and path.suffix in (".sql", ".yml", ".csv", ".py", ".toml")
        ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "fingerprint", "taken_from"])
    writer.writerows([*row, where] for row in sorted(rows))
    content = text.getvalue().encode()
    with archive.open(zip_entry(MODELS), "w") as stream:
        stream.write(content)
    return {
        "what": f"models, macros, seeds and code ({where})", "rows": len(rows),
        "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip


def _of_commit(commit: str, root: Path) -> list[tuple[str, str]] | None:
    try:
        done = subprocess.run(
            ["git", "ls-tree", "-r", "--full-tree", commit, "--", *_CODE_FOLDERS],
            cwd=root, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0 or not done.stdout:
        return None
    rows = (line.split("\t", 1) for line in done.stdout.splitlines())
    return [(path, kind.split()[2]) for kind, path in rows]


def _statement(cursor: Any, values: Mapping[str, Any]) -> str:
    """The balance in one sentence, from the control totals."""
    cursor.execute(dict((m[0], m[2]) for m in queries.MEMBERS)["control_totals.csv"], values)
    totals = cursor.fetchall()
    by_part: dict[int, list[Any]] = {}
    for row in totals:
        by_part.setdefault(row["part"], []).append(row)
    (received,) = by_part[2]
    ends = [row for part in (3, 4, 5) for row in by_part.get(part, ()) if row["value"]]
    (missing,) = by_part[6]
    words = " + ".join(f"{row['value']:,} {row['name'].replace('_', ' ')}" for row in ends) or "0"
    balance = "balanced" if not missing["value"] else f"{missing['value']:,} not accounted for"
    money = "; ".join(
        f"{name} " + ", ".join(f"{row['value']:,} {row['detail']}" for row in by_part[part])
        for part, name in ((9, "drafted"), (10, "posted"), (11, "carried"))
        if by_part.get(part)
    )
    (files,) = by_part[1]
    return (
        f"{received['value']:,} records received in {files['value']} files = {words}: {balance}"
        + (f". {money[0].upper()}{money[1:]}." if money else ".")
    )
