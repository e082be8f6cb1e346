"""A document as PDF: pages of lines and a register of any length, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO
from unicodedata import category

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfdoc import PDFName, PDFStream, PDFZCompress
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from loaders.documents import fonts
from loaders.documents.fonts import BOLD, REGULAR
from loaders.documents.reading import Document, DocumentRefused, Row
from loaders.documents.words import Style, decimals_of, size

_MARGIN = 48.0
_FOOT = 56.0
_INK = HexColor("#1B1F24")
_GREY = HexColor("#667078")
_RULE = HexColor("#D5DADE")
_STRIPE = HexColor("#F6F8F9")
_TAKEN_BACK = HexColor("#A33A2C")
_TITLES = {"invoice": "Invoice", "adjustment": "Adjustment", "credit_note": "Credit note"}
_REGISTER_TITLES = {
    "call": "Calls", "message": "Messages", "data": "Data", "other": "Other usage",
    "charge": "Services and fees",
}  # fmt: skip


def write_pdf(document: Document, stream: IO[bytes]) -> None:
    """Write a document; its register is read as the pages are filled."""
    fonts.load()
    _Writer(document).write(stream)


class _Pages(Canvas):
    """A canvas that packs each page as it ends: a register of any length takes little memory."""

    def showPage(self) -> None:  # noqa: N802 - as the base class names it
        super().showPage()
        page = self._doc.Pages.pages[-1]
        packed = PDFStream(content=PDFZCompress.encode(page.stream), filters=[])
        packed.dictionary["Filter"] = PDFName("FlateDecode")
        page.Contents, page.stream = packed, None


@dataclass(frozen=True)
class _Column:
    """A column of a table: where it ends or begins, and what a row has in it."""

    title: str
    share: float
    text: Callable[[Row], str]
    is_right: bool = False


class _Writer:
    """One document on its way to paper."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.head = document.head
        self.style = Style.of(self.head)
        self.width, self.height = LETTER if self.head["page_size"] == "letter" else A4
        self.left, self.right = _MARGIN, self.width - _MARGIN
        self.accent = HexColor(self.head["accent_colour"])
        self.title = _TITLES[self.head["invoice_kind"]]
        self.page = 0
        self.y = 0.0

    def write(self, stream: IO[bytes]) -> None:
        # invariant: neither the time nor the machine gets into the file.
        self.canvas = _Pages(stream, pagesize=(self.width, self.height), invariant=1)
        self.canvas.setTitle(f"{self.title} {self.document.key}")
        self.canvas.setAuthor(self.head["seller_name"])
        self.canvas.setSubject(self.style.month(self.head["period_month"]))
        self.canvas.setCreator("Ratehouse")
        self._begin_page()
        self._letterhead()
        self._summary()
        self._details()
        self._register()
        self._end_page()
        self._page_total()
        self.canvas.save()

    # -- pages ---------------------------------------------------------------------------------

    def _begin_page(self) -> None:
        self.page += 1
        self.y = self.height - _MARGIN
        if self.document.is_draft:
            self._watermark()
        if self.page > 1:
            name = self.head["customer_name"]
            self._text(self.left, self.y, f"{self._heading()} · {name}", 7.5, colour=_GREY)
            self._text(self.right, self.y, self.head["seller_name"], 7.5, colour=_GREY, right=True)
            self.y -= 6
            self._rule(self.y)
            self.y -= 20

    def _end_page(self) -> None:
        self._rule(_FOOT - 14)
        y = _FOOT - 26
        room = self.right - self.left - 130
        self._text(self.left, y, self.head["footer_note"], 7, colour=_GREY, room=room)
        # The number of pages is known at the end: a form that all pages show.
        reserved = fonts.width("000", REGULAR, 7)
        words = f"Page {self.page} of\u00a0"
        self._text(self.right - reserved, y, words, 7, colour=_GREY, right=True)
        self.canvas.saveState()
        self.canvas.translate(self.right - reserved, y)
        self.canvas.doForm("pages")
        self.canvas.restoreState()
        self.canvas.showPage()

    def _page_total(self) -> None:
        self.canvas.beginForm("pages", 0, -3, 40, 10)
        self._text(0, 0, str(self.page), 7, colour=_GREY)
        self.canvas.endForm()

    def _need(self, height: float) -> bool:
        """Room for something; true if that took a new page."""
        if self.y - height >= _FOOT:
            return False
        self._end_page()
        self._begin_page()
        return True

    def _watermark(self) -> None:
        self.canvas.saveState()
        self.canvas.setFillColor(Color(0.5, 0.5, 0.5, alpha=0.07))
        self.canvas.translate(self.width / 2, self.height / 2)
        self.canvas.rotate(52)
        self.canvas.setFont(BOLD, 150)
        self.canvas.drawCentredString(0, -50, "DRAFT")
        self.canvas.restoreState()

    # -- the first page ------------------------------------------------------------------------

    def _heading(self) -> str:
        if self.document.is_draft:
            return f"DRAFT {self.title.lower()}"
        return f"{self.title} {self.head['invoice_label']}"

    def _letterhead(self) -> None:
        head, top = self.head, self.y
        self.canvas.setFillColor(self.accent)
        self.canvas.rect(0, self.height - 8, self.width, 8, stroke=0, fill=1)
        y = top - 8
        if head["logo_path"]:
            y = self._logo(Path(head["logo_path"]), top + 6)
        self._text(self.left, y - 6, head["seller_name"], 13, bold=True, room=280)
        y -= 21
        seller = [*_lines(head["seller_address"]), *_lines(head["seller_contact"])]
        if head["seller_tax_id"]:
            seller.append(f"Tax ID {head['seller_tax_id']}")
        for words in seller:
            self._text(self.left, y, words, 8, colour=_GREY, room=270)
            y -= 11.5
        title = f"DRAFT {self.title}" if self.document.is_draft else self.title
        right_y = top - 16
        self._text(
            self.right, right_y, title.upper(), 19, bold=True, colour=self.accent, right=True
        )
        right_y -= 26
        for name, value in self._facts():
            self._text(self.right - 128, right_y, name, 8, colour=_GREY, right=True)
            self._text(self.right, right_y, value, 8, right=True, room=122, bold=name == "Number")
            right_y -= 13
        self.y = min(y, right_y) - 16
        self._bill_to()

    def _logo(self, path: Path, top: float) -> float:
        try:
            image = ImageReader(str(path))
            wide, high = image.getSize()
        except Exception as error:  # the library has no error of its own
            raise DocumentRefused(
                f"the logo of {self.head['seller_name']} cannot be read: {path} ({error}). Correct "
                "logo_path in the reference data of kind seller"
            ) from error
        scale = min(180 / wide, 42 / high)
        self.canvas.drawImage(
            image, self.left, top - high * scale, wide * scale, high * scale, mask="auto"
        )
        return top - high * scale - 10

    def _facts(self) -> Iterator[tuple[str, str]]:
        head, style = self.head, self.style
        if not self.document.is_draft:
            yield "Number", head["invoice_label"]
            yield "Date", style.day(head["invoice_date"])
        if head["due_date"] is not None:
            yield "Due", style.day(head["due_date"])
        yield "Period from", style.day(head["first_day"])
        yield "to", style.day(head["last_day"])
        yield "Account", head["account_code"]
        if head["customer_reference"]:
            yield "Your reference", head["customer_reference"]
        if head["adjusts_label"]:
            yield "Adjusts invoice", head["adjusts_label"]
            yield "of", style.day(head["adjusts_date"])

    def _bill_to(self) -> None:
        head, top = self.head, self.y
        box = 190.0
        self._text(self.left, self.y, "BILL TO", 7, colour=_GREY, bold=True)
        self.y -= 14
        self._text(self.left, self.y, head["addressee"], 10, bold=True, room=self._inner() - box)
        for words in _lines(head["customer_address"]):
            self.y -= 12
            self._text(self.left, self.y, words, 9, room=self._inner() - box)
        if head["customer_tax_id"]:
            self.y -= 12
            self._text(self.left, self.y, f"Tax ID {head['customer_tax_id']}", 8, colour=_GREY)
        self.canvas.setFillColor(self.accent)
        self.canvas.roundRect(self.right - box, top - 44, box, 54, 4, stroke=0, fill=1)
        white = HexColor("#FFFFFF")
        is_credit = head["invoice_total"] < 0
        words = "In your favour" if is_credit else "Amount due"
        if self.document.is_draft:
            words = "Draft, not due"
        self._text(self.right - box + 14, top - 8, words, 8, colour=white)
        total = self.style.money(head["invoice_total"], head["currency_decimals"])
        self._text(self.right - 14, top - 32, total, 16, bold=True, colour=white, right=True)
        self.y = min(self.y, top - 44) - 30

    # -- summary -------------------------------------------------------------------------------

    def _summary(self) -> None:
        head, style = self.head, self.style
        decimals = head["line_decimals"]
        self._title("Summary")
        taxes: tuple[Row, ...] = ()
        for title, amount, rows in self.document.sections():
            if rows[0]["line_kind"] == "tax" and title == "Taxes":
                taxes = rows
            elif rows[0]["line_kind"] != "rounding":
                self._sum(title, style.amount(amount, decimals))
        if not self.document.lines:
            self._sum("No charges in this period", style.amount(head["net_amount"], decimals))
        self._rule(self.y + 10)
        self._sum("Total before tax", style.amount(head["net_amount"], decimals), bold=True)
        for row in taxes:
            self._sum(_tax_words(row, style), style.amount(row["printed_amount"], decimals))
        if head["rounding_amount"]:
            self._sum(
                "Rounding to the smallest unit of the currency",
                style.amount(head["rounding_amount"], decimals),
            )
        self._need(30)
        self.canvas.setStrokeColor(self.accent)
        self.canvas.setLineWidth(1.2)
        self.canvas.line(self.left, self.y + 10, self.right, self.y + 10)
        self.y -= 5
        total = style.money(head["invoice_total"], head["currency_decimals"])
        self._text(self.left, self.y, "Total", 11, bold=True)
        self._text(self.right, self.y, total, 11, bold=True, right=True)
        self.y -= 24
        payment = _lines(head["payment_details"])
        if payment and head["invoice_total"] > 0 and not self.document.is_draft:
            self._need(20 + 12 * len(payment))
            self._text(self.left, self.y, "PAYMENT", 7, colour=_GREY, bold=True)
            self.y -= 13
            for words in payment:
                self._text(self.left, self.y, words, 8.5, room=self._inner())
                self.y -= 12
            self.y -= 10

    def _sum(self, words: str, amount: str, bold: bool = False) -> None:
        self._need(15)
        self._text(self.left, self.y, words, 9, bold=bold, room=self._inner() - 120)
        self._text(self.right, self.y, amount, 9, bold=bold, right=True)
        self.y -= 15

    # -- details -------------------------------------------------------------------------------

    def _details(self) -> None:
        if not self.document.lines:
            return
        decimals = self.head["line_decimals"]
        columns = self._columns(
            _Column("Description", 0.55, _line_words),
            _Column("Records", 0.11, lambda r: self._records(r), True),
            _Column("Quantity or time", 0.16, lambda r: self._quantity(r), True),
            _Column(
                f"Amount ({self.head['currency_code']})", 0.18,
                lambda r: self.style.amount(r["printed_amount"], decimals), True,
            ),
        )  # fmt: skip
        self.y -= 6
        self._need(90)
        self._title("Details")
        self._table_head(columns)
        for title, amount, rows in self.document.sections():
            if self._need(46):
                self._table_head(columns)
            self._text(self.left, self.y, title, 9, bold=True, colour=self.accent)
            is_one = len(rows) == 1 and rows[0]["description"] == title
            if len(rows) > 1 or is_one:
                words = self.style.amount(amount, decimals)
                self._text(self.right, self.y, words, 9, bold=True, colour=self.accent, right=True)
            self.y -= 14
            for row in () if is_one and not any(self._notes(rows[0])) else rows:
                notes = list(self._notes(row))
                if self._need(13 + 10 * len(notes)):
                    self._table_head(columns)
                self._row(columns, row, 8.5)
                for note in notes:
                    self.y -= 10
                    self._text(self.left + 10, self.y, note, 7, colour=_GREY, room=self._inner())
                self.y -= 13
            self.y -= 4

    def _records(self, row: Row) -> str:
        if row["line_kind"] not in ("usage", "charge"):
            return ""
        return self.style.count(row["record_count"])

    def _quantity(self, row: Row) -> str:
        if row["line_kind"] == "usage" and row["billed_seconds"]:
            return self.style.duration(row["billed_seconds"])
        if row["line_kind"] == "charge":
            return self.style.count(row["quantity"])
        return ""

    def _notes(self, row: Row) -> Iterator[str]:
        """What a reader wants to know about a line, in small letters below it."""
        style = self.style
        if row["period_month"] != self.head["period_month"]:
            yield f"For {style.month(row['period_month'])}"
        if row["base_amount"] is not None and row["percent"] is not None:
            base = style.money(row["base_amount"])
            yield f"{style.count(row['percent'])} % of {base}"
        if row["source_currency_code"] is not None and row["source_amount"] is not None:
            words = f"Converted from {style.amount(row['source_amount'])}\u00a0"
            words += row["source_currency_code"]
            if row["exchange_rate"] is not None:
                words += f" at {style.count(row['exchange_rate'])}"
            if row["exchange_source"]:
                words += f" ({row['exchange_source']}"
                if row["exchange_rate_from"] is not None:
                    words += f", {style.day(row['exchange_rate_from'].date())}"
                words += ")"
            yield words
        if row["billed_before"] is not None:
            words = f"Billed before {style.amount(row['billed_before'])}, "
            words += f"now {style.amount(row['billed_now'])}"
            if row["original_label"]:
                words += f"; line {row['original_line_no']} of {row['original_label']}"
                words += f" of {style.day(row['original_date'])}"
            yield words

    # -- register ------------------------------------------------------------------------------

    def _register(self) -> None:
        rows = iter(self.document.register)
        first = next(rows, None)
        if first is None:
            return
        self._end_page()
        self._begin_page()
        self._title("Itemised register")
        words = (
            f"Every item as it was rated; times in {self.head['time_zone']}. Included usage, "
            "discounts and rounding stand in the details."
        )
        if self.head["invoice_kind"] != "invoice":
            words += " Items in red are taken back."
        self._text(self.left, self.y, words, 7.5, colour=_GREY, room=self._inner())
        self.y -= 20
        kinds = groupby(_chain(first, rows), key=lambda row: row["record_kind"])
        for kind, of_kind in kinds:
            columns = self._register_columns(kind)
            self._need(60)
            self._text(
                self.left, self.y, _REGISTER_TITLES[kind], 9.5, bold=True, colour=self.accent
            )
            self.y -= 15
            self._table_head(columns)
            for number, row in enumerate(of_kind):
                if self._need(11.5):
                    self._table_head(columns)
                if number % 2:
                    self._stripe(11.5)
                is_back = row["entry"] != "billed"
                self._row(columns, row, 7, colour=_TAKEN_BACK if is_back else _INK)
                self.y -= 11.5
            self.y -= 14

    def _register_columns(self, kind: str) -> list[tuple[_Column, float, float]]:
        amount = _Column(f"Amount ({self.head['currency_code']})", 0.15, self._item_amount, True)
        start = _Column("Date and time", 0.19, lambda r: self.style.moment(r["local_time"]))
        calling = _Column("From", 0.17, lambda r: r["calling_number"] or "")
        called = _Column("To", 0.18, lambda r: r["called_number"] or "")
        words = _Column("Destination", 0.21, _item_words)
        if kind == "call":
            length = _Column(
                "Duration", 0.10, lambda r: self.style.duration(r["billed_seconds"] or 0), True
            )
            return self._columns(start, calling, called, words, length, amount)
        if kind == "message":
            number = _Column("Parts", 0.10, lambda r: self.style.count(r["quantity"] or 0), True)
            return self._columns(start, calling, called, words, number, amount)
        if kind == "charge":
            return self._columns(
                _Column("Period", 0.26, self._item_period),
                _Column("Service", 0.17, lambda r: r["service_code"] or ""),
                _Column("Description", 0.30, _item_words),
                _Column("Quantity", 0.10, lambda r: self.style.count(r["quantity"] or 0), True),
                _Column(amount.title, 0.17, self._item_amount, True),
            )
        return self._columns(
            start,
            _Column("Service", 0.20, lambda r: r["service_code"] or ""),
            _Column("Description", 0.30, _item_words),
            _Column("Volume", 0.16, lambda r: self._volume(r), True),
            amount,
        )

    def _volume(self, row: Row) -> str:
        quantity = row["quantity"] or 0
        return size(quantity) if row["record_kind"] == "data" else self.style.count(quantity)

    def _item_amount(self, row: Row) -> str:
        # Four decimals at least: a column of prices of calls reads better.
        decimals = max(4, decimals_of(row["printed_amount"]))
        text = self.style.amount(row["printed_amount"], decimals)
        is_own = row["currency_code"] == self.head["currency_code"]
        return text if is_own else f"{text}\u00a0{row['currency_code']}"

    def _item_period(self, row: Row) -> str:
        if row["period_from"] is None:
            return ""
        first = self.style.short_day(row["period_from"])
        if row["period_to"] in (None, row["period_from"]):
            return first
        return f"{first} – {self.style.short_day(row['period_to'])}"

    # -- pieces --------------------------------------------------------------------------------

    def _inner(self) -> float:
        return self.right - self.left

    def _title(self, words: str) -> None:
        self._text(self.left, self.y, words, 12, bold=True)
        self.y -= 20

    def _columns(self, *columns: _Column) -> list[tuple[_Column, float, float]]:
        """Columns with where they begin and end."""
        placed, x = [], self.left
        for column in columns:
            end = x + column.share * self._inner()
            placed.append((column, x, end))
            x = end
        return placed

    def _table_head(self, columns: Sequence[tuple[_Column, float, float]]) -> None:
        for column, begin, end in columns:
            place = end if column.is_right else begin
            self._text(place, self.y, column.title, 7, colour=_GREY, right=column.is_right)
        self.y -= 5
        self._rule(self.y)
        self.y -= 13

    def _row(
        self,
        columns: Sequence[tuple[_Column, float, float]],
        row: Row,
        points: float,
        colour: Color = _INK,
    ) -> None:
        for column, begin, end in columns:
            place = end if column.is_right else begin
            self._text(
                place, self.y, column.text(row), points, colour=colour, right=column.is_right,
                room=end - begin - (0 if column.is_right else 6),
            )  # fmt: skip

    def _stripe(self, height: float) -> None:
        self.canvas.setFillColor(_STRIPE)
        self.canvas.rect(self.left - 4, self.y - 3.4, self._inner() + 8, height, stroke=0, fill=1)

    def _rule(self, y: float) -> None:
        self.canvas.setStrokeColor(_RULE)
        self.canvas.setLineWidth(0.6)
        self.canvas.line(self.left, y, self.right, y)

    def _text(
        self,
        x: float,
        y: float,
        words: str,
        points: float,
        *,
        bold: bool = False,
        colour: Color = _INK,
        right: bool = False,
        room: float | None = None,
    ) -> None:
        """Words on one line; too long ones are set smaller, then cut."""
        font = BOLD if bold else REGULAR
        if not words.isprintable():
            words = _without_controls(words)
        wide = fonts.width(words, font, points) if right or room is not None else 0.0
        if room is not None and wide > room:
            points *= max(0.75, room / wide)
            words, wide = _fit(words, font, points, room)
        if right:
            x -= wide
        self.canvas.setFillColor(colour)
        for name, piece in fonts.runs(words, font):
            self.canvas.setFont(name, points)
            self.canvas.drawString(x, y, piece)
            if piece != words:
                x += stringWidth(piece, name, points)


def _fit(words: str, font: str, points: float, room: float) -> tuple[str, float]:
    wide = fonts.width(words, font, points)
    while wide > room and len(words) > 1:
        words = words[:-2].rstrip() + "…"
        wide = fonts.width(words, font, points)
    return words, wide


def _without_controls(words: str) -> str:
    """Line ends and the like as spaces; the spaces that hold numbers together stay."""
    return "".join(" " if category(letter).startswith("C") else letter for letter in words)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("|") if line.strip()]


def _line_words(row: Row) -> str:
    return row["description"]


def _item_words(row: Row) -> str:
    words = row["description"] or row["charge_class"].replace("_", " ")
    return f"{words} (incoming)" if row["direction"] == "inbound" else words


def _tax_words(row: Row, style: Style) -> str:
    if row["percent"] is None or row["base_amount"] is None:
        return row["description"]
    percent, base = style.count(row["percent"]), style.amount(row["base_amount"])
    return f"{row['description']}: {percent} % of {base}"


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest
