"""Reading layout profiles: TOML in, a ``Layout`` out, or a refusal naming file and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from loaders.errors import RatehouseError
from loaders.layouts.checks import check_of
from loaders.layouts.layout import (
    DELIMITERS,
    DOCUMENT,
    EXTRA_COLUMNS,
    JSON_COLUMNS,
    RECORD_LINE,
    Control,
    Documents,
    HeaderRule,
    Layout,
    LinePattern,
    NonData,
    Variant,
)

PROFILES_FOLDER = Path(__file__).parent / "profiles"

_READERS = ("delimited", "lines", "radius_detail", "json", "xml")
# The columns of the readers that do not split a record into fields.
_FIXED_COLUMNS = {
    "lines": (RECORD_LINE,),
    "radius_detail": ("received_line", "attributes"),
    "json": (DOCUMENT,),
    "xml": (DOCUMENT,),
}
_KINDS_OF_NON_DATA = (
    "header", "repeated_header", "blank", "comment", "marker", "trailer", "total",
)  # fmt: skip
# The columns of reference.source a layout may know better than its user.
DEFAULTS = (
    "time_zone", "date_order", "decimal_mark", "number_plan", "currency_code", "direction_mode",
    "classify_mode", "rating_mode",
)  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN = {"file_id", "line_no", EXTRA_COLUMNS}


class ProfileError(RatehouseError):
    """A profile that cannot be used, with the key at fault."""


def read_profiles(folder: Path = PROFILES_FOLDER) -> list[Layout]:
    """All profiles of a folder, by code."""
    return [read_profile(path) for path in sorted(folder.glob("*.toml"))]


def read_profile(path: Path) -> Layout:
    """One profile, checked."""
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path.name}: this is no TOML: {error}") from error
    return _Reading(path, content).layout()


class _Reading:
    """The reading of one profile: every message names the file and the key."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path = path
        self._content = content

    def _refuse(self, key: str, reason: str) -> ProfileError:
        return ProfileError(f"{self._path.name}, {key}: {reason}")

    def layout(self) -> Layout:
        top = self._table(
            "the top level", self._content,
            {"code", "title", "file_kind", "reader", "unassigned_source", "date_columns",
             "defaults", "delimited", "columns", "header", "variants", "non_data", "control",
             "lines", "documents", "indexes",
             "options"},
        )  # fmt: skip
        code = self._text("code", top.get("code"))
        if code != self._path.stem or not _NAME.fullmatch(code):
            raise self._refuse(
                "code",
                f"'{code}' must be the file's name without .toml: a small letter, then small "
                "letters, digits and underscores",
            )
        reader = self._one_of("reader", top.get("reader", "delimited"), _READERS)
        columns, aliases, descriptions = self._columns(reader)
        delimited = self._delimited(reader)
        headers = self._headers(columns)
        variants = self._variants(code, columns)
        dates = self._names("date_columns", top.get("date_columns", []), columns)
        if not dates:
            checked = [*(rule.checks for rule in headers), *(v.checks for v in variants)]
            dates = tuple(
                name
                for name in columns
                if any(checks.get(name, "").startswith("date") for checks in checked)
            )
        if reader == "delimited" and not headers and not variants:
            raise self._refuse("header", "a delimited layout needs [[header]] or [[variants]]")
        return Layout(
            code=code,
            title=self._text("title", top.get("title")),
            file_kind=self._one_of("file_kind", top.get("file_kind"), ("cdr", "sdr", "mixed")),
            table_columns=(*columns, EXTRA_COLUMNS),
            unassigned_source=self._text(
                "unassigned_source", top.get("unassigned_source", f"unassigned_{code}")
            ),
            aliases=aliases,
            date_columns=dates,
            variants=variants,
            reader=reader,
            quoting=delimited["quoting"],
            delimiters=delimited["delimiters"],
            grows=delimited["width"] == "growing",
            headers=headers,
            non_data=self._non_data(),
            control=self._control(),
            data_line=self._data_line(reader),
            documents=self._documents(reader),
            defaults=self._defaults(),
            descriptions=descriptions,
            indexes=self._indexes(columns),
            options=self._options(),
        )

    # -- sections ------------------------------------------------------------------------------

    def _columns(
        self, reader: str
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, str]]:
        given = self._tables("columns")
        fixed = _FIXED_COLUMNS.get(reader)
        names: list[str] = []
        aliases: dict[str, tuple[str, ...]] = {}
        descriptions: dict[str, str] = {}
        for number, entry in enumerate(given, start=1):
            key = f"columns {number}"
            entry = self._table(key, entry, {"name", "headers", "description"})
            name = self._text(f"{key}.name", entry.get("name"))
            if not _NAME.fullmatch(name) or name in _TAKEN:
                raise self._refuse(
                    f"{key}.name",
                    f"'{name}' cannot name a column: small letters, digits and underscores, and "
                    f"none of {', '.join(sorted(_TAKEN))}",
                )
            if name in names:
                raise self._refuse(f"{key}.name", f"'{name}' is named twice")
            names.append(name)
            aliases[name] = tuple(
                squeeze(word)
                for word in self._texts(f"{key}.headers", entry.get("headers", [name]))
            )
            if "description" in entry:
                descriptions[name] = self._text(f"{key}.description", entry["description"])
        if fixed is not None:
            if names and tuple(names) != fixed:
                raise self._refuse(
                    "columns", f"the reader {reader} has the columns {', '.join(fixed)}"
                )
            return fixed, {}, descriptions
        if not names:
            raise self._refuse("columns", "a delimited layout needs [[columns]]")
        return tuple(names), aliases, descriptions

    def _delimited(self, reader: str) -> dict[str, Any]:
        if reader != "delimited" and "delimited" in self._content:
            raise self._refuse("delimited", f"the reader {reader} does not split lines")
        section = self._table(
            "delimited", self._content.get("delimited", {}), {"delimiters", "quoting", "width"}
        )
        delimiters = self._texts(
            "delimited.delimiters", section.get("delimiters", list(DELIMITERS))
        )
        for delimiter in delimiters:
            if delimiter not in DELIMITERS:
                raise self._refuse(
                    "delimited.delimiters", f"'{delimiter}' is none of comma ; tab |"
                )
        return {
            "delimiters": delimiters,
            "quoting": self._one_of(
                "delimited.quoting", section.get("quoting", "csv"), ("csv", "backslash", "none")
            ),
            "width": self._one_of(
                "delimited.width", section.get("width", "fixed"), ("fixed", "growing")
            ),
        }

    def _headers(self, columns: tuple[str, ...]) -> tuple[HeaderRule, ...]:
        rules = []
        for number, entry in enumerate(self._tables("header"), start=1):
            key = f"header {number}"
            entry = self._table(key, entry, {"required", "checks", "complete"})
            required = self._names(f"{key}.required", entry.get("required", []), columns)
            if len(required) < 2:
                raise self._refuse(f"{key}.required", "names at least two columns")
            complete = entry.get("complete", False)
            if not isinstance(complete, bool):
                raise self._refuse(f"{key}.complete", "must be true or false")
            checks = self._checks(f"{key}.checks", entry.get("checks", {}), columns)
            rules.append(HeaderRule(required, checks, complete))
        return tuple(rules)

    def _variants(self, code: str, columns: tuple[str, ...]) -> tuple[Variant, ...]:
        found: dict[str, Variant] = {}
        for number, entry in enumerate(self._tables("variants"), start=1):
            key = f"variants {number}"
            entry = self._table(
                key, entry, {"code", "columns", "checks", "extends", "family", "minimum"}
            )
            name = self._text(f"{key}.code", entry.get("code"))
            key = f"variants '{name}'"
            if name in found or not _NAME.fullmatch(name):
                raise self._refuse(key, "each variant has a code of its own, in small letters")
            base = Variant("", (), {}, code)
            if "extends" in entry:
                extended = self._text(f"{key}.extends", entry["extends"])
                if extended not in found:
                    raise self._refuse(f"{key}.extends", f"no variant '{extended}' stands above")
                base = found[extended]
            added = self._names(f"{key}.columns", entry.get("columns", []), columns)
            fields = base.columns + added
            if len(set(fields)) < len(fields) or len(fields) < 2:
                raise self._refuse(f"{key}.columns", "two or more columns, each once")
            checks = base.checks | self._checks(f"{key}.checks", entry.get("checks", {}), fields)
            if not checks:
                raise self._refuse(f"{key}.checks", "a variant needs checks that prove it")
            minimum = entry.get("minimum", 0)
            if not isinstance(minimum, int) or not 0 <= minimum <= len(fields):
                raise self._refuse(f"{key}.minimum", f"a number of fields up to {len(fields)}")
            late = [c for c in checks if minimum and fields.index(c) >= minimum]
            if late:
                raise self._refuse(
                    f"{key}.minimum", f"'{late[0]}' is checked, so lines must have it"
                )
            family = self._text(f"{key}.family", entry.get("family", base.family))
            found[name] = Variant(name, fields, checks, family, minimum)
        return tuple(found.values())

    def _non_data(self) -> tuple[NonData, ...]:
        found = []
        for number, entry in enumerate(self._tables("non_data"), start=1):
            key = f"non_data {number}"
            entry = self._table(key, entry, {"pattern", "kind"})
            kind = self._one_of(f"{key}.kind", entry.get("kind"), _KINDS_OF_NON_DATA)
            found.append(NonData(self._pattern(f"{key}.pattern", entry.get("pattern")), kind))
        return tuple(found)

    def _control(self) -> Control | None:
        if "control" not in self._content:
            return None
        section = self._table(
            "control", self._content["control"], {"pattern", "total", "adds", "decimals"}
        )
        pattern = self._pattern("control.pattern", section.get("pattern"))
        groups = set(re.compile(pattern.text).groupindex)
        if not groups or not groups <= {"count", "total", "sequence"}:
            raise self._refuse(
                "control.pattern", "needs named groups out of count, total and sequence"
            )
        total = section.get("total")
        adds = None
        if "adds" in section:
            adds = self._pattern("control.adds", section["adds"])
            if set(re.compile(adds.text).groupindex) != {"added"} or "total" not in groups:
                raise self._refuse(
                    "control.adds", "needs the named group added, and the pattern the group total"
                )
        decimals = section.get("decimals", 0)
        if decimals not in (0, 1, 2, 3):
            raise self._refuse("control.decimals", "must be 0, 1, 2 or 3")
        return Control(
            pattern,
            None if total is None else self._text("control.total", total),
            adds,
            decimals,
        )

    def _data_line(self, reader: str) -> LinePattern | None:
        if reader != "lines":
            if "lines" in self._content:
                raise self._refuse("lines", 'only for reader = "lines"')
            return None
        section = self._table("lines", self._content.get("lines", {}), {"data"})
        return self._pattern("lines.data", section.get("data"))

    def _documents(self, reader: str) -> Documents:
        if reader in ("delimited", "lines"):
            if "documents" in self._content:
                raise self._refuse("documents", f"the reader {reader} has lines, not documents")
            return Documents()
        section = self._table(
            "documents", self._content.get("documents", {}),
            {"required", "records", "element", "percent_encoded"},
        )  # fmt: skip
        required = self._texts("documents.required", section.get("required", []))
        if not required:
            raise self._refuse("documents.required", "what every record has, to be recognised by")
        records = section.get("records")
        element = section.get("element")
        if reader == "xml":
            element = self._text("documents.element", element)
        elif element is not None:
            raise self._refuse("documents.element", 'only for reader = "xml"')
        if records is not None:
            if reader != "json":
                raise self._refuse("documents.records", 'only for reader = "json"')
            records = self._text("documents.records", records)
        return Documents(
            required,
            records,
            element,
            self._texts("documents.percent_encoded", section.get("percent_encoded", [])),
        )

    def _indexes(self, columns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Columns to find records by. `column.key`: a value of a column that holds JSON."""
        given = self._content.get("indexes", [])
        if not isinstance(given, list):
            raise self._refuse("indexes", 'is written as [["column", ...], ...]')
        found = []
        for number, entry in enumerate(given, start=1):
            key = f"indexes {number}"
            names = self._texts(key, entry)
            if not names:
                raise self._refuse(key, "names at least one column")
            for name in names:
                column, dot, inside = name.partition(".")
                if column not in columns or (dot and column not in JSON_COLUMNS):
                    raise self._refuse(key, f"there is no column '{column}' to look up '{name}'")
                if dot and not inside:
                    raise self._refuse(key, f"'{name}' names no key of the column")
            found.append(names)
        return tuple(found)

    def _options(self) -> dict[str, tuple[str, ...]]:
        """What a source may choose, the default first."""
        section = self._table("options", self._content.get("options", {}), None)
        options = {}
        for name, values in section.items():
            if not _NAME.fullmatch(name):
                raise self._refuse(f"options.{name}", "is named in small letters")
            options[name] = self._texts(f"options.{name}", values)
            if len(options[name]) < 2:
                raise self._refuse(f"options.{name}", "lists the default and what else there is")
        return options

    def _defaults(self) -> dict[str, str]:
        section = self._table("defaults", self._content.get("defaults", {}), set(DEFAULTS))
        allowed = {
            "date_order": ("ymd", "dmy", "mdy"),
            "decimal_mark": (".", ","),
            "direction_mode": ("outbound", "inbound", "indeterminate"),
            "classify_mode": ("none", "npanxx"),
            "rating_mode": ("none", "rate", "pre_rated", "reconcile"),
        }
        defaults = {}
        for name, value in section.items():
            key = f"defaults.{name}"
            value = self._text(key, value)
            if name in allowed:
                self._one_of(key, value, allowed[name])
            if name == "currency_code" and not re.fullmatch(r"[A-Z]{3}", value):
                raise self._refuse(key, f"'{value}' must be three capital letters")
            defaults[name] = value
        return defaults

    # -- values --------------------------------------------------------------------------------

    def _table(
        self, key: str, value: Any, known: Iterable[str] | None
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._refuse(key, "must be a table")
        if known is None:
            return value
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise self._refuse(
                key, f"there is no key '{unknown[0]}'; there are {', '.join(sorted(known))}"
            )
        return value

    def _tables(self, key: str) -> list[Any]:
        value = self._content.get(key, [])
        if isinstance(value, dict):
            return [value]
        if not isinstance(value, list):
            raise self._refuse(key, f"is written as [[{key}]]")
        return value

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise self._refuse(key, "must be a text that is not empty")
        return value

    def _texts(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self._refuse(key, "must be a list of texts")
        return tuple(value)

    def _one_of(self, key: str, value: Any, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            raise self._refuse(key, f"must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def _names(self, key: str, value: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
        names = self._texts(key, value)
        for name in names:
            if name not in columns:
                raise self._refuse(key, f"there is no column '{name}'")
        return names

    def _checks(
        self, key: str, value: Any, columns: tuple[str, ...]
    ) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise self._refuse(key, 'is written as { column = "check" }')
        for column, check in value.items():
            if column not in columns:
                raise self._refuse(key, f"there is no column '{column}'")
            try:
                check_of(self._text(f"{key}.{column}", check))
            except ValueError as error:
                raise self._refuse(f"{key}.{column}", str(error)) from error
        return dict(value)

    def _pattern(self, key: str, value: Any) -> LinePattern:
        text = self._text(key, value)
        try:
            re.compile(text)
            re.compile(text.encode())
        except (re.error, UnicodeEncodeError) as error:
            raise self._refuse(key, f"is no regular expression: {error}") from error
        if re.search(r"(?<!\\)(?:\\\\)*\\[AZ]", text):
            # The fast path looks at many lines at once.
            raise self._refuse(key, "the ends of a line are written ^ and $, not \\A and \\Z")
        return LinePattern(text)


def squeeze(name: str) -> str:
    """Header words compared without case, spaces and punctuation."""
    return re.sub(r"[^0-9a-z]+", "", name.lower())
