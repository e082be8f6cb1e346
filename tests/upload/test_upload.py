"""The upload page without a browser: who is let in, what is taken, shown, refused and imported."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestration.upload.receiving import plain_name
from orchestration.upload.security import read_or_make_token, token_file
from tests.loaders import samples
from tests.upload.conftest import MEANINGS, SETTINGS, TOKEN, UNKNOWN, Visitor, declare


def known(first: int, count: int = 2) -> str:
    """A file whose header words say what its columns are; other numbers are other calls."""
    return samples.lines(
        samples.MAPPED_HEADER, *(samples.mapped(number) for number in range(first, first + count))
    )


# -- the door ------------------------------------------------------------------------------------


def test_without_the_token_nobody_sees_or_does_anything(visitor: Visitor) -> None:
    path = visitor.upload(known(0))
    stranger = TestClient(visitor.client.app, base_url="http://127.0.0.1:3001")
    for address in ("/", path, "/?token=wrong", "/uploads/x", "/nowhere"):
        assert stranger.get(address).status_code == 401, address
    for address in ("/upload", f"{path}/confirm", f"{path}/discard", f"{path}/settings"):
        assert stranger.post(address, data={}).status_code == 401, address
    stranger.cookies.set(next(iter(visitor.client.cookies)), f"{'0' * 32}.{'0' * 64}")
    assert stranger.get("/").status_code == 401
    assert stranger.post("/enter", data={"token": "wrong"}).status_code == 401
    assert stranger.post("/enter", data={"token": TOKEN}).status_code == 200
    assert visitor.rows("select 1 from control.file where file_name = 'calls.csv'") == []


def test_the_token_leaves_the_address_and_stays_out_of_the_cookie(visitor: Visitor) -> None:
    fresh = TestClient(visitor.client.app, base_url="http://127.0.0.1:3001")
    response = fresh.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert TOKEN not in response.headers["set-cookie"]


def test_other_sites_cannot_act_in_a_visitors_name(visitor: Visitor) -> None:
    path = visitor.upload(known(10))
    mark = visitor.mark()
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        sent = visitor.client.post(
            f"{path}/confirm", data={"form_mark": mark}, headers=headers
        )
        assert sent.status_code == 403, headers
    for wrong in ("", "0" * 64):
        assert visitor.client.post(f"{path}/confirm", data={"form_mark": wrong}).status_code == 403
        assert visitor.client.post(f"{path}/discard", data={"form_mark": wrong}).status_code == 403
        refused = visitor.client.post(
            "/upload", data={"form_mark": wrong, "kind": "cdr"}, files={"file": ("a", b"a,b\n")}
        )
        assert refused.status_code == 403
    # The mark of another session is another mark.
    other = TestClient(visitor.client.app, base_url="http://127.0.0.1:3001")
    other.get(f"/?token={TOKEN}")
    assert other.post(f"{path}/confirm", data={"form_mark": mark}).status_code == 403
    assert [folder.name for folder in visitor.folder.iterdir()] == [path.rsplit("/", 1)[-1]]
    same_origin = {"origin": "http://127.0.0.1:3001", "sec-fetch-site": "same-origin"}
    done = visitor.client.post(f"{path}/discard", data={"form_mark": mark}, headers=same_origin)
    assert done.status_code == 200


def test_every_answer_tells_browsers_to_be_careful(visitor: Visitor) -> None:
    stranger = TestClient(visitor.client.app, base_url="http://127.0.0.1:3001")
    answers = [
        visitor.client.get("/"), visitor.client.get("/nowhere"), stranger.get("/"),
        visitor.client.get("/static/upload.css"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 404, 401, 200]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
    # A name that an attacker points to this machine is none of ours.
    assert visitor.client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_the_token_is_made_once_and_only_the_owner_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    token = read_or_make_token()
    assert len(token) > 30
    assert token_file().stat().st_mode & 0o777 == 0o600
    assert read_or_make_token() == token
    monkeypatch.setenv("RATEHOUSE_UPLOAD_TOKEN", "of-the-operator-0123")
    assert read_or_make_token() == "of-the-operator-0123"
    monkeypatch.setenv("RATEHOUSE_UPLOAD_TOKEN", "short")
    with pytest.raises(Exception, match="at least 16"):
        read_or_make_token()


# -- taking a file -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../etc/cron.d/calls.csv", "..\\..\\calls.csv", "/tmp/calls.csv", "C:\\x\\calls.csv"],
)
def test_a_name_is_no_path(name: str, visitor: Visitor) -> None:
    path = visitor.upload(known(20), name)
    (folder,) = visitor.folder.iterdir()
    assert sorted(entry.name for entry in folder.iterdir()) == ["about.json", "content"]
    assert json.loads((folder / "about.json").read_text())["name"] == "calls.csv"
    assert visitor.client.get(path).status_code == 200
    assert visitor.client.get("/uploads/..%2f..%2fetc").status_code == 404
    assert plain_name("..") == plain_name("a/..") == plain_name("") == "unnamed"


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(visitor: Visitor) -> None:
    visitor.upload(b"x" * (1024 * 1024 + 1))
    assert visitor.status == 413
    assert "larger than 1 MB" in visitor.text()
    assert list(visitor.folder.iterdir()) == []
    visitor.upload(b"x" * 1024 * 1024)
    assert visitor.status == 200


def test_no_file_an_empty_one_and_two_are_refused(visitor: Visitor) -> None:
    visitor.upload(b"")
    assert (visitor.status, "The file is empty." in visitor.text()) == (422, True)
    visitor.see(visitor.client.get("/"))
    data = {"form_mark": visitor.mark(), "source": "", "kind": "cdr"}
    visitor.see(visitor.client.post("/upload", data=data, files={"other": ("a", b"a")}))
    assert visitor.status == 413
    two = [("file", ("a", b"a,b\n")), ("file", ("b", b"a,b\n"))]
    visitor.see(visitor.client.post("/upload", data=data, files=two))
    assert "one file at a time" in visitor.text()
    visitor.see(visitor.client.post("/upload", data=data))
    assert visitor.status == 413
    visitor.upload(known(25), period="2026-13")
    assert (visitor.status, "A month like 2026-10" in visitor.text()) == (422, True)
    visitor.upload(known(25), source="nobody")
    assert visitor.status == 422
    assert list(visitor.folder.iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(visitor: Visitor) -> None:
    visitor.see(visitor.client.get("/"))
    body = (
        f'--b\r\ncontent-disposition: form-data; name="form_mark"\r\n\r\n{visitor.mark()}\r\n'
        '--b\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,'
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    visitor.see(visitor.client.post("/upload", content=body.encode(), headers=headers))
    assert (visitor.status, "ended too early" in visitor.text()) == (413, True)
    assert list(visitor.folder.iterdir()) == []


def test_old_uploads_are_cleaned_up(visitor: Visitor) -> None:
    visitor.upload(known(30))
    (folder,) = visitor.folder.iterdir()
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(folder, (eight_days_ago, eight_days_ago))
    visitor.upload(known(31))
    assert not folder.exists()
    assert len(list(visitor.folder.iterdir())) == 1


# -- preview and import ----------------------------------------------------------------------------


def test_a_recognised_file_is_previewed_and_imported_once(visitor: Visitor) -> None:
    path = visitor.upload(known(40), "alpha.csv", period="2026-10", actor="Ada")
    text = visitor.text()
    assert "2 records would be imported" in text
    assert "Usage with mapped columns" in text and "not declared" in text
    assert "not found waits as an error" in text and "Add the missing service" in text
    assert visitor.rows("select 1 from control.file where file_name = 'alpha.csv'") == []

    visitor.post(f"{path}/confirm", note="from the portal")
    assert "Imported: 2 records." in visitor.text()
    visitor.see(visitor.client.get(path))
    assert "Imported: 2 records." in visitor.text()
    ((file_id, source, status, origin),) = visitor.rows(
        "select file_id, source_code, status, origin from control.file "
        "where file_name = 'alpha.csv'"
    )
    assert (source, status, origin) == ("unassigned_mapped", "landed", "upload:alpha.csv")
    ((actor, detail),) = visitor.rows(
        "select actor, detail from control.event where subject = 'file' and subject_id = %s "
        "and event = 'uploaded'",
        file_id,
    )
    assert actor == "Ada"
    assert (detail["period"], detail["note"], detail["file_type"], detail["status"]) == (
        "2026-10", "from the portal", "cdr", "landed",
    )  # fmt: skip
    # Only what is to be shown is kept here; the bytes are with the originals.
    assert not (visitor.folder / path.rsplit("/", 1)[-1] / "content").exists()

    again = visitor.upload(known(40), "copy.csv")
    assert f"the same bytes landed as file {file_id} (alpha.csv)" in visitor.text()
    assert "repeats alpha.csv:" in visitor.text()
    visitor.post(f"{again}/confirm")
    assert "Held, not rated" in visitor.text() and "ratehouse files release" in visitor.text()


def test_an_unknown_file_is_read_as_the_person_says(visitor: Visitor) -> None:
    path = visitor.upload(UNKNOWN, "anrufe.csv")
    assert "layout of the file is not known" in visitor.text()
    assert "Save the source" not in visitor.text()
    # The separator and the names of the columns were found out.
    assert list(visitor.columns()) == list(MEANINGS)

    visitor.mean(path, MEANINGS, source_code="anrufe", carrier_code="acme")
    text = visitor.text()
    assert "2026-10-31 08:15:30" in text and "61 s" in text and "0.045" in text
    assert "Wann = Start: date and time" in text
    assert visitor.rows("select 1 from reference.source where source_code = 'anrufe'") == []
    visitor.post(f"{path}/confirm")
    assert "Imported: 2 records" in visitor.text()
    ((mapping, options, zone, order),) = visitor.rows(
        "select column_map, layout_options, time_zone, date_order from reference.source "
        "where source_code = 'anrufe' and recorded_to = 'infinity'"
    )
    assert mapping == MEANINGS
    assert options == {"delimiter": "semicolon", "first_line": "names", "usage_type": "voice"}
    assert (zone, order) == ("Europe/Berlin", "dmy")

    # The next file of the carrier needs no questions.
    later = UNKNOWN.replace("31.10.2026", "30.10.2026")
    visitor.upload(later, "next.csv", source="anrufe")
    assert "2026-10-30 08:15:30" in visitor.text()
    assert "What do the columns mean" not in visitor.page
    # And its name is taken.
    other = visitor.upload(UNKNOWN.replace("Wann", "Zeit"), "other.csv")
    visitor.mean(
        other,
        {("Zeit" if name == "Wann" else name): m for name, m in MEANINGS.items()},
        source_code="anrufe",
    )
    assert "There is a source 'anrufe' already" in visitor.text()
    assert "Save the source and import" not in visitor.page


def test_what_is_missing_in_the_mapping_is_asked_for(visitor: Visitor) -> None:
    # Other days than other tests import: it must not be held as a repeat.
    path = visitor.upload(UNKNOWN.replace("31.10.", "28.10."), "fehler.csv")
    visitor.mean(path, {"Sek": "duration"}, source_code="f")
    assert "which column holds the start" in visitor.text()
    visitor.mean(path, MEANINGS | {"Kosten": "duration"}, source_code="f")
    assert "Column 4 has this meaning already" in visitor.text()
    visitor.mean(path, MEANINGS, source_code="f", usage_type="mixed")
    assert "one column must be the usage type" in visitor.text()
    visitor.mean(path, MEANINGS, source_code="f", time_zone="")
    assert "In which time zone" in visitor.text()
    visitor.mean(path, MEANINGS, source_code="Not a code!")
    assert "small letters, digits and _" in visitor.text() and visitor.status == 422
    visitor.mean(path, MEANINGS, source_code="f", date_order="xyz")
    assert visitor.status == 422
    # What only the warehouse can judge is refused there, in the same words as a reference file.
    visitor.mean(path, MEANINGS, source_code="f", time_zone="Europe/Atlantis")
    assert "time zone: Europe/Atlantis is no zone of the IANA list" in visitor.text()
    visitor.mean(path, MEANINGS, source_code="f")
    assert "2 records would be imported" in visitor.text()


def test_the_first_row_and_the_separator_are_the_persons_to_say(visitor: Visitor) -> None:
    headless = "M;2026-10-02 10:00:00;+442079460001;+442079460777;1,5\n" * 2
    path = visitor.upload(headless.replace("00:00", "00:01", 1), "headless.txt")
    assert list(visitor.columns()) == [f"Column {number}" for number in range(1, 6)]
    # Another separator: other columns, so they are asked for again.
    fields = {"delimiter": "comma", "shown_delimiter": "semicolon", "first_line": "values",
              "shown_first_line": "values"}  # fmt: skip
    visitor.post(f"{path}/settings", **(SETTINGS | fields))
    assert list(visitor.columns()) == ["Column 1", "Column 2"]
    fields = {"delimiter": "semicolon", "shown_delimiter": "comma", "first_line": "values",
              "shown_first_line": "values"}  # fmt: skip
    visitor.post(f"{path}/settings", **(SETTINGS | fields))
    meanings = {"Column 2": "start_time", "Column 3": "calling_number",
                "Column 4": "called_number"}  # fmt: skip
    visitor.mean(
        path, meanings, source_code="headless", usage_type="sms", time_zone="UTC",
        date_order="ymd",
    )  # fmt: skip
    text = visitor.text()
    assert "2 records would be imported" in text and "2026-10-02 10:00:01" in text
    assert "sms" in text and "1 parts" in text
    visitor.post(f"{path}/confirm")
    assert "Imported: 2 records" in visitor.text()


def test_good_rows_are_imported_and_bad_ones_stay_listed(visitor: Visitor) -> None:
    content = known(60, 4) + "too,few,fields\n"
    path = visitor.upload(content, "partly.csv")
    text = visitor.text()
    assert "4 records would be imported. 1 lines cannot be read" in text
    assert "Lines that cannot be read" in text and "too,few,fields" in text
    visitor.post(f"{path}/confirm")
    assert "Imported: 4 records. 1 lines could not be read" in visitor.text()
    assert visitor.rows(
        "select f.data_count, q.line_no from control.file as f "
        "inner join landing.quarantine as q on f.file_id = q.file_id "
        "where f.file_name = 'partly.csv'"
    ) == [(4, 6)]


def test_charges_are_mapped_too(visitor: Visitor) -> None:
    content = (
        "Leitung;Was;Ab;Bis;Betrag\n"
        "L-1;Miete;01.10.2026;31.10.2026;12,50\nL-2;Miete;01.10.2026;31.10.2026;1.012,50\n"
    )
    path = visitor.upload(content, "miete.csv", kind="sdr")
    visitor.mean(
        path,
        {"Leitung": "service_key", "Was": "description", "Ab": "period_from", "Bis": "period_to",
         "Betrag": "net_amount"},
        source_code="miete",
    )  # fmt: skip
    text = visitor.text()
    assert "2 records would be imported" in text
    assert "2026-10-01" in text and "12.5" in text and "1012.5" in text
    visitor.post(f"{path}/confirm")
    assert visitor.rows(
        "select source_code, file_kind, layout_code from control.file "
        "where file_name = 'miete.csv'"
    ) == [("miete", "sdr", "carrier_charge")]


def test_a_recognised_layout_can_be_declared_or_overruled(visitor: Visitor) -> None:
    sample = Path(__file__).parents[1] / "golden" / "threecx"
    file = next(path for path in sample.iterdir() if path.suffix != ".json")
    path = visitor.upload(file.read_bytes(), "threecx.log")
    assert "Declare this source" in visitor.text()
    assert "What do the columns mean" not in visitor.page
    settings = {name: value for name, value in SETTINGS.items() if name != "usage_type"}
    visitor.post(
        f"{path}/settings", **(settings | {"layout_code": "threecx", "source_code": "pbx"})
    )
    assert "pbx (new)" in visitor.text()
    assert visitor.post(f"{path}/settings", layout_code="mapped_usage").status_code == 400
    visitor.see(visitor.client.get(path))
    visitor.post(f"{path}/by-hand")
    assert "What do the columns mean" in visitor.page
    visitor.post(f"{path}/by-hand")
    assert "Declare this source" in visitor.text()


def test_an_archive_shows_each_of_its_files(visitor: Visitor) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("one.csv", known(70))
        archive.writestr("two.csv", known(72, 3))
    path = visitor.upload(stream.getvalue(), "both.zip")
    assert "both.zip!one.csv" in visitor.text() and "3 records would be imported" in visitor.text()
    visitor.post(f"{path}/confirm")
    assert "Imported: 3 records." in visitor.text()


def test_what_is_no_text_cannot_be_imported(visitor: Visitor) -> None:
    path = visitor.upload(b"%PDF-1.7 " + bytes(range(256)), "invoice.pdf")
    assert "a PDF document" in visitor.text()
    assert f"{path}/confirm" not in visitor.page and f"{path}/discard" in visitor.page


HOSTILE = "<script>alert(1)</script>"


def test_what_others_wrote_is_shown_as_text(visitor: Visitor) -> None:
    content = UNKNOWN.replace("Kosten", f"{HOSTILE}<b>").replace("0,0450", HOSTILE)
    path = visitor.upload(content + f"{HOSTILE}\n", f"{HOSTILE}\u202egnp.csv", actor=HOSTILE)
    assert HOSTILE not in visitor.page and "&lt;script&gt;" in visitor.page
    assert "\u202e" not in visitor.page
    visitor.mean(
        path, {name: m for name, m in MEANINGS.items() if name != "Kosten"},
        source_code="hostile", currency_code="EUR",
    )  # fmt: skip
    assert visitor.status == 200 and HOSTILE not in visitor.page
    visitor.post(f"{path}/confirm", note=HOSTILE)
    assert "Imported: 2 records" in visitor.text() and HOSTILE not in visitor.page
    visitor.see(visitor.client.get("/"))
    assert HOSTILE not in visitor.page


def test_nobody_ever_sees_a_stack_trace(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = visitor.upload(known(80))

    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a secret detail of the code")

    monkeypatch.setattr("orchestration.upload.work.Warehouse.preview", fail)
    visitor.see(visitor.client.get(path))
    assert visitor.status == 500
    assert "It did not work" in visitor.text() and "Traceback" not in visitor.page
    visitor.see(visitor.client.get("/uploads/" + "0" * 32))
    assert (visitor.status, "not here any more" in visitor.text()) == (404, True)


def test_two_clicks_import_once(visitor: Visitor) -> None:
    path = visitor.upload(known(90), "twice.csv")
    fields = {"form_mark": visitor.mark(), "note": ""}
    with ThreadPoolExecutor(2) as pool:
        clicks = [
            pool.submit(visitor.client.post, f"{path}/confirm", data=fields) for _ in range(2)
        ]
        pages = [click.result().text for click in clicks]
    assert all("Imported: 2 records" in page for page in pages)
    assert visitor.rows(
        "select count(*) from control.event as e inner join control.file as f "
        "on e.subject_id = f.file_id where f.file_name = 'twice.csv' and e.event = 'uploaded'"
    ) == [(1,)]


def test_a_declared_source_is_chosen(visitor: Visitor, tmp_path: Path) -> None:
    declare(visitor.connection, tmp_path, "beta_calls,beta,cdr,mapped_usage")
    visitor.see(visitor.client.get("/"))
    assert "beta: beta_calls (CDR)" in visitor.text()
    assert visitor.page.index("beta_calls") < visitor.page.index("Not declared yet")
    assert "unassigned" not in visitor.page
    path = visitor.upload(known(95), "beta.csv", source="beta_calls")
    assert "What do the columns mean" not in visitor.page
    visitor.see(visitor.client.get("/"))
    assert "Waiting for a decision beta.csv" in visitor.text()
    visitor.post(f"{path}/discard")
    assert visitor.client.get(path).status_code == 404
