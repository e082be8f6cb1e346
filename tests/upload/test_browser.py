"""The page in a real browser: an operator uploads a file nobody knows and imports it."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from loaders.database import connect
from orchestration.upload.app import create_app
from tests.upload.conftest import MEANINGS, SETTINGS, TOKEN, UNKNOWN

_CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
def address(module_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page, served as `ratehouse upload` serves it."""
    monkeypatch.setenv("RATEHOUSE_ORIGINALS_URL", (tmp_path / "originals").as_uri())
    app = create_app(
        module_database, token=TOKEN, folder=tmp_path / "uploads", maximum_megabytes=1
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        failures: list[str] = []
        page.on("console", lambda said: said.type == "error" and failures.append(said.text))
        # Pages that ask again (no token yet, a mistake in a form) say so by their status.
        asked_again = re.compile(r"Failed to load resource: .* status of (401|422) .*")
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
        browser.close()
        assert [text for text in failures if not asked_again.fullmatch(text)] == []


def photograph(page: Page, name: str) -> None:
    """A picture for a person, where RATEHOUSE_TEST_PICTURES names a folder."""
    folder = os.environ.get("RATEHOUSE_TEST_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_an_operator_imports_a_file_nobody_knows(
    address: str, page: Page, tmp_path: Path, module_database: str
) -> None:
    file = tmp_path / "anrufe oktober.csv"
    file.write_text(UNKNOWN)

    page.goto(address)
    photograph(page, "0_token")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Enter").click()

    expect(page.get_by_role("heading", name="Upload a file")).to_be_visible()
    assert "token" not in page.url
    page.get_by_label("Period").fill("2026-10")
    page.get_by_label("Your name").fill("Ada")
    dropped = page.evaluate_handle(
        "() => { const all = new DataTransfer();"
        " all.items.add(new File(['a'], 'dropped.csv')); return all; }"
    )
    page.locator("#drop").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.locator("#chosen")).to_contain_text("dropped.csv")
    page.get_by_label("Choose a file").set_input_files(file)
    expect(page.locator("#chosen")).to_contain_text("anrufe oktober.csv")
    photograph(page, "1_choose")
    page.get_by_role("button", name="Upload and preview").click()

    expect(page.get_by_role("status")).to_contain_text("The layout of the file is not known")
    for name, meaning in MEANINGS.items():
        page.get_by_label(name, exact=True).select_option(meaning)
    page.get_by_label("Carrier").fill(SETTINGS["carrier_code"])
    page.get_by_label("Name of the source").fill(SETTINGS["source_code"])
    page.get_by_label("Numbers are written as in").select_option("e164")
    page.get_by_label("Direction").select_option("outbound")
    page.get_by_label("Currency", exact=True).fill("EUR")
    page.get_by_role("button", name="Preview with these settings").click()
    expect(page.locator(".error")).to_contain_text("In which time zone")
    photograph(page, "2_mistake")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Preview with these settings").click()

    # Berlin is one hour ahead of UTC on that day: summer time has just ended.
    record = page.get_by_role("row", name="2026-10-31 08:15:30")
    expect(record).to_contain_text("442079460101")
    expect(record).to_contain_text("not found")
    photograph(page, "3_preview")
    page.get_by_label("Note").fill("first file of acme")
    page.get_by_role("button", name="Save the source and import").click()

    expect(page.get_by_role("status")).to_contain_text("Imported: 2 records")
    photograph(page, "4_result")
    file_id = int(page.locator("#file-id").inner_text())
    connection = connect(url=module_database)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select source_code, file_name, status, data_count from control.file "
            "where file_id = %s",
            (file_id,),
        )
        assert cursor.fetchone() == ("acme_daily", "anrufe oktober.csv", "landed", 2)
        cursor.execute(
            "select actor, detail ->> 'period', detail ->> 'note' from control.event "
            "where subject = 'file' and subject_id = %s and event = 'uploaded'",
            (file_id,),
        )
        assert cursor.fetchone() == ("Ada", "2026-10", "first file of acme")
        cursor.execute(
            "select calling_number, called_number, duration from landing.mapped_usage "
            "where file_id = %s and line_no = 2",
            (file_id,),
        )
        assert cursor.fetchone() == ("+442079460001", "+442079460101", "61")
    connection.close()
    page.get_by_role("link", name="Upload another file").click()
    expect(page.get_by_label("Carrier")).to_contain_text("acme_daily")
