"""A pack checked: whole in itself, and what the database says today."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loaders.evidence.pack import MANIFEST, MODELS, SCHEMA, EvidenceRefused, write_pack

# Grows after the pack was written, and may: what is in the pack must still be there.
_GROWS = frozenset({"events.csv", "approvals.csv", "gates.csv"})
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """What one check of one member found."""

    member: str
    is_good: bool
    words: str


@dataclass(frozen=True)
class Verification:
    """All findings about a pack."""

    path: Path
    invoice_run_id: int
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        return all(finding.is_good for finding in self.findings)


def verify_pack(connection: Any, path: Path, *, root: Path | None = None) -> Verification:
    """Check every member against the manifest, then against the database."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            manifest = _read_manifest(path, archive)
            contents = {name: archive.read(name) for name in names if name != MANIFEST}
    except FileNotFoundError as error:
        raise EvidenceRefused(f"there is no file {path}") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise EvidenceRefused(f"{path} cannot be read as a zip: {error}") from error
    findings = _whole(manifest, names, contents)
    run_id = manifest["invoice_run_id"]
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "again.zip"
        try:
            write_pack(connection, run_id, again, root=root)
        except EvidenceRefused as error:
            findings.append(Finding("run.csv", False, f"the database: {error}"))
        else:
            with zipfile.ZipFile(again) as archive:
                now = _read_manifest(again, archive)
                findings += _head(manifest, now)
                for name in sorted(now["members"]):
                    if name in contents:
                        findings.append(_compare(name, contents[name], archive.read(name)))
    return Verification(path, run_id, tuple(findings))


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        manifest = json.loads(archive.read(MANIFEST))
    except (KeyError, ValueError) as error:
        raise EvidenceRefused(f"{path} has no manifest that can be read") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise EvidenceRefused(f"{path} is no pack of evidence of this kind ({SCHEMA})")
    return manifest


def _whole(manifest: dict[str, Any], names: list[str], contents: dict[str, bytes]) -> list[Finding]:
    findings = []
    for name, told in manifest["members"].items():
        if name not in contents:
            findings.append(Finding(name, False, "is missing from the pack"))
        elif hashlib.sha256(contents[name]).hexdigest() != told["sha256"]:
            findings.append(Finding(name, False, "was changed: it is not what the manifest says"))
    for name, count in Counter(names).items():
        if name != MANIFEST and name not in manifest["members"]:
            findings.append(Finding(name, False, "was added: the manifest does not know it"))
        if count > 1:
            findings.append(Finding(name, False, f"is in the pack {count} times"))
    if not findings:
        findings.append(
            Finding(MANIFEST, True, f"{len(contents)} members are what the manifest says")
        )
    return findings


def _head(manifest: dict[str, Any], now: dict[str, Any]) -> list[Finding]:
    """What the manifest says itself, beside its members."""
    findings = []
    for name in ("period", "bill_group", "round", "status", "statement"):
        if manifest.get(name) != now[name]:
            words = f"{name} is {manifest.get(name)!r} here and {now[name]!r} in the database"
            findings.append(Finding(MANIFEST, False, words))
    return findings


def _compare(name: str, told: bytes, now: bytes) -> Finding:
    if told == now:
        return Finding(name, True, "as in the database")
    if name == MODELS:
        # Not of the database; the code of another commit may lie here.
        is_commit = b",commit\n" in told and b",commit\n" in now
        words = "the code of the commit is another one" if is_commit else "other code lies here"
        return Finding(name, not is_commit, words)
    before, after = _rows(told), _rows(now)
    gone, new = before - after, after - before
    if name in _GROWS and not gone:
        return Finding(name, True, f"as in the database, which has {new.total()} more by now")
    words = [f"{gone.total()} row(s) are not so in the database"] if gone else []
    words += [f"{new.total()} row(s) of the database are not so here"] if new else []
    shown = [" | ".join(row) for row in list(gone)[:_SHOWN]]
    return Finding(name, False, "; ".join(words) + ("".join(f"\n  {row}" for row in shown)))


def _rows(content: bytes) -> Counter[tuple[str, ...]]:
    text = content.decode("utf-8", errors="replace")
    return Counter(tuple(row) for row in csv.reader(io.StringIO(text, newline="")))
