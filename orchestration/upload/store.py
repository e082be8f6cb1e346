"""Uploads that wait for a decision: the bytes and what is known about them, in a folder each."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loaders.errors import RatehouseError

_ID = re.compile(r"[0-9a-f]{32}")
# What nobody decided about in this time is removed; the loader has its own copy of what landed.
KEPT_SECONDS = 7 * 24 * 3600


class NoSuchUpload(RatehouseError):
    """It was discarded, cleaned up, or never there."""


@dataclass
class Upload:
    """One file that a person sent."""

    upload_id: str
    folder: Path
    # As the sender called it; on disk it has a name of ours.
    name: str = ""
    size: int = 0
    kind: str = "cdr"
    period: str = ""
    actor: str = ""
    # The declared source; empty: not declared, or not yet.
    source_code: str = ""
    # A source that is to be declared with it: reference.source as text. Empty: none.
    trial: dict[str, str] = field(default_factory=dict)
    # How the columns are read that the person is looking at: delimiter, first_line.
    reading: dict[str, str] = field(default_factory=dict)
    # True: the person wants to say what the columns mean though a layout was recognised.
    by_hand: bool = False
    # What landing it came to, once it was confirmed.
    results: list[dict[str, Any]] = field(default_factory=list)
    created_at: float = 0.0

    @property
    def path(self) -> Path:
        return self.folder / "content"

    @property
    def is_done(self) -> bool:
        return bool(self.results)

    def save(self) -> None:
        """Keep it, whole or not at all."""
        about = asdict(self)
        del about["folder"]
        fresh = self.folder / f"about.{secrets.token_hex(4)}"
        fresh.write_text(json.dumps(about), encoding="utf-8")
        fresh.replace(self.folder / "about.json")


class Store:
    """The folder of all uploads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> Upload:
        """A folder for a file that is about to arrive."""
        self.clean()
        upload_id = secrets.token_hex(16)
        folder = self.folder / upload_id
        folder.mkdir(parents=True, mode=0o700)
        return Upload(upload_id, folder, created_at=time.time())

    def get(self, upload_id: str) -> Upload:
        """An upload that has arrived."""
        folder = self.folder / upload_id
        try:
            if _ID.fullmatch(upload_id) is None:
                raise FileNotFoundError
            about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NoSuchUpload(
                "This upload is not here any more: it was discarded, or nobody decided about it "
                "for a week. Upload the file again."
            ) from None
        return Upload(**(about | {"folder": folder}))

    @contextmanager
    def held(self, upload_id: str) -> Iterator[Upload]:
        """The upload as nobody else may change it meanwhile; a second click waits."""
        self.get(upload_id)
        handle = os.open(self.folder / upload_id, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield self.get(upload_id)
        finally:
            os.close(handle)

    def waiting(self) -> list[Upload]:
        """Uploads nobody decided about yet, the newest first."""
        found = []
        for path in self.folder.glob("*/about.json"):
            try:
                upload = self.get(path.parent.name)
            except NoSuchUpload:
                continue
            if not upload.is_done:
                found.append(upload)
        return sorted(found, key=lambda upload: -upload.created_at)

    def discard(self, upload: Upload) -> None:
        """Remove it with its bytes."""
        shutil.rmtree(upload.folder, ignore_errors=True)

    def clean(self) -> None:
        """Remove what is old, and what never arrived whole."""
        for folder in self.folder.glob("*"):
            if _ID.fullmatch(folder.name) is None:
                continue
            try:
                age = time.time() - folder.stat().st_mtime
            except FileNotFoundError:
                continue
            # The folder's time is that of its last file made or renamed.
            if age > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
