"""The forms of the upload page."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import (
    Form,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    validators,
)
from wtforms.csrf.core import CSRF
from wtforms.fields import Field
from wtforms.fields.choices import SelectChoice

from loaders.errors import RatehouseError
from orchestration.upload.meanings import choices

_MONTH = r"(?:\d{4}-(?:0[1-9]|1[0-2]))?"


class FormExpired(RatehouseError):
    """A form that is not of this session."""


class _Mark(CSRF):
    """The session's mark as a hidden field."""

    def setup_form(self, form: Any) -> Any:
        self._expected = form.meta.csrf_context
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: Any) -> str:
        return self._expected

    def validate_csrf_token(self, form: Any, field: Any) -> None:
        if not hmac.compare_digest((field.data or "").encode(), self._expected.encode()):
            raise FormExpired(
                "This page is from another visit, so nothing was done. Go back to the start "
                "and try again."
            )


class MarkedForm(Form):
    """A form that only this session can have sent."""

    class Meta:
        csrf = True
        csrf_class = _Mark
        csrf_field_name = "form_mark"

    def __init__(self, formdata: Any = None, *, mark: str, **values: Any) -> None:
        super().__init__(formdata, meta={"csrf_context": mark}, **values)

    def check_mark(self) -> None:
        """FormExpired if the mark is another session's; ``validate`` checks it too."""
        self._csrf.validate_csrf_token(self, self["form_mark"])


def options(words: Mapping[str, str]) -> list[SelectChoice]:
    """What a select offers: value and words."""
    return [SelectChoice(value, label) for value, label in words.items()]


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


class ChooseForm(MarkedForm):
    """Page 1, without the file."""

    source = SelectField("Carrier", choices=[])
    kind = RadioField(
        "File type",
        choices=options(
            {"cdr": "CDR: calls, messages, data", "sdr": "SDR: rentals and other charges"}
        ),
        default="cdr",
    )
    period = StringField(
        "Period (optional)",
        [validators.Regexp(rf"^{_MONTH}$", message="A month like 2026-10, or nothing.")],
        filters=[_one_line],
    )
    actor = StringField(
        "Your name (optional)",
        [validators.Length(max=100)],
        filters=[_one_line],
    )

    def __init__(
        self, formdata: Any = None, *, mark: str, sources: Sequence[Any] = (), **values: Any
    ) -> None:
        super().__init__(formdata, mark=mark, **values)
        declared = {
            source.source_code: f"{source.carrier_code}: {source.source_code} "
            f"({source.kind_in_words})"
            for source in sources
        }
        self.source.choices = options(declared | {"": "Not declared yet: recognise the file"})


class ConfirmForm(MarkedForm):
    """The last word."""

    note = TextAreaField(
        "Note (optional)",
        [validators.Length(max=1000)],
        filters=[lambda text: (text or "").strip()],
    )


class DecisionForm(MarkedForm):
    """A button."""


def _code(what: str) -> validators.Regexp:
    return validators.Regexp(
        re.compile(r"^[a-z0-9][a-z0-9_]{0,59}$"),
        message=f"The {what} is written in small letters, digits and _.",
    )


class SettingsForm(MarkedForm):
    """How the files of a source that is not declared yet are read."""

    source_code = StringField(
        "Name of the source",
        [validators.InputRequired("Give the source a name."), _code("name")],
        filters=[_one_line],
        description="Small letters, digits and _: for example acme_daily.",
    )
    carrier_code = StringField(
        "Carrier",
        [validators.InputRequired("Who sends these files?"), _code("carrier")],
        filters=[_one_line],
        description="Small letters, digits and _: for example acme.",
    )
    time_zone = StringField(
        "Time zone of the times in the file",
        filters=[_one_line],
        description="For example Europe/London, America/New_York or UTC.",
    )
    date_order = SelectField(
        "Order of dates",
        choices=options(
            {
                "ymd": "year, month, day: 2026-10-31",
                "dmy": "day, month, year: 31/10/2026",
                "mdy": "month, day, year: 10/31/2026",
            }
        ),
    )
    decimal_mark = SelectField(
        "Decimal mark", choices=options({".": "point: 0.25", ",": "comma: 0,25"})
    )
    number_plan = SelectField("Numbers are written as in", choices=[])
    direction_mode = SelectField(
        "Direction, where a line does not say it",
        choices=options(
            {
                "indeterminate": "find out from the numbers",
                "outbound": "all calls are outgoing",
                "inbound": "all calls are incoming",
            }
        ),
    )
    currency_code = StringField("Currency", filters=[_one_line], default="USD")

    is_of_layout = False


class LayoutSettingsForm(SettingsForm):
    """The same where a layout was recognised, which may say some of it."""

    is_of_layout = True
    layout_code = ""


class ColumnsForm(SettingsForm):
    """And what each column means."""

    usage_type = SelectField(
        "The lines are",
        choices=options(
            {
                "voice": "calls",
                "sms": "messages",
                "data": "data sessions",
                "mixed": "mixed: a column says which",
            }
        ),
        default="voice",
    )
    delimiter = SelectField(
        "Columns are separated by",
        choices=options(
            {"comma": "comma ,", "semicolon": "semicolon ;", "tab": "tab", "pipe": "bar |"}
        ),
    )
    first_line = SelectField(
        "First row",
        choices=options({"names": "contains column names", "values": "is a record already"}),
    )
    # As the page showed them: the columns below belong to these.
    shown_delimiter = HiddenField()
    shown_first_line = HiddenField()

    column_fields: list[Any]

    def meaning_of(self, index: int) -> str:
        return self[f"column_{index}"].data or ""


def columns_form(
    formdata: Any, *, mark: str, kind: str, width: int, **values: Any
) -> ColumnsForm:
    """The form for a file of so many columns."""
    fields: dict[str, Field] = {
        f"column_{index}": SelectField(choices=options(choices(kind))) for index in range(width)
    }
    made = type("FileColumnsForm", (ColumnsForm,), fields)
    form = made(formdata, mark=mark, **values)
    form.column_fields = [form[name] for name in fields]
    return form
