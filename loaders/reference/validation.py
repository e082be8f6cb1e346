"""Checks on a reference file, all in SQL over the whole file, each refusal with line and reason.

Types, lengths and CHECK constraints come from the database's catalogue, so that the rules exist
once; this module adds the words.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from loaders import settings
from loaders.collect.rules import RuleError, parse_rules
from loaders.files.gaps import compile_sequence
from loaders.layouts import LAYOUTS, Layout
from loaders.reference.allowances import ALLOWANCE_WORDS, allowance_checks
from loaders.reference.bands import BAND_WORDS, band_checks
from loaders.reference.errors import SHOWN, ReferenceRefused, Refusal
from loaders.reference.kinds import KINDS, Kind
from loaders.reference.volumes import VOLUME_WORDS, volume_checks

_NOT_FROM_FILES = {
    "recorded_from", "recorded_to", "reference_load_id", "valid_during", "recorded_during",
    "direction_range",
}  # fmt: skip
_INSTANT = (
    r"^(-?infinity|\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
    r"( ?(Z|[+-]\d{2}(:?\d{2})?))?)?)$"
)
# CHECK constraints on one column (of any kind, or of the one named) whose expression would say
# little.
_WORDS = {
    "state_code": "must be two capital letters",
    "collector_code": "must be 1 to 60 small letters, digits or _, and not the word test",
    "password_from": "must be env:NAME or file:/path; the secret itself must not stand here",
    "private_key_from": "must be env:NAME or file:/path; the key itself must not stand here",
    "layout_options": 'must be an object like {"conversation_time": "whole_seconds"}',
    "valid_from": "must be the first day of a month: it names the first billing period",
    "valid_to": "must be the first day of a month: it names the first billing period after",
    "network_code": "must be a TADIG code like GBRVF, or MCC and MNC like 23415",
    "tls_trust": "must be system, file:/path of a CA, or sha256: and a fingerprint",
    "tax_rate.jurisdiction": "must go from the outside in, like US/NY/New York",
    "tax_jurisdiction": "must go from the outside in, like US/NY/New York",
    "line_kinds": "must be kinds of lines this may be worked out on, a space between them, like "
    "usage charge",
}
# CHECK constraints on several columns of the prices of an invoice: the columns, and what to say.
_MONEY = {
    frozenset({"from_currency", "to_currency"}): (
        "to_currency", "must be another currency than from_currency",
    ),
    frozenset({"percent", "amount"}): ("percent", "and amount: give one of the two"),
    frozenset({"charge_rule", "percent"}): (
        "percent", "must be given when charge_rule is percent, and only then",
    ),
    frozenset({"charge_rule", "fund_code"}): (
        "fund_code", "must be given when charge_rule is fund, and only then",
    ),
    frozenset({"charge_rule", "unit_amount"}): (
        "unit_amount", "must be given when charge_rule is a price for each unit, and only then",
    ),
    frozenset({"is_inclusive", "on_taxes"}): (
        "on_taxes", "must not be set of a tax that the prices contain (is_inclusive)",
    ),
}  # fmt: skip
# Column of a charge tariff -> the price mode that needs it.
_MODES = {
    "unit_price": "list", "markup_percent": "markup", "margin_percent": "margin",
    "add_on_amount": "add_on", "percentage": "percentage",
}  # fmt: skip
# Which usage the decks of a plan price.
_DECK_USAGE = {
    "deck_code": "voice",
    "inbound_deck_code": "voice",
    "sms_deck_code": "sms",
    "inbound_sms_deck_code": "sms",
    "mms_deck_code": "mms",
    "data_deck_code": "data",
}
_NUMBER = r"^-?\d+(\.\d*)?$"
# Who pays by which plan: the column to refuse, the alias of the loaded row, and the rows.
_PAYERS = {
    "account": (
        "currency_code",
        "a",
        "load_row as a inner join reference.plan as p "
        "on p.plan_code = a.plan_code and p.recorded_to = 'infinity'",
    ),
    "service": (
        "plan_code",
        "n",
        "load_row as n inner join reference.account as a "
        "on a.account_code = n.account_code and a.recorded_to = 'infinity' "
        "inner join reference.plan as p "
        "on p.plan_code = n.plan_code and p.recorded_to = 'infinity'",
    ),
    "plan": (
        "deck_code",
        "p",
        "load_row as p inner join ("
        "select account_code, plan_code from reference.account where recorded_to = 'infinity' "
        "union select account_code, plan_code from reference.service "
        "where recorded_to = 'infinity') as u on u.plan_code = p.plan_code "
        "inner join reference.account as a "
        "on a.account_code = u.account_code and a.recorded_to = 'infinity'",
    ),
}


@dataclass(frozen=True)
class Column:
    """A column of a reference table that files may fill."""

    name: str
    type: str
    is_required: bool
    default: str | None
    is_nullable: bool


def columns_of(cursor: Cursor, kind: Kind) -> dict[str, Column]:
    """What the table takes from files, from the catalogue."""
    cursor.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
        "pg_get_expr(d.adbin, d.adrelid) from pg_attribute as a "
        "left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum "
        "where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped "
        "and a.attgenerated = '' and a.attidentity = '' order by a.attnum",
        (f"reference.{kind.name}",),
    )
    columns = {}
    for name, type_name, not_null, default in cursor.fetchall():
        if name in _NOT_FROM_FILES or (kind.has_id and name == f"{kind.name}_id"):
            continue
        columns[name] = Column(name, type_name, not_null and default is None, default, not not_null)
    return columns


def validate(
    cursor: Cursor, kind: Kind, file_name: str, columns: dict[str, Column], given: list[str]
) -> None:
    """Turn load_raw into the typed load_row, or refuse the file."""
    checks = _Checks(cursor, kind, file_name, given)
    for name in given:
        checks.types(columns[name])
    checks.finish()
    _make_typed(cursor, kind, columns, given)
    checks.words()
    checks.constraints()
    checks.codes()
    checks.uniqueness()
    checks.finish()
    checks.bands()
    checks.finish()


def _make_typed(
    cursor: Cursor, kind: Kind, columns: dict[str, Column], given: list[str]
) -> None:
    selected = []
    for column in columns.values():
        default = column.default
        if kind.name == "source" and "layout_code" in given:
            default = _default_of_layout(cursor, column)
        if column.name in given:
            cell = f"nullif({column.name}, '')::{column.type}"
            value = cell if default is None else f"coalesce({cell}, {default})"
        else:
            value = "null" if default is None else f"({default})"
        selected.append(f"({value})::{column.type} as {column.name}")
    cursor.execute(
        f"create temporary table load_row on commit drop as "
        f"select line, {', '.join(selected)} from load_raw"
    )
    cursor.execute("analyze load_row")


def _default_of_layout(cursor: Cursor, column: Column) -> str | None:
    """What a source leaves open is read as its layout says, where the layout says it."""
    known = {
        layout.code: layout.defaults[column.name]
        for layout in LAYOUTS.values()
        if column.name in layout.defaults
    }
    if not known:
        return column.default
    cases = b" ".join(cursor.mogrify("when %s then %s", item) for item in known.items())
    return f"case layout_code {cases.decode()} else {column.default} end"


class _Checks:
    """Collects refusals; raises them together."""

    def __init__(self, cursor: Cursor, kind: Kind, file_name: str, given: list[str]) -> None:
        self._cursor = cursor
        self._kind = kind
        self._file_name = file_name
        self._given = given
        self._refusals: list[Refusal] = []
        self._total = 0

    def finish(self) -> None:
        """Refuse the file if anything was found."""
        if self._refusals:
            self._refusals.sort(key=lambda refusal: refusal.line or 0)
            raise ReferenceRefused(
                self._kind.name, self._file_name, self._refusals, self._total
            )

    def _find(self, column: str, reason: str, query: str, parameters: tuple = ()) -> bool:
        """Rows of a query (line, value[, words for the reason]) are refused."""
        self._cursor.execute(
            f"select q.*, count(*) over () from ({query}) as q order by 1 limit {SHOWN}",
            parameters,
        )
        rows = self._cursor.fetchall()
        for line, value, *words, _ in rows:
            text = reason.format(*words) if words else reason
            if column in self._kind.hidden:
                value = None
            self._refusals.append(Refusal(line, column, value, text))
        self._total += rows[0][-1] if rows else 0
        return bool(rows)

    def types(self, column: Column) -> None:
        name = column.name
        if column.is_required:
            self._find(
                name,
                "must not be empty",
                f"select line, null::text from load_raw where {name} = ''",
            )
        filled = f"select line, {name} from load_raw where {name} <> ''"
        kind_of_type = column.type
        if kind_of_type.startswith("timestamp"):
            self._find(
                name,
                "is no date or instant; write 2026-10-01 or 2026-10-01T00:00:00Z",
                f"{filled} and ({name} !~ %s or not pg_input_is_valid({name}, 'timestamptz'))",
                (_INSTANT,),
            )
        elif kind_of_type.startswith("numeric"):
            precision, scale = map(int, re.findall(r"\d+", kind_of_type))
            if self._find(name, "is not a number", f"{filled} and {name} !~ %s", (_NUMBER,)):
                return
            if not self._find(
                name,
                f"has more than {scale} decimals",
                f"{filled} and scale(trim_scale({name}::numeric)) > {scale}",
            ):
                self._find(
                    name,
                    f"is too large; {precision - scale} digits before the point at most",
                    f"{filled} and not pg_input_is_valid({name}, '{kind_of_type}')",
                )
        elif kind_of_type in ("integer", "bigint"):
            self._find(
                name,
                "is not a whole number",
                f"{filled} and ({name} !~ '^-?[0-9]+$' "
                f"or not pg_input_is_valid({name}, '{kind_of_type}'))",
            )
        elif kind_of_type == "date":
            self._find(
                name,
                "is no day; write 2026-12-25",
                f"{filled} and ({name} !~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' "
                f"or not pg_input_is_valid({name}, 'date'))",
            )
        elif kind_of_type == "boolean":
            self._find(
                name,
                "must be true or false",
                f"{filled} and not pg_input_is_valid({name}, 'boolean')",
            )
        elif kind_of_type == "jsonb":
            self._find(
                name, "is not valid JSON", f"{filled} and not pg_input_is_valid({name}, 'jsonb')"
            )

    def words(self) -> None:
        """Rules the catalogue does not have: zones, currencies, identifiers, column maps."""
        if "time_zone" in self._given:
            self._find(
                "time_zone",
                "is no zone of the IANA list (such as America/New_York)",
                "select line, time_zone from load_row as n where time_zone is not null "
                "and not exists "
                "(select from pg_timezone_names as z where z.name = n.time_zone)",
            )
        for column in ("currency_code", "from_currency", "to_currency"):
            if column in self._given:
                self._find(
                    column,
                    "must be three capital letters",
                    f"select line, {column} from load_row where {column} !~ '^[A-Z]{{3}}$'",
                )
        if self._kind.name == "service_identifier":
            self._find(
                "identifier_value",
                "must be the digits of an E.164 number, without plus or spaces",
                "select line, identifier_value from load_row where identifier_kind = 'number' "
                "and identifier_value !~ '^[1-9][0-9]{2,14}$'",
            )
            self._find(
                "identifier_value",
                "must be digits followed by {!}",
                "select line, identifier_value from load_row where identifier_kind = 'pattern' "
                "and identifier_value !~ '^[0-9]{1,14}[{]![}]$'",
            )
        if "price_scope" in self._kind.key:
            self._scopes("price_scope")
        if self._kind.name == "late_policy":
            self._scopes("late_scope")
        if self._kind.name == "billing_gate":
            self._gates()
        if self._kind.name in ("account", "service", "plan"):
            self._currencies()
        if self._kind.name == "rate":
            self._find(
                "price_per_unit",
                "does not fit the deck: {0} decks have a price_per_{1}",
                "select line, coalesce(n.price_per_unit, n.price_per_minute)::text, "
                "d.usage_type, case d.usage_type when 'voice' then 'minute' else 'unit' end "
                "from load_row as n inner join (select distinct deck_code, usage_type "
                "from reference.deck where recorded_to = 'infinity') as d "
                "on d.deck_code = n.deck_code where case d.usage_type when 'voice' "
                "then n.price_per_unit is not null else n.price_per_minute is not null end",
            )
        if self._kind.name == "plan":
            for column, usage_type in _DECK_USAGE.items():
                self._find(
                    column,
                    f"is a deck of {{0}}, not of {usage_type}",
                    f"select line, n.{column}, d.usage_type from load_row as n "
                    f"inner join (select distinct deck_code, usage_type from reference.deck "
                    f"where recorded_to = 'infinity') as d on d.deck_code = n.{column} "
                    f"where d.usage_type <> '{usage_type}'",
                )
        if self._kind.name == "roaming_deck":
            self._roaming_decks()
        if self._kind.name == "rate_step":
            self._find(
                "prefix",
                "the deck has no row of this prefix and jurisdiction for the step to belong to",
                "select line, prefix from load_row as n where not exists "
                "(select from reference.rate as r where r.deck_code = n.deck_code "
                "and r.prefix = n.prefix and r.jurisdiction = n.jurisdiction "
                "and r.recorded_to = 'infinity')",
            )
            self._find(
                "from_second",
                "is one step too many; a rate row has 7 at most",
                "select line, from_second::text from (select line, from_second, row_number() "
                "over (partition by deck_code, prefix, jurisdiction, valid_from "
                "order by from_second) as step_no from load_row) as n where step_no > 7",
            )
        if self._kind.name == "source":
            self._source_layouts()
        if self._kind.name == "collector":
            self._collector_settings()

    def _gates(self) -> None:
        """Gates and measures are those of seeds/billing_gates.csv; a blank threshold is none."""
        seed = settings.project_root() / "seeds" / "billing_gates.csv"
        with seed.open(encoding="utf-8", newline="") as stream:
            known = [f"{row['gate_code']} {row['measure']}" for row in csv.DictReader(stream)]
        self._find(
            "measure",
            f"there is no such gate and measure (known: {', '.join(known)})",
            "select line, gate_code || ' ' || measure from load_row "
            "where gate_code || ' ' || measure <> all(%s)",
            (known,),
        )

    def _scopes(self, scope_column: str) -> None:
        """Whose price or policy it is must be known."""
        for scope, kind, column in (
            ("service", "service", "service_code"),
            ("account", "account", "account_code"),
            ("group", "account", "bill_group"),
            ("plan", "plan", "plan_code"),
            ("source", "source", "source_code"),
            ("carrier", "source", "carrier_code"),
        ):
            self._find(
                "scope_code",
                f"there is no such {'bill group' if scope == 'group' else scope}",
                f"select line, scope_code from load_row as n where {scope_column} = '{scope}' "
                f"and scope_code <> '' and not exists (select from reference.{kind} as c "
                f"where c.{column} = n.scope_code and c.recorded_to = 'infinity')",
            )

    def _currencies(self) -> None:
        """What a plan's decks are priced in must be convertible to what its accounts pay in."""
        column, row, payers = _PAYERS[self._kind.name]
        decks = ", ".join(f"p.{name}" for name in _DECK_USAGE)
        self._find(
            column,
            "deck {0} has its prices in {1}, account {2} pays in {3}, and there is no exchange "
            "rate from {1} to {3} of its source {4}",
            f"select distinct on ({row}.line) {row}.line, {row}.{column}, d.deck_code, "
            f"d.currency_code, a.account_code, a.currency_code, a.exchange_source from {payers} "
            f"inner join reference.deck as d on d.deck_code = any (array[{decks}]) "
            f"and d.recorded_to = 'infinity' "
            f"where d.currency_code <> a.currency_code and not exists ("
            f"select from reference.exchange_rate as x where x.recorded_to = 'infinity' "
            f"and x.rate_source = a.exchange_source "
            f"and x.from_currency = d.currency_code and x.to_currency = a.currency_code "
            f"and x.valid_from < {row}.valid_to and x.valid_to > {row}.valid_from) "
            f"order by {row}.line, d.deck_code, a.account_code",
        )

    def _roaming_decks(self) -> None:
        """A zone that some network is in, and decks of the usage they price."""
        self._find(
            "zone_code",
            "no visited network is in this zone",
            "select line, zone_code from load_row as n where not exists "
            "(select from reference.visited_network as c "
            "where c.zone_code = n.zone_code and c.recorded_to = 'infinity')",
        )
        for column in ("deck_code", "inbound_deck_code"):
            self._find(
                column,
                "is a deck of {0}, not of {1}",
                f"select line, n.{column}, d.usage_type, n.usage_type from load_row as n "
                f"inner join (select distinct deck_code, usage_type from reference.deck "
                f"where recorded_to = 'infinity') as d on d.deck_code = n.{column} "
                f"where d.usage_type <> n.usage_type",
            )

    def _source_layouts(self) -> None:
        self._cursor.execute(
            "select line, layout_code, column_map, layout_options, sequence_pattern, "
            "record_number_column from load_row order by line"
        )
        for line, layout_code, column_map, options, *numbers in self._cursor.fetchall():
            layout = LAYOUTS.get(layout_code)
            if layout is None:
                self._add(
                    Refusal(line, "layout_code", layout_code, f"there is no such layout; there "
                            f"are {', '.join(LAYOUTS)}")
                )  # fmt: skip
                continue
            self._source_options(line, layout, options)
            self._source_numbers(line, layout, *numbers)
            if not isinstance(column_map, dict):
                self._add(
                    Refusal(line, "column_map", json.dumps(column_map),
                            'must be an object like {"Call Date": "start_time"}')
                )  # fmt: skip
                continue
            targets = list(column_map.values())
            for target in dict.fromkeys(map(str, targets)):
                if target not in layout.table_columns:
                    self._add(
                        Refusal(line, "column_map", target,
                                f"landing.{layout_code} has no such column")
                    )  # fmt: skip
                elif targets.count(target) > 1:
                    self._add(
                        Refusal(line, "column_map", target, "stands for more than one column")
                    )

    def _source_options(self, line: int, layout: Layout, options: object) -> None:
        if not isinstance(options, dict):
            return  # refused by the table's own check
        for name, value in options.items():
            allowed = layout.options.get(name)
            if allowed is None:
                known = ", ".join(layout.options) or "none"
                reason = f"the layout {layout.code} has no such option; it has {known}"
                self._add(Refusal(line, "layout_options", name, reason))
            elif value not in allowed:
                self._add(
                    Refusal(line, "layout_options", str(value),
                            f"{name} must be one of {', '.join(allowed)}")
                )  # fmt: skip

    def _source_numbers(
        self, line: int, layout: Layout, sequence_pattern: str | None, number_column: str | None
    ) -> None:
        """How the numbers of files and records are found."""
        if sequence_pattern is not None:
            try:
                compile_sequence(sequence_pattern)
            except ValueError as error:
                self._add(Refusal(line, "sequence_pattern", sequence_pattern, str(error)))
        if number_column is not None and number_column not in layout.table_columns:
            self._add(
                Refusal(line, "record_number_column", number_column,
                        f"landing.{layout.code} has no such column")
            )  # fmt: skip

    def _collector_settings(self) -> None:
        """What one column asks of another, and rules that can be used."""
        needs = (
            ("host", "protocol <> 'folder' and host is null", "must not be empty"),
            ("username", "protocol in ('sftp', 'imap') and username is null", "must not be empty"),
            (
                "password_from",
                "protocol = 'imap' and password_from is null",
                "must not be empty for a mailbox",
            ),
            (
                "private_key_from",
                "protocol <> 'sftp' and private_key_from is not null",
                "is only for sftp",
            ),
            (
                "password_from",
                "protocol = 'sftp' and password_from is null and private_key_from is null",
                "and private_key_from are both empty; one is needed",
            ),
            (
                "directory",
                "protocol = 'folder' and directory !~ '^/'",
                "must be an absolute path like /srv/outbox",
            ),
            (
                "after_folder",
                "after_collection = 'move' and after_folder is null",
                "must not be empty when after_collection is move",
            ),
        )
        for column, broken, reason in needs:
            self._find(column, reason, f"select line, {column} from load_row where {broken}")
        self._cursor.execute(
            "select source_code, file_kind from reference.source where recorded_to = 'infinity'"
        )
        kinds = dict(self._cursor.fetchall())
        self._cursor.execute("select line, rules from load_row order by line")
        for line, given in self._cursor.fetchall():
            try:
                rules = parse_rules(given)
            except RuleError as error:
                self._add(Refusal(line, "rules", None, str(error)))
                continue
            for source_code, file_kind in rules.sources:
                if source_code not in kinds:
                    self._add(Refusal(line, "rules", source_code, "there is no such source"))
                elif file_kind and kinds[source_code] not in (file_kind, "mixed"):
                    self._add(
                        Refusal(line, "rules", source_code,
                                f"is of kind {kinds[source_code]}, the rule says {file_kind}")
                    )  # fmt: skip

    def _add(self, refusal: Refusal) -> None:
        self._refusals.append(refusal)
        self._total += 1

    def constraints(self) -> None:
        """The table's own CHECK constraints, in words."""
        self._cursor.execute(
            "select pg_get_expr(c.conbin, c.conrelid), "
            "array(select a.attname::text from pg_attribute as a "
            "where a.attrelid = c.conrelid and a.attnum = any (c.conkey) order by a.attnum) "
            "from pg_constraint as c where c.conrelid = %s::regclass and c.contype = 'c' "
            "order by c.conname",
            (f"reference.{self._kind.name}",),
        )
        for expression, names in self._cursor.fetchall():
            if any(name in _NOT_FROM_FILES for name in names):
                continue
            column, reason = _in_words(self._kind.name, expression, names)
            broken = f"select line from load_row where not ({expression})"
            if column in self._given:
                # As the file says it, not as the type shows it.
                query = f"select line, nullif({column}, '') from load_raw where line in ({broken})"
            else:
                query = f"select line, null::text from load_row where line in ({broken})"
            self._find(column, reason, query)

    def codes(self) -> None:
        """Codes must be known, as of now, whenever they are valid."""
        for column, (kind, code) in self._kind.codes.items():
            if column in self._given:
                # A row may name another of its own kind, of the same file.
                in_file = (
                    f" and not exists (select from load_row as o where o.{code} = n.{column})"
                    if kind == self._kind.name
                    else ""
                )
                self._find(
                    column,
                    f"there is no such {KINDS[kind].name.replace('_', ' ')}",
                    f"select line, {column} from load_row as n where {column} is not null "
                    f"and not exists (select from reference.{kind} as c "
                    f"where c.{code} = n.{column} and c.recorded_to = 'infinity'){in_file}",
                )

    def bands(self) -> None:
        """No moment and no quantity without a clear price. Asked of rows that are in order."""
        for check in (
            *band_checks(self._kind.name),
            *volume_checks(self._kind.name),
            *allowance_checks(self._kind.name),
        ):
            self._find(check.column, check.reason, check.query)

    def uniqueness(self) -> None:
        """Two rows of one key in the file may not hold at the same instant."""
        key = self._kind.key
        partition = ", ".join(key)
        shown = " || '/' || ".join(f"{name}::text" for name in key)
        rows = "load_row"
        if self._kind.name == "service_identifier":
            partition += ", side"
            rows = (
                "(select n.*, side from load_row as n, unnest(case n.direction "
                "when 'outbound' then array[1] when 'inbound' then array[2] "
                "else array[1, 2] end) as side)"
            )
        self._find(
            "/".join(key),
            "is valid at the same time as line {0} of the same file",
            f"select line, shown, earlier from (select line, {shown} as shown, valid_from, "
            f"lag(line) over w as earlier, lag(valid_to) over w as earlier_end "
            f"from {rows} as n window w as (partition by {partition} "
            f"order by valid_from, line)) as o where earlier_end > valid_from "
            f"group by line, shown, earlier",
        )


def _in_words(kind: str, expression: str, names: list[str]) -> tuple[str, str]:
    """Which column a broken CHECK is about, and what to say."""
    if names == ["valid_from", "valid_to"]:
        return "valid_to", "must be later than valid_from"
    if kind == "rate" and "price_per_minute" in names and len(names) > 1:
        return (
            "price_per_minute",
            "and price_per_call: give one of the two; only a row with status blocked may have none",
        )
    for words in (_MONEY, BAND_WORDS, VOLUME_WORDS, ALLOWANCE_WORDS):
        if frozenset(names) in words:
            return words[frozenset(names)]
    if kind == "source" and "cost_deck_code" in names:
        return "rating_mode", (
            "pre_rated is for usage whose cost the records say: not for file_kind sdr (there "
            "price_mode pass_through or markup does it), nor with a cost_deck_code; reconcile "
            "neither"
        )
    if kind == "deck" and "data_rounding" in names and len(names) > 1:
        return "data_rounding", "other than record is for decks of usage_type data only"
    if kind == "deck" and "message_count" in names and len(names) > 1:
        return "message_count", (
            "other than stated, and message_billing delivered, are for decks of sms and mms only"
        )
    if kind == "roaming_deck" and len(names) > 1:
        return "deck_code", "and inbound_deck_code are both empty; one is needed"
    if kind == "deck" and len(names) > 1:
        return "cap_period_seconds", "must not be empty when maximum_charge_rule is per_period"
    if "usf_safe_harbour" in names:
        return "usf_safe_harbour", (
            "is only for local_service, wireless and voip_local without a usf_jurisdiction"
        )
    if "scope_code" in names:
        return "scope_code", "must name whose price it is, and be empty when it is the list's"
    if kind == "charge_tariff" and len(names) > 1:
        if "fee_period_days" in names:
            return "fee_period_days", "must not be empty when fee_period is days"
        if "free_events" in names:
            return "price_mode", (
                "must be percentage where event_fee, free_events or free_total is given"
            )
        if "maximum_price" in names:
            return "maximum_price", "must not be less than minimum_price"
        column = next(name for name in names if name != "price_mode")
        if column in _MODES:
            return column, f"must not be empty when price_mode is {_MODES[column]}"
    column = names[0]
    words_of = _WORDS.get(f"{kind}.{column}") or _WORDS.get(column)
    if words_of is not None:
        return column, words_of
    if column == "prefix":
        return column, "must be 1 to 13 digits"
    allowed = re.findall(r"'([^']*)'::text", expression)
    if "ARRAY" in expression and allowed:
        return column, "must be one of " + ", ".join(allowed)
    bounds = re.findall(r"(>=|<=|>|<) \(?'?(-?\d+)'?\)?", expression)
    words = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
    if bounds:
        return column, "must be " + " and ".join(f"{words[sign]} {n}" for sign, n in bounds)
    return column, f"breaks the rule {expression}"
