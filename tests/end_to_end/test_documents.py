"""Documents say what the ledger says, to the byte each time; evidence holds, or tells why not."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas
from typer.testing import CliRunner

from loaders import documents, evidence
from loaders.database import connect
from loaders.documents import pdf
from loaders.documents.pdf import write_pdf
from loaders.documents.reading import Document, Selection, select_run
from orchestration.cli.main import app
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.test_posting import Desk, Lines, following, usage
from tests.end_to_end.warehouse import Warehouse

_ACME, _LATER, _EMPTY = "ACME", "LATER", "ΩMEGA"


@pytest.fixture(scope="module")
def office(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """Three accounts, a seller and an address; calls are what a test says was rated."""
    folder = tmp_path_factory.mktemp("documents")
    write_small_reference(folder)
    accounts = [
        {"account_code": _ACME, "customer_name": "Zażółć – Пример – Ω", "plan_code": "P"},
        {"account_code": _LATER, "customer_name": "=HYPERLINK(1)", "plan_code": "P"},
        {"account_code": _EMPTY, "customer_name": "Nothing Ltd", "plan_code": "P"},
    ]
    write_kind(folder, "account", accounts)
    late = {"late_scope": "account", "scope_code": _LATER, "late_rule": "next_invoice"}
    write_kind(folder, "late_policy", [late])
    write_kind(folder, "seller", [_seller()])
    address = {"account_code": _ACME, "address": "1 Long Street|Łódź", "customer_reference": "PO 7"}
    write_kind(folder, "billing_address", [address])
    warehouse = make_warehouse()
    warehouse.load_reference(folder)
    with closing(connect(url=warehouse.url)) as connection:
        yield Office(warehouse, connection)


def _seller(**settings: str) -> Mapping[str, str]:
    return {
        "legal_entity": "*", "seller_name": "Ratehouse Ltd", "seller_address": "2 Hill|Leeds",
        "seller_tax_id": "GB1", "payment_days": "14", "footer_note": "Registered in Leeds",
        "date_style": "words", "currency_style": "symbol",
    } | settings  # fmt: skip


class Office(Desk):
    """A desk whose drafts have rated calls behind them."""

    def rate(
        self, account: str, period: date, calls: Mapping[int, str], again: int | None = None
    ) -> int:
        """A closed rating run with calls by number; of a run rated before, other versions."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(
                "insert into control.rating_run (run_kind, status, reference_cutoff, code_commit, "
                "code_is_dirty, closed_at) "
                "values ('initial', 'closed', now(), 'tested', false, now()) "
                "returning rating_run_id"
            )
            (run_id,) = cursor.fetchone()
            cursor.execute(
                """
                insert into rating.rated_usage (
                    account_id, usage_id, rating_run_id, file_id, line_no, leg_no, source_id,
                    usage_type, direction, record_key_hash, content_hash, state, started_at,
                    calling_number, called_number, calling_class, called_number_class,
                    charge_class, retail_billed_seconds, retail_amount, currency_code,
                    period_month
                )
                select k.account_id, c.usage_id, %(run)s, 1, c.usage_id, 1, 1, 'voice',
                    'outbound', 0, 0, 'billed', %(period)s + interval '1 hour', 12125550100,
                    442079460000, 'e164', 'e164', 'domestic', 60, c.amount, 'USD', %(period)s
                from reference.account_key as k
                cross join unnest(%(calls)s::bigint[], %(amounts)s::numeric[])
                    as c (usage_id, amount)
                where k.account_code = %(account)s
                """,
                {
                    "run": run_id, "period": period, "account": account, "calls": list(calls),
                    "amounts": [Decimal(amount) for amount in calls.values()],
                },
            )  # fmt: skip
            if again is not None:
                cursor.execute(
                    "insert into rating.usage_supersession "
                    "select account_id, usage_id, %s, %s from rating.rated_usage "
                    "where rating_run_id = %s",
                    (again, run_id, run_id),
                )
        return run_id

    def json(self, key: str) -> dict[str, Any]:
        """A document as JSON."""
        return json.loads(self.written(key, "json"))

    def written(self, key: str, kind: str, part: str = "") -> bytes:
        """A document in one format."""
        with documents.snapshot(self.connection):
            selection = documents.find_document(self.connection, key)
        folder = self.warehouse.target / "written"
        files = documents.write_document(self.connection, selection, [kind], folder)
        return next(Path(f.name).read_bytes() for f in files if part in f.name)

    def words(self, key: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What a PDF has on its pages."""
        said: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(Canvas, "drawString", lambda *a, **_: said.append(a[3]))
            patch.setattr(Canvas, "drawCentredString", lambda *a, **_: said.append(a[3]))
            self.written(key, "pdf")
        return said

    def pack(self, run_id: int, name: str = "pack.zip") -> Path:
        return evidence.write_pack(self.connection, run_id, self.warehouse.target / name).path


@pytest.fixture
def month(office: Office) -> date:
    """A month that no other test bills, the one after it neither."""
    office.months += 2
    return date(2010 + office.months // 12, office.months % 12 + 1, 1)


def _lines(amount: str) -> Lines:
    """Calls for ACME."""
    return {_ACME: {("usage", "Calls"): amount}}


def test_document_mart_ledger_and_paper_have_one_total(
    office: Office, month: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.rate(_ACME, month, {1: "0.12345678", 2: "1.11"})
    lines = {
        _ACME: {
            ("usage", "Calls"): "1.23345678", ("discount", "Friends"): "-0.0334567",
            ("tax", "VAT"): "0.24", ("rounding", "Rounding"): "-0.00000008",
        }
    }  # fmt: skip
    run_id = office.draft(month, lines)
    key = f"DRAFT-{month:%Y-%m}-ACME-USD"
    draft, said = office.json(key), office.words(key, monkeypatch)
    assert {"DRAFT INVOICE", "DRAFT", "Draft, not due"} <= set(said)
    office.approve(run_id)
    (posted,) = office.post(run_id).invoices
    label = posted.invoice_label
    told = office.json(label)
    # Only the status and the number are new.
    assert (told["lines"], told["register"]) == (draft["lines"], draft["register"])
    total = Decimal(told["document"]["invoice_total"])
    sums = {
        sum(Decimal(line[name]) for line in told["lines"])
        for name in ("line_amount", "printed_amount")
    }
    ledger = {
        row[0]
        for row in office.rows(
            "select invoice_total from ledger.invoice where invoice_label = %(k)s union all "
            "select invoice_total from marts.fct_ledger_invoice where invoice_label = %(k)s "
            "union all select invoice_total from marts.rpt_invoice__document "
            "where document_key = %(k)s union all "
            "select sum(line_amount) from marts.fct_ledger_line inner join "
            "marts.fct_ledger_invoice using (account_id, invoice_id) where invoice_label = %(k)s "
            "union all select net_amount + tax_amount + rounding_amount "
            "from marts.rpt_invoice__document where document_key = %(k)s".replace(
                "%(k)s", f"'{label}'"
            )
        )
    }
    assert {total, posted.invoice_total} | sums | ledger == {Decimal("1.44")}
    assert [line["printed_amount"] for line in told["lines"]] == [
        "1.233457", "-0.033457", "0.24", "0"
    ]  # fmt: skip
    assert [item["amount"] for item in told["register"]] == ["0.12345678", "1.11"]
    said = office.words(label, monkeypatch)
    assert {"INVOICE", "$1.44", "Amount due", label, "Ratehouse Ltd", "Łódź", "PO 7"} <= set(said)
    assert {"Zażółć – Пример – Ω", "Total before tax", "1.200000", "+442079460000"} <= set(said)
    assert not any("DRAFT" in words for words in said)


def test_a_credit_note_names_its_original_and_what_it_takes_back(
    office: Office, month: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = office.rate(_ACME, month, {11: "2.00", 12: "3.00"})
    (original,) = office.bill(month, _lines("5.00")).invoices
    office.rate(_ACME, month, {11: "0.50"}, again=first)
    (note,) = office.bill(month, _lines("3.50")).invoices
    assert note.invoice_kind == "credit_note"
    told = office.json(note.invoice_label)
    assert told["document"]["adjusts_label"] == original.invoice_label
    assert [
        (line["billed_before"], line["billed_now"], line["line_amount"], line["original_label"])
        for line in told["lines"]
    ] == [("5", "3.5", "-1.5", original.invoice_label)]
    assert [(item["entry"], item["amount"]) for item in told["register"]] == [
        ("taken back", "-2"), ("billed", "0.5")
    ]  # fmt: skip
    said = office.words(note.invoice_label, monkeypatch)
    assert {"CREDIT NOTE", "Adjusts invoice", "-$1.50", "In your favour", "-2.0000"} <= set(said)
    words = f"Billed before 5.00, now 3.50; line 1 of {original.invoice_label}"
    assert any(piece.startswith(words) for piece in said)
    # The invoice is what it was.
    assert [i["amount"] for i in office.json(original.invoice_label)["register"]] == ["2", "3"]


def test_what_was_carried_is_told_with_its_month_and_calls(office: Office, month: date) -> None:
    office.rate(_LATER, month, {21: "1.00"})
    office.bill(month, {_LATER: usage(calls="1.00")})
    office.rate(_LATER, month, {22: "4.00"})
    assert office.bill(month, {_LATER: usage(calls="5.00")}).carried_count == 1
    office.rate(_LATER, following(month), {23: "7.00"})
    run_id = office.draft(following(month), {_LATER: usage(calls="7.00")})
    draft = office.json(f"DRAFT-{following(month):%Y-%m}-LATER-USD")
    office.approve(run_id)
    (posted,) = office.post(run_id).invoices
    told = office.json(posted.invoice_label)
    assert told["lines"] == draft["lines"] and told["register"] == draft["register"]
    assert [(line["section"], line["period_month"]) for line in told["lines"]] == [
        ("Usage", f"{following(month)}"), ("From earlier periods", f"{month}")
    ]  # fmt: skip
    assert sorted((item["amount"], item["period_month"]) for item in told["register"]) == [
        ("4", f"{month}"), ("7", f"{following(month)}")
    ]  # fmt: skip


def test_a_converted_line_says_from_what(
    office: Office, month: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.rate(_ACME, month, {31: "8.00"})
    office.warehouse.execute(
        "update rating.rated_usage set currency_code = 'EUR' where usage_id = 31"
    )
    run_id = office.draft(month, _lines("10.00"))
    office.warehouse.execute(
        "update billing.draft_invoice_line set source_currency_code = 'EUR', source_amount = 8, "
        "exchange_rate = 1.25, exchange_source = 'ecb' where invoice_run_id = %s",
        run_id,
    )
    office.approve(run_id)
    (posted,) = office.post(run_id).invoices
    (item,) = office.json(posted.invoice_label)["register"]
    assert (item["amount"], item["currency_code"]) == ("8", "EUR")
    said = office.words(posted.invoice_label, monkeypatch)
    assert "Converted from 8.00\u00a0EUR at 1.25 (ecb)" in said
    assert "8.0000\u00a0EUR" in said


def test_an_invoice_of_nothing_is_a_document_too(
    office: Office, month: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    (posted,) = office.bill(month, {_EMPTY: usage(calls="0")}).invoices
    told = office.json(posted.invoice_label)
    assert (told["document"]["invoice_total"], told["register"]) == ("0", [])
    assert "$0.00" in office.words(posted.invoice_label, monkeypatch)


def test_csv_has_nothing_that_a_spreadsheet_runs(office: Office, month: date) -> None:
    office.rate(_ACME, month, {41: "1.00"})
    lines = {_ACME: {("usage", "=cmd|' /C calc'!A0"): "1.50", ("discount", "-5 euro"): "-0.50"}}
    (posted,) = office.bill(month, lines).invoices
    text = office.written(posted.invoice_label, "csv", "_lines").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["description"] for row in rows] == ["'=cmd|' /C calc'!A0", "'-5 euro"]
    assert [row["line_amount"] for row in rows] == ["1.5", "-0.5"]
    text = office.written(posted.invoice_label, "csv", "_register").decode()
    (item,) = csv.DictReader(io.StringIO(text))
    assert (item["called_number"], item["amount"]) == ("+442079460000", "1")


def test_the_same_document_has_the_same_bytes_whatever_the_seller_becomes(
    office: Office, month: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.rate(_ACME, month, {51: "1.00"})
    (posted,) = office.bill(month, _lines("1.00")).invoices
    before = {kind: office.written(posted.invoice_label, kind) for kind in documents.FORMATS}
    assert b"ReportLab" not in before["json"] and len(before["pdf"]) < 60_000
    changed = _seller(seller_name="Others Ltd", number_display="masked", number_style="point_comma")
    office.warehouse.load_reference(write_kind(tmp_path, "seller", [changed]), "seller")
    after = {kind: office.written(posted.invoice_label, kind) for kind in documents.FORMATS}
    assert after == before
    # What is posted from now on has the new looks, and masks numbers.
    office.rate(_ACME, following(month), {52: "1000.00"})
    (posted,) = office.bill(following(month), _lines("1000.00")).invoices
    (item,) = office.json(posted.invoice_label)["register"]
    assert item["called_number"] == "+44207946****"
    assert {"Others Ltd", "$1.000,00"} <= set(office.words(posted.invoice_label, monkeypatch))
    office.warehouse.load_reference(write_kind(tmp_path, "seller", [_seller()]), "seller")


class _Call(dict[str, Any]):
    """A row of a register that is counted as long as somebody holds it."""

    alive = 0

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        _Call.alive += 1

    def __del__(self) -> None:
        _Call.alive -= 1


def test_a_register_of_any_length_is_written_as_it_is_read(
    office: Office, month: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.rate(_ACME, month, {61: "1.00"})
    run_id = office.draft(month, _lines("1.00"))
    with documents.snapshot(office.connection):
        selection = select_run(office.connection, run_id)
        (head,) = documents.read_heads(office.connection, selection)
        lines = tuple(documents.read_lines(office.connection, selection))
        with office.connection.cursor() as cursor:
            cursor.execute(
                "select * from marts.rpt_invoice__register where invoice_run_id = %s", (run_id,)
            )
            call = dict(zip((c.name for c in cursor.description), cursor.fetchone(), strict=True))
    most = 0

    def calls() -> Iterator[_Call]:
        nonlocal most
        for _ in range(10_000):
            most = max(most, _Call.alive)
            yield _Call(call)

    kept: list[int] = []

    def look(canvas: Canvas) -> None:
        pages = canvas._doc.Pages.pages
        kept.extend(len(page.Contents.content) + len(page.stream or "") for page in pages)
        Canvas.save(canvas)

    monkeypatch.setattr(pdf._Pages, "save", look)
    stream = io.BytesIO()
    write_pdf(Document(head, lines, calls()), stream)
    content = stream.getvalue()
    assert most < 10
    # What stays of a page until the end is a few kilobytes: it is packed when it is full.
    assert 150 < len(kept) < 250 and max(kept) < 6_000
    assert 150 < content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") < 250
    assert len(content) < 1_000_000


def test_the_documents_of_a_run_in_one_zip(office: Office, month: date, tmp_path: Path) -> None:
    office.rate(_ACME, month, {71: "1.00"})
    office.rate(_EMPTY, month, {72: "2.00"})
    run_id = office.bill(month, {**_lines("1.00"), _EMPTY: usage(calls="2.00")}).invoice_run_id
    selections = [Selection("posted", run_id)]
    paths = [tmp_path / "one.zip", tmp_path / "two.zip"]
    for path in paths:
        written = documents.export_documents(office.connection, selections, ["json", "csv"], path)
        assert len(written) == 6
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        told = [json.loads(archive.read(n)) for n in archive.namelist() if n.startswith("INV")
                and n.endswith(".json")]  # fmt: skip
    assert [[item["amount"] for item in t["register"]] for t in told] == [["1"], ["2"]]


def test_commands_list_show_and_write(
    office: Office, month: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", office.warehouse.url)
    office.rate(_ACME, month, {81: "1.00"})
    posting = office.bill(month, _lines("1.00"))
    (posted,) = posting.invoices

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        return done.output

    (listed,) = json.loads(run("invoice", "list", f"{month:%Y-%m}", "--json"))
    assert (listed["document"], listed["total"]) == (posted.invoice_label, "1.0000")
    assert "Calls" in run("invoice", "show", posted.invoice_label)
    run("invoice", "export", posted.invoice_label, "--format", "all", "--to", str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 4
    pack = tmp_path / "pack.zip"
    assert "posted" in run("evidence", str(posting.invoice_run_id), "--to", str(pack))
    assert "holds" in run("evidence", "verify", str(pack))
    _rewrite(pack, "inputs.csv", b"changed")
    assert "does not hold" in run("evidence", "verify", str(pack), code=3)
    with pytest.raises(documents.DocumentRefused, match="no posted invoice and no draft 'INV-0'"):
        office.json("INV-0")


def test_a_logo_that_is_not_there_is_named(office: Office, month: date, tmp_path: Path) -> None:
    office.rate(_ACME, month, {85: "1.00"})
    office.draft(month, _lines("1.00"))
    gone = _seller(logo_path=str(tmp_path / "logo.png"))
    office.warehouse.load_reference(write_kind(tmp_path, "seller", [gone]), "seller")
    with pytest.raises(documents.DocumentRefused, match="the logo of Ratehouse Ltd cannot be read"):
        office.written(f"DRAFT-{month:%Y-%m}-ACME-USD", "pdf")
    assert not list((office.warehouse.target / "written").glob(".*.part"))
    office.warehouse.load_reference(write_kind(tmp_path, "seller", [_seller()]), "seller")


def _rewrite(path: Path, member: str, content: bytes, *, and_manifest: bool = False) -> None:
    """A pack with another content of a member, and a manifest that says it must be so."""
    import hashlib

    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = content
    if and_manifest:
        manifest = json.loads(contents["manifest.json"])
        manifest["members"][member]["sha256"] = hashlib.sha256(content).hexdigest()
        contents["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def test_evidence_holds_until_somebody_touches_something(office: Office, month: date) -> None:
    first_run = office.rate(_ACME, month, {91: "1.00", 92: "2.00"})
    posting = office.bill(month, _lines("3.00"))
    path = office.pack(posting.invoice_run_id)
    first = path.read_bytes()
    assert office.pack(posting.invoice_run_id).read_bytes() == first

    def wrong() -> dict[str, str]:
        result = evidence.verify_pack(office.connection, path)
        words: dict[str, str] = {}
        for finding in result.findings:
            if not finding.is_good:
                words[finding.member] = words.get(finding.member, "") + finding.words
        assert result.is_whole == (not words)
        return words

    assert wrong() == {}
    with zipfile.ZipFile(path) as archive:
        invoices = archive.read("invoices.csv")
        records = list(csv.DictReader(io.StringIO(archive.read("records.csv").decode())))
        approval = archive.read("approvals.csv").decode()
    assert [(r["records"], Decimal(r["amount"])) for r in records] == [("2", Decimal(3))]
    assert "as agreed" in approval

    _rewrite(path, "invoices.csv", invoices.replace(b"3.0000", b"9.0000"))
    assert wrong()["invoices.csv"].startswith("was changed")
    _rewrite(path, "more.csv", b"")
    assert wrong()["more.csv"].startswith("was added")
    path.write_bytes(first)
    # Even if the manifest was changed along: the database knows better.
    _rewrite(path, "invoices.csv", invoices.replace(b"3.0000", b"9.0000"), and_manifest=True)
    assert list(wrong()) == ["invoices.csv"] and "not so in the database" in wrong()["invoices.csv"]
    path.write_bytes(first)

    # More that happens leaves it true: rated again, adjusted, other events.
    office.rate(_ACME, month, {91: "0.50"}, again=first_run)
    office.bill(month, _lines("2.50"))
    assert wrong() == {}
    # And the database changed behind the guards: the pack tells.
    (old,) = office.rows(
        "select description from ledger.invoice_line inner join ledger.invoice as i "
        "using (account_id, invoice_id) where i.posting_id = %s", posting.posting_id
    )  # fmt: skip
    change = (
        "update ledger.invoice_line as l set description = %s from ledger.invoice as i "
        "where l.account_id = i.account_id and l.invoice_id = i.invoice_id and i.posting_id = %s"
    )
    office.warehouse.execute(change, "else", posting.posting_id, past_the_guards=True)
    assert set(wrong()) == {"invoices.csv", "invoice_lines.csv"}
    office.warehouse.execute(change, old[0], posting.posting_id, past_the_guards=True)
    office.warehouse.execute(
        "update rating.rated_usage set retail_amount = 7 where usage_id = 92", past_the_guards=True
    )
    assert {"records.csv", "control_totals.csv"} <= set(wrong())
