"""The upload page over a warehouse of its own, and a visitor who fills in its forms."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from loaders.database import connect
from loaders.reference import load_reference
from orchestration.upload.app import create_app

TOKEN = "a-token-of-the-tests-that-is-long-enough"
# A layout nobody knows: times of day apart, German words, decimal commas.
UNKNOWN = (
    "Wann;Rufnummer A;Rufnummer B;Sek;Kosten\n"
    "31.10.2026 09:15:30;+442079460001;+442079460101;61;0,0450\n"
    "31.10.2026 09:20:00;+442079460001;+442079460102;30;0,0200\n"
)
MEANINGS = {
    "Wann": "start_time", "Rufnummer A": "calling_number", "Rufnummer B": "called_number",
    "Sek": "duration", "Kosten": "carrier_amount",
}  # fmt: skip
SETTINGS = {
    "source_code": "acme_daily", "carrier_code": "acme", "time_zone": "Europe/Berlin",
    "date_order": "dmy", "decimal_mark": ",", "number_plan": "e164",
    "direction_mode": "outbound", "currency_code": "EUR", "usage_type": "voice",
}  # fmt: skip


class Visitor:
    """A browser without scripts: it keeps its cookie and sends forms as they were shown."""

    def __init__(self, url: str, folder: Path, connection: Any, **options: Any) -> None:
        self.folder = folder
        self.connection = connection
        self.client = TestClient(
            create_app(url, token=TOKEN, folder=folder, **options),
            base_url="http://127.0.0.1:3001",
        )
        self.page = ""
        self.status = 0

    def see(self, response: Any) -> Any:
        self.page, self.status = response.text, response.status_code
        return response

    def enter(self) -> None:
        self.see(self.client.get(f"/?token={TOKEN}"))

    def mark(self) -> str:
        """The mark that the forms of the page carry."""
        found = re.search(r'name="form_mark"[^>]*value="([0-9a-f]{64})"', self.page)
        assert found, self.page
        return found[1]

    def upload(self, content: bytes | str, name: str = "calls.csv", **fields: str) -> str:
        """Send a file from page 1; the address of its page."""
        self.see(self.client.get("/"))
        data = {"form_mark": self.mark(), "source": "", "kind": "cdr"} | fields
        sent = content.encode() if isinstance(content, str) else content
        response = self.see(self.client.post("/upload", data=data, files={"file": (name, sent)}))
        return response.url.path

    def post(self, path: str, **fields: str) -> Any:
        return self.see(self.client.post(path, data={"form_mark": self.mark()} | fields))

    def columns(self) -> dict[str, str]:
        """Name of the column -> name of its select."""
        return {
            unescape(name): field
            for field, name in re.findall(r'<label for="(column_\d+)">([^<]*)</label>', self.page)
        }

    def mean(self, path: str, meanings: dict[str, str], **settings: str) -> Any:
        """Say what the columns mean, the way the page shows them."""
        columns = {field: "" for field in self.columns().values()}
        columns |= {self.columns()[name]: meaning for name, meaning in meanings.items()}
        shown = {
            name: re.search(rf'name="{name}"[^>]*value="(\w+)"', self.page)[1]
            for name in ("shown_delimiter", "shown_first_line")
        }
        fields = {
            "delimiter": shown["shown_delimiter"], "first_line": shown["shown_first_line"],
        }  # fmt: skip
        return self.post(f"{path}/settings", **(SETTINGS | shown | fields | columns | settings))

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall()

    def text(self) -> str:
        """The page without its tags, on one line."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.page)).split())


def declare(connection: Any, folder: Path, *rows: str) -> None:
    """Sources somebody declared before."""
    path = folder / "source.csv"
    path.write_text("\n".join(("source_code,carrier_code,file_kind,layout_code", *rows)) + "\n")
    load_reference(connection, "source", path)


@pytest.fixture
def visitor(
    module_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Visitor]:
    """Somebody who has been let in."""
    monkeypatch.setenv("RATEHOUSE_ORIGINALS_URL", (tmp_path / "originals").as_uri())
    with contextlib.closing(connect(url=module_database)) as connection:
        found = Visitor(module_database, tmp_path / "uploads", connection, maximum_megabytes=1)
        found.enter()
        yield found
