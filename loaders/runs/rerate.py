"""Re-rating: choose what was rated before, and how it is rated again; the run that does it.

Every leg that counts may be chosen, billed or not. A chosen record is rated again whole: a call
between two customers with both its legs. Nothing is overwritten: the run writes new versions, and
leaving it out (loaders/runs/undo.py) brings the earlier ones back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.runs.rating import RatingRun, open_run
from loaders.runs.schemas import relation_exists

# As for a reprocess (loaders/runs/whatif.py): beyond this a preview takes half a minute.
MOST_RECORDS = 500_000
STATES = ("billed", "not_billable", "error", "duplicate")
ZONES = ("utc", "account")
_LONGEST_SECONDS = 604_800

# What a leg can be chosen by. Codes are looked up first: the query then names ids, which the
# planner can estimate, and a code that does not exist is refused.
_CODES = {
    "account": (
        "u.account_id", "select account_code, account_id from reference.account_key"
    ),
    "bill_group": (
        "u.account_id",
        "select distinct bill_group, account_id from reference.account "
        "where recorded_to = 'infinity'",
    ),
    "source": ("u.source_id", "select source_code, source_id from reference.source_key"),
    "carrier": (
        "u.source_id",
        "select distinct carrier_code, source_id from reference.source",
    ),
    "plan": ("u.plan_id", "select plan_code, plan_id from reference.plan_key"),
    "retail_deck": ("u.retail_deck_id", "select deck_code, deck_id from reference.deck_key"),
    "cost_deck": ("u.cost_deck_id", "select deck_code, deck_id from reference.deck_key"),
}  # fmt: skip
_TEXTS = {
    "usage_type": "u.usage_type",
    "charge_class": "u.charge_class",
    "direction": "u.direction",
    "state": "u.state",
    "reason": "u.reason",
    "disposition": "u.disposition",
    "release_cause": "u.release_cause",
    "currency": "u.currency_code",
    "called_number": "u.called_number::text",
    "calling_number": "u.calling_number::text",
    "retail_prefix": "u.retail_prefix",
    "cost_prefix": "u.cost_prefix",
}
_NUMBERS = {
    "seconds": "u.billable_seconds",
    "amount": "u.retail_amount",
    "cost": "u.cost_amount",
    "file": "u.file_id",
    "line": "u.line_no",
    "run": "u.rating_run_id",
    "usage_id": "u.usage_id",
}
FIELDS = (*_CODES, *_TEXTS, *_NUMBERS)
_OPERATORS = ("is", "is_not", "at_least", "less_than", "starts_with")


class RerateRefused(RatehouseError):
    """What is asked for cannot be done as it stands."""


@dataclass(frozen=True)
class RerateFilter:
    """Which usage. Everything empty means all that counts, repeats left out."""

    started_from: date | None = None
    started_before: date | None = None
    # The zone of the two days: utc, or each account's own.
    zone: str = "utc"
    accounts: tuple[str, ...] = ()
    bill_groups: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    retail_decks: tuple[str, ...] = ()
    cost_decks: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    usage_types: tuple[str, ...] = ()
    charge_classes: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    release_causes: tuple[str, ...] = ()
    minimum_seconds: Decimal | None = None
    files: tuple[int, ...] = ()
    usage_ids: tuple[int, ...] = ()
    rated_by_runs: tuple[int, ...] = ()
    # Nested conditions, as {"any": [...]}, {"all": [...]}, {"not": ...}, {"field": ..., "is": ...}.
    where: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.zone not in ZONES:
            raise RerateRefused(f"the zone of the dates is utc or account, not '{self.zone}'")
        if (
            self.started_from is not None
            and self.started_before is not None
            and self.started_from >= self.started_before
        ):
            raise RerateRefused(
                f"the date range is empty: from {self.started_from} is not before "
                f"{self.started_before} (the second date is not included)"
            )
        for state in self.states:
            _require_one_of("state", state, STATES)


@dataclass(frozen=True)
class RerateOptions:
    """How it is rated again. Nothing said: with what is known now, by plan and source."""

    new_seconds: Decimal | None = None
    # Take corrected durations back to those of the lines.
    as_received: bool = False
    retail_deck: str = ""
    cost_deck: str = ""
    rating_version: int | None = None
    known_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.new_seconds is not None and not 0 <= self.new_seconds <= _LONGEST_SECONDS:
            raise RerateRefused(
                f"a new duration of {self.new_seconds} s: it is from 0 to {_LONGEST_SECONDS} s"
            )
        if self.new_seconds is not None and self.as_received:
            raise RerateRefused("a new duration and the duration as received exclude each other")
        if self.known_at is not None and self.known_at.tzinfo is None:
            raise RerateRefused("the instant of known-at needs a zone, like 2026-10-31T12:00:00Z")


@dataclass(frozen=True)
class Request:
    """Which usage is rated again, and how."""

    filter: RerateFilter = field(default_factory=RerateFilter)
    options: RerateOptions = field(default_factory=RerateOptions)
    # Only versions of runs up to this one: what a preview saw. 0: all there are.
    as_of_run: int = 0

    def to_config(self) -> dict[str, Any]:
        """As control.rating_run.config keeps it; `rating_version` is read by the models."""
        config = {
            "filter": _given(self.filter),
            "options": _given(self.options),
            "as_of_run": self.as_of_run,
        }
        if self.options.rating_version is not None:
            config["rating_version"] = self.options.rating_version
        return config

    def is_that_of(self, run: RatingRun) -> bool:
        """Whether an unfinished run is the one that is asked for."""
        config = self.to_config()
        return run.run_kind == "rerate" and all(
            run.config.get(name) == config[name] for name in ("filter", "options")
        )


def _given(values: Any) -> dict[str, Any]:
    given = {name: value for name, value in asdict(values).items() if value}
    if given.get("zone") == "utc":
        del given["zone"]
    # zero seconds is a duration
    if getattr(values, "new_seconds", None) is not None:
        given["new_seconds"] = values.new_seconds
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def parse_seconds(text: str) -> Decimal | None:
    """`60` or `59.5` as seconds; nothing as not said."""
    if not text.strip():
        return None
    try:
        value = Decimal(text.strip())
    except ArithmeticError as error:
        raise RerateRefused(f"'{text}' is not a number of seconds") from error
    if not value.is_finite():
        raise RerateRefused(f"'{text}' is not a number of seconds")
    return value


def parse_instant(text: str) -> datetime | None:
    """`2026-10-31T12:00:00Z` as an instant; nothing as not said."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise RerateRefused(
            f"'{text}' is not an instant; write it as 2026-10-31T12:00:00Z"
        ) from error


# -- the query -----------------------------------------------------------------------------------


class _Conditions:
    """Builds the condition, and its values, from what was asked."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._codes: dict[str, dict[str, list[int]]] = {}

    def of(self, asked: RerateFilter) -> str:
        lists = {
            "account": asked.accounts, "bill_group": asked.bill_groups, "source": asked.sources,
            "carrier": asked.carriers, "plan": asked.plans, "retail_deck": asked.retail_decks,
            "cost_deck": asked.cost_decks, "usage_type": asked.usage_types,
            "charge_class": asked.charge_classes, "direction": asked.directions,
            "reason": asked.reasons, "release_cause": asked.release_causes, "file": asked.files,
            "usage_id": asked.usage_ids, "run": asked.rated_by_runs,
        }  # fmt: skip
        found = [*self._dates(asked)]
        found += [self._leaf(name, "is", list(given)) for name, given in lists.items() if given]
        found.append(self._leaf("state", "is", list(asked.states or STATES[:3])))
        if asked.prefixes:
            found.append(self._leaf("called_number", "starts_with", list(asked.prefixes)))
        if asked.minimum_seconds is not None:
            found.append(self._leaf("seconds", "at_least", asked.minimum_seconds))
        if asked.where:
            found.append(self._group(asked.where))
        return "\n    and ".join(found)

    def _dates(self, asked: RerateFilter) -> list[str]:
        found = []
        for day, sign, spread in (
            (asked.started_from, ">=", "-"), (asked.started_before, "<", "+"),
        ):  # fmt: skip
            if day is None:
                continue
            # In UTC, and a day around it where each account has its own: literals prune partitions.
            margin = f" {spread} interval '1 day'" if asked.zone == "account" else ""
            found.append(
                self._sql(f"u.started_at {sign} %s::date::timestamp at time zone 'UTC'", day)
                + margin
            )
            if asked.zone == "account":
                found.append(
                    self._sql(
                        f"u.started_at {sign} %s::date::timestamp at time zone coalesce((\n"
                        "        select a.time_zone from reference.account as a\n"
                        "        where a.account_id = u.account_id and "
                        "a.recorded_to = 'infinity'\n"
                        "            and u.started_at >= a.valid_from and "
                        "u.started_at < a.valid_to\n"
                        "    ), 'UTC')",
                        day,
                    )
                )
        return found

    def _group(self, node: Any) -> str:
        if not isinstance(node, Mapping):
            raise RerateRefused(f"a condition is an object, not {node!r}")
        for word, joined in (("any", " or "), ("all", " and ")):
            if set(node) == {word}:
                if not isinstance(node[word], list) or not node[word]:
                    raise RerateRefused(f"'{word}' takes a list of conditions")
                return "(" + joined.join(self._group(child) for child in node[word]) + ")"
        if set(node) == {"not"}:
            return f"(not coalesce({self._group(node['not'])}, false))"
        operators = [name for name in node if name != "field"]
        if "field" not in node or len(operators) != 1:
            raise RerateRefused(
                "a condition is any, all or not of others, or a field with one of "
                f"{', '.join(_OPERATORS)}; not {dict(node)}"
            )
        return self._leaf(node["field"], operators[0], node[operators[0]])

    def _leaf(self, name: Any, operator: str, value: Any) -> str:
        _require_one_of("field", name, FIELDS)
        _require_one_of("operator", operator, _OPERATORS)
        values = value if isinstance(value, list) else [value]
        if operator in ("is", "is_not"):
            condition = self._equal(name, values)
            return condition if operator == "is" else f"(not coalesce({condition}, false))"
        if operator == "starts_with":
            if name not in _TEXTS:
                raise RerateRefused(f"{name} is not a text: it cannot be asked by starts_with")
            prefixes = [str(v).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
                        for v in values]  # fmt: skip
            return self._sql(f"{_TEXTS[name]} like any(%s)", prefixes)
        if name not in _NUMBERS:
            raise RerateRefused(f"{name} is not a number: it cannot be asked by {operator}")
        (number,) = self._as_numbers(name, values) if len(values) == 1 else (None,)
        if number is None:
            raise RerateRefused(f"{operator} takes one number")
        sign = ">=" if operator == "at_least" else "<"
        return self._sql(f"{_NUMBERS[name]} {sign} %s", number)

    def _equal(self, name: str, values: Sequence[Any]) -> str:
        if name in _CODES:
            column, _ = _CODES[name]
            ids = [number for value in values for number in self._ids(name, value)]
            return self._sql(f"{column} = any(%s)", sorted(ids))
        if name in _TEXTS:
            texts = [str(value) for value in values]
            if name == "release_cause":
                # Files say it as a code, as words, or not at all; then how the call ended remains.
                return self._sql(
                    "lower(coalesce(u.release_cause, u.disposition)) = any(%s)",
                    [text.lower() for text in texts],
                )
            return self._sql(f"{_TEXTS[name]} = any(%s)", texts)
        return self._sql(f"{_NUMBERS[name]} = any(%s)", self._as_numbers(name, values))

    @staticmethod
    def _as_numbers(name: str, values: Sequence[Any]) -> list[Decimal]:
        try:
            numbers = [Decimal(str(value)) for value in values]
        except ArithmeticError as error:
            raise RerateRefused(f"{name} is a number; {values} is none") from error
        if not all(number.is_finite() for number in numbers):
            raise RerateRefused(f"{name} is a number; {values} is none")
        return numbers

    def _ids(self, name: str, value: Any) -> list[int]:
        if name not in self._codes:
            self._cursor.execute(_CODES[name][1])
            known: dict[str, list[int]] = {}
            for code, number in self._cursor.fetchall():
                known.setdefault(code, []).append(number)
            self._codes[name] = known
        _require_one_of(name.replace("_", " "), value, tuple(self._codes[name]))
        return self._codes[name][value]

    def _sql(self, text: str, value: Any) -> str:
        # The text is shown to the one who asked, so values stand in it.
        return self._cursor.mogrify(text, (value,)).decode()


def _require_one_of(what: str, value: Any, known: Sequence[str]) -> None:
    if value in known:
        return
    near = get_close_matches(str(value), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    if not hint and len(known) <= 30:
        hint = f"; there is {', '.join(sorted(known))}"
    raise RerateRefused(f"there is no {what} '{value}'{hint}")


def query_of(cursor: Any, request: Request) -> str:
    """The query of the legs that are asked for, as it is shown to the user."""
    if not relation_exists(cursor, "", "rating", "current_rated_usage"):
        raise RerateRefused("nothing is rated yet: rate something first (ratehouse rate)")
    condition = _Conditions(cursor).of(request.filter)
    if request.as_of_run:
        condition += f"\n    and u.rating_run_id <= {int(request.as_of_run)}"
    return (
        "select u.usage_id, u.account_id, u.file_id, u.line_no, u.leg_no, u.usage_type,\n"
        "    u.started_at, u.period_month, u.billable_seconds, u.rating_run_id\n"
        f"from rating.current_rated_usage as u\nwhere\n    {condition}"
    )


# -- choosing and opening ------------------------------------------------------------------------


@dataclass(frozen=True)
class Chosen:
    """What a filter has found in the open transaction; it stands in a temporary table."""

    record_count: int
    leg_count: int
    file_ids: tuple[int, ...]
    sql: str


def choose(cursor: Any, request: Request) -> Chosen:
    """Find the legs and keep them for the length of the transaction."""
    query = query_of(cursor, request)
    cursor.execute(f"create temporary table rerate_chosen on commit drop as\n{query}")
    cursor.execute("analyze rerate_chosen")
    cursor.execute(
        "select count(distinct (file_id, line_no)), count(*), "
        "coalesce(array_agg(distinct file_id), '{}') from rerate_chosen"
    )
    records, legs, files = cursor.fetchone()
    return Chosen(records, legs, tuple(files), query)


def last_closed_run(cursor: Any) -> int:
    """The latest run that counts: what a preview saw is of runs up to it."""
    cursor.execute(
        "select coalesce(max(rating_run_id), 0) from control.rating_run "
        "where build_schema = '' and status = 'closed'"
    )
    return cursor.fetchone()[0]


def add_changes(
    cursor: Any, run_id: int, request: Request, *, reason: str, requested_by: str
) -> None:
    """Write the work set by record, and what is changed about its records."""
    cursor.execute(
        "insert into control.rating_run_record (rating_run_id, file_id, line_no) "
        "select distinct %s::bigint, file_id, line_no from rerate_chosen",
        (run_id,),
    )
    options = request.options
    if options.new_seconds is not None or options.as_received:
        cursor.execute(
            """
            insert into control.duration_correction (
                rating_run_id, file_id, line_no, seconds_before, new_seconds, reason, requested_by
            )
            select distinct on (c.file_id, c.line_no) %(run)s::bigint, c.file_id, c.line_no,
                c.billable_seconds, %(seconds)s, %(reason)s, %(by)s
            from rerate_chosen as c
            where %(seconds)s::numeric is not null or exists (
                select from control.duration_correction as d
                inner join control.rating_run as r on d.rating_run_id = r.rating_run_id
                where d.file_id = c.file_id and d.line_no = c.line_no and r.status = 'closed'
            )
            order by c.file_id, c.line_no, c.leg_no
            """,
            {
                "run": run_id,
                "seconds": options.new_seconds,
                "reason": reason,
                "by": requested_by,
            },
        )
    if options.retail_deck or options.cost_deck:
        decks = [_deck(cursor, options.retail_deck, "retail")]
        decks.append(_deck(cursor, options.cost_deck, "wholesale"))
        cursor.execute(
            """
            insert into control.deck_choice (
                rating_run_id, file_id, line_no, leg_no, retail_deck_id, cost_deck_id
            )
            select %(run)s::bigint, c.file_id, c.line_no, c.leg_no,
                case when c.usage_type = %(retail_type)s then %(retail)s::integer end,
                case when c.usage_type = %(cost_type)s then %(cost)s::integer end
            from rerate_chosen as c
            where c.usage_type = %(retail_type)s or c.usage_type = %(cost_type)s
            """,
            {
                "run": run_id,
                "retail": decks[0][0],
                "retail_type": decks[0][1],
                "cost": decks[1][0],
                "cost_type": decks[1][1],
            },
        )


def _deck(cursor: Any, code: str, side: str) -> tuple[int | None, str | None]:
    if not code:
        return None, None
    cursor.execute(
        "select deck_code, deck_id, usage_type from reference.deck "
        "where side = %s and recorded_to = 'infinity'",
        (side,),
    )
    known = {row[0]: row[1:] for row in cursor.fetchall()}
    _require_one_of(f"{side} deck", code, tuple(known))
    return known[code]


def refuse_approved(cursor: Any) -> None:
    """Drafts that are approved hold what was seen: the approval comes back first."""
    cursor.execute(
        """
        select distinct to_char(d.period_month, 'YYYY-MM'), d.bill_group
        from rerate_chosen as c
        inner join reference.account as a
            on c.account_id = a.account_id and a.recorded_to = 'infinity'
        inner join control.invoice_run as d
            on c.period_month = d.period_month and a.bill_group = d.bill_group
        where d.build_schema = '' and d.status = 'approved'
        order by 1, 2
        """
    )
    found = cursor.fetchall()
    if found:
        drafts = ", ".join(f"{period} {group}" for period, group in found)
        raise RerateRefused(
            f"usage of approved drafts would change: {drafts}. Take the approval back first "
            "(ratehouse reopen), or post them: then the difference becomes an adjustment"
        )


def open_rerate_run(
    connection: Any, request: Request, *, reason: str, build_schema: str = "", **opening: Any
) -> RatingRun | None:
    """Begin to rate again; an unfinished run comes first, whatever it was.

    ``opening`` is what every run remembers about its making: requested_by, code_commit,
    code_is_dirty, orchestrator_run_id. None when nothing fits.
    """
    require_production(build_schema)
    reason = require_reason(reason)

    def add_work(cursor: Any, run_id: int) -> int:
        chosen = choose(cursor, request)
        if not chosen.record_count:
            return 0
        refuse_approved(cursor)
        add_changes(cursor, run_id, request, reason=reason, requested_by=opening["requested_by"])
        cursor.execute(
            "insert into control.rating_run_file "
            "(rating_run_id, file_id, build_schema, is_initial) "
            "select distinct %s::bigint, file_id, '', false from rerate_chosen",
            (run_id,),
        )
        _remember(cursor, run_id, chosen)
        return len(chosen.file_ids)

    return open_run(
        connection,
        "rerate",
        add_work,
        reason=reason,
        config=request.to_config(),
        known_at=request.options.known_at,
        **opening,
    )


def _remember(cursor: Any, run_id: int, chosen: Chosen) -> None:
    """The query, and between which times the rows stand that are replaced."""
    cursor.execute(
        "select to_char(min(started_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00',"
        " to_char(max(started_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00',"
        " bool_and(started_at is not null) from rerate_chosen"
    )
    first, last, have_all_a_time = cursor.fetchone()
    known: dict[str, Any] = {"sql": chosen.sql, "records": chosen.record_count}
    if have_all_a_time:
        known |= {"replaces_from": first, "replaces_to": last}
    cursor.execute(
        "update control.rating_run set config = config || %s where rating_run_id = %s",
        (Json(known), run_id),
    )


def arrived_since(connection: Any, request: Request, done: Sequence[int] = ()) -> int:
    """Records that fit by now and were not there as of the run that the request names.

    Those that the runs ``done`` have just rated again are left out.
    """
    if not request.as_of_run:
        return 0
    with connection, connection.cursor() as cursor:
        # executed with values beside it: its own percent signs are no places for them
        query = query_of(cursor, replace(request, as_of_run=0)).replace("%", "%%")
        cursor.execute(
            "select count(distinct (c.file_id, c.line_no)) "
            f"from ({query}) as c "
            "where c.rating_run_id > %s and c.rating_run_id <> all(%s::bigint[])",
            (request.as_of_run, list(done)),
        )
        return cursor.fetchone()[0]


def require_production(build_schema: str) -> None:
    """Re-rating and undo belong to production: a build of its own has runs of its own."""
    if build_schema:
        raise RerateRefused(
            f"usage is rated again in production, not in the build schema '{build_schema}' "
            "(RATEHOUSE_BUILD_SCHEMA)"
        )


def require_reason(reason: str) -> str:
    """Why: it is kept with the run."""
    if not reason.strip():
        raise RerateRefused("a reason is needed: say why, it is kept with the run")
    return reason.strip()


def filter_names() -> tuple[str, ...]:
    """Names of the plain filters."""
    return tuple(f.name for f in fields(RerateFilter))
