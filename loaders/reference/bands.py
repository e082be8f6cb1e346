"""Checks on time bands and their prices: what would leave a call without a clear price.

Each check is a query over the file (load_row) together with the rows that stay in force beside it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """Rows that a query finds (line, value, words for the reason) are refused."""

    column: str
    reason: str
    query: str


# Stretches of local days, numbered from Monday; a band over midnight is two stretches.
_STRETCHES = """
    (
        select b.*, d.weekday, 0 as shift, t.from_s,
            case when t.to_s > t.from_s then t.to_s else 86400 end as to_s
        from {rows} as b, generate_series(1, 7) as d (weekday), lateral (
            select {from_time} as from_s, {to_time} as to_s
        ) as t
        where exists (
            select from regexp_split_to_table(b.weekdays, ',') as w (days)
            where d.weekday between left(w.days, 1)::integer and right(w.days, 1)::integer
        )
        union all
        select b.*, d.weekday %% 7 + 1, 1, 0, t.to_s
        from {rows} as b, generate_series(1, 7) as d (weekday), lateral (
            select {from_time} as from_s, {to_time} as to_s
        ) as t
        where t.to_s <= t.from_s and t.to_s > 0 and exists (
            select from regexp_split_to_table(b.weekdays, ',') as w (days)
            where d.weekday between left(w.days, 1)::integer and right(w.days, 1)::integer
        )
    )
"""
_SECONDS = (
    "(substr({0}, 1, 2)::integer * 3600 + substr({0}, 4, 2)::integer * 60 "
    "+ coalesce(nullif(substr({0}, 7, 2), ''), '0')::integer)"
)
# The bands there will be: those of the file, and those known that no row of the file replaces.
_BANDS = """
    (
        select line, deck_code, band_code, weekdays, from_time, to_time, day_class, weight,
            valid_from, valid_to
        from load_row
        union all
        select null, c.deck_code, c.band_code, c.weekdays, c.from_time, c.to_time, c.day_class,
            c.weight, c.valid_from, c.valid_to
        from reference.time_band as c
        where c.recorded_to = 'infinity' and not exists (
            select from load_row as n
            where n.deck_code = c.deck_code and n.band_code = c.band_code
                and n.weekdays = c.weekdays and n.from_time = c.from_time
                and n.day_class = c.day_class and n.valid_from = c.valid_from
        )
    )
"""
_KNOWN_BANDS = """
    (select null::bigint as line, * from reference.time_band where recorded_to = 'infinity')
"""
_WEEKDAYS = "(array['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])"
_KNOWN_STEPS = "reference.rate_step where recorded_to = 'infinity'"


def _stretches(rows: str) -> str:
    return _STRETCHES.format(
        rows=rows,
        from_time=_SECONDS.format("b.from_time"),
        to_time=_SECONDS.format("b.to_time"),
    )


def _gaps(rows: str, decks: str) -> str:
    """Decks of which, at some time when they have bands, some time of the week is in none."""
    return f"""
        select g.deck_code, {_WEEKDAYS}[g.weekday] as weekday,
            to_char(make_interval(secs => lower(g.gap)), 'HH24:MI') as from_time,
            case upper(g.gap) when 86400 then '24:00'
                else to_char(make_interval(secs => upper(g.gap)), 'HH24:MI') end as to_time
        from (
            select distinct on (o.deck_code) o.deck_code, o.weekday, gap
            from (
                select i.deck_code, d.weekday,
                    int4multirange(int4range(0, 86400)) - coalesce(
                        range_agg(int4range(s.from_s, s.to_s)) filter (where s.from_s >= 0),
                        '{{}}'
                    ) as gaps
                from (
                    select distinct b.deck_code, e.at
                    from {rows} as b, lateral (values (b.valid_from), (b.valid_to)) as e (at)
                    where exists (
                        select from {rows} as v where v.deck_code = b.deck_code
                            and v.valid_from <= e.at and v.valid_to > e.at
                    )
                ) as i
                cross join generate_series(1, 7) as d (weekday)
                left join {_stretches(rows)} as s
                    on s.deck_code = i.deck_code and s.weekday = d.weekday and s.day_class = ''
                    and s.valid_from <= i.at and s.valid_to > i.at
                group by i.deck_code, i.at, d.weekday
            ) as o
            cross join lateral unnest(o.gaps) as gap
            where o.deck_code in ({decks})
            order by o.deck_code, o.weekday, gap
        ) as g
    """


_CHECKS: dict[str, tuple[Check, ...]] = {
    "time_band": (
        Check(
            "weekdays",
            "must go from the earlier day to the later one, Monday being 1",
            "select line, weekdays from load_row where exists ("
            "select from regexp_split_to_table(weekdays, ',') as w (days) "
            "where left(w.days, 1) > right(w.days, 1))",
        ),
        Check(
            "to_time",
            "is also from_time: write 00:00 and 24:00 for the whole day",
            "select line, to_time from load_row where "
            + _SECONDS.format("from_time") + " = " + _SECONDS.format("to_time"),
        ),
        Check(
            "deck_code",
            "has no calendar_code: without a calendar nobody knows by which clock its bands go",
            "select line, n.deck_code from load_row as n where exists ("
            "select from reference.deck as d where d.deck_code = n.deck_code "
            "and d.recorded_to = 'infinity' and d.calendar_code is null)",
        ),
        Check(
            "weight",
            "and band {0} hold at the same time on {1} from {2} with the same weight; the higher "
            "weight must say which of the two counts",
            "select distinct on (a.line) a.line, a.weight::text, b.band_code, "
            f"{_WEEKDAYS}[a.weekday], "
            "to_char(make_interval(secs => greatest(a.from_s, b.from_s)), 'HH24:MI') "
            f"from {_stretches(_BANDS)} as a inner join {_stretches(_BANDS)} as b "
            "on a.deck_code = b.deck_code and a.band_code <> b.band_code "
            "and a.weight = b.weight and a.weekday = b.weekday "
            "and a.from_s < b.to_s and b.from_s < a.to_s "
            "and a.valid_from < b.valid_to and b.valid_from < a.valid_to "
            "and (a.day_class = '' or b.day_class = '' or a.day_class = b.day_class "
            "or a.shift <> b.shift) "
            "where a.line is not null order by a.line, b.band_code, a.weekday",
        ),
        Check(
            "band_code",
            "the bands of deck {0} leave {1} from {2} to {3} in no band; add one, or set "
            "uncovered_time of the deck to row_price",
            "select (select min(line) from load_row as l where l.deck_code = g.deck_code), "
            "(select min(l.band_code) from load_row as l where l.deck_code = g.deck_code), "
            "g.deck_code, g.weekday, g.from_time, g.to_time from ("
            + _gaps(
                _BANDS,
                "select d.deck_code from reference.deck as d inner join load_row as n "
                "on n.deck_code = d.deck_code where d.recorded_to = 'infinity' "
                "and d.uncovered_time = 'refused'",
            )
            + ") as g",
        ),
    ),
    "band_rate": (
        Check(
            "prefix",
            "the deck has no row of this prefix and jurisdiction for the band to belong to",
            "select line, prefix from load_row as n where not exists ("
            "select from reference.rate as r where r.deck_code = n.deck_code "
            "and r.prefix = n.prefix and r.jurisdiction = n.jurisdiction "
            "and r.recorded_to = 'infinity')",
        ),
        Check(
            "band_code",
            "the deck has no such time band",
            "select line, band_code from load_row as n where not exists ("
            "select from reference.time_band as b where b.deck_code = n.deck_code "
            "and b.band_code = n.band_code and b.recorded_to = 'infinity')",
        ),
        Check(
            "prefix",
            "has steps inside the call (rate_step), which cannot be combined with time bands",
            "select line, prefix from load_row as n where exists ("
            f"select from {_KNOWN_STEPS} and deck_code = n.deck_code "
            "and prefix = n.prefix and jurisdiction = n.jurisdiction)",
        ),
        Check(
            "price_per_minute",
            "is no price of the same kind as that of the rate row",
            "select n.line, coalesce(n.price_per_minute, n.price_per_call, n.price_per_unit)::text "
            "from load_row as n where exists (select from reference.rate as r "
            "where r.deck_code = n.deck_code and r.prefix = n.prefix "
            "and r.jurisdiction = n.jurisdiction and r.recorded_to = 'infinity' "
            "and r.status = 'open' and r.valid_from < n.valid_to and r.valid_to > n.valid_from "
            "and ((r.price_per_minute is null) <> (n.price_per_minute is null) "
            "or (r.price_per_call is null) <> (n.price_per_call is null)))",
        ),
        Check(
            "increment_seconds",
            "and minimum_seconds must be empty: deck {0} splits calls by increments, which are "
            "those of the rate row in every band",
            "select n.line, coalesce(n.increment_seconds, n.minimum_seconds)::text, n.deck_code "
            "from load_row as n where (n.increment_seconds is not null "
            "or n.minimum_seconds is not null) and exists (select from reference.deck as d "
            "where d.deck_code = n.deck_code and d.recorded_to = 'infinity' "
            "and d.straddle_policy = 'split_per_increment')",
        ),
    ),
    "rate_step": (
        Check(
            "prefix",
            "has prices in time bands (band_rate), which cannot be combined with steps",
            "select line, prefix from load_row as n where exists ("
            "select from reference.band_rate as b where b.deck_code = n.deck_code "
            "and b.prefix = n.prefix and b.jurisdiction = n.jurisdiction "
            "and b.recorded_to = 'infinity')",
        ),
        Check(
            "deck_code",
            "rounds the price of an increment (increment_amount_decimals), which cannot be "
            "combined with steps",
            "select line, deck_code from load_row as n where exists ("
            "select from reference.deck as d where d.deck_code = n.deck_code "
            "and d.recorded_to = 'infinity' and d.increment_amount_decimals is not null)",
        ),
    ),
    "deck": (
        Check(
            "calendar_code",
            "must not be empty: the deck has time bands",
            "select line, n.deck_code from load_row as n where calendar_code is null and exists ("
            "select from reference.time_band as b where b.deck_code = n.deck_code "
            "and b.recorded_to = 'infinity')",
        ),
        Check(
            "straddle_policy",
            "cannot split by increments: in a band the deck has another minimum or increment "
            "(prefix {0}, band {1})",
            "select distinct on (n.line) n.line, n.straddle_policy, b.prefix, b.band_code "
            "from load_row as n inner join reference.band_rate as b "
            "on b.deck_code = n.deck_code and b.recorded_to = 'infinity' "
            "and (b.increment_seconds is not null or b.minimum_seconds is not null) "
            "where n.straddle_policy = 'split_per_increment' order by n.line, b.prefix",
        ),
        Check(
            "increment_amount_decimals",
            "cannot be combined with steps (rate_step), which the deck has",
            "select line, increment_amount_decimals::text from load_row as n "
            "where increment_amount_decimals is not null and exists ("
            f"select from {_KNOWN_STEPS} and deck_code = n.deck_code)",
        ),
        Check(
            "uncovered_time",
            "the bands of the deck leave {0} from {1} to {2} in no band",
            "select n.line, n.uncovered_time, g.weekday, g.from_time, g.to_time "
            "from load_row as n inner join ("
            + _gaps(
                _KNOWN_BANDS,
                "select l.deck_code from load_row as l where l.uncovered_time = 'refused'",
            )
            + ") as g on g.deck_code = n.deck_code",
        ),
    ),
}


def band_checks(kind: str) -> tuple[Check, ...]:
    """What is checked of a file of this kind."""
    return _CHECKS.get(kind, ())


# CHECK constraints in words: the columns they are on, the column to blame, what to say.
BAND_WORDS = {
    frozenset({"zone_rule", "time_zone"}): (
        "time_zone", "must not be empty, unless zone_rule is account or source",
    ),
    frozenset({"price_per_minute", "price_per_call", "price_per_unit"}): (
        "price_per_minute", "price_per_call and price_per_unit: give one of the three",
    ),
    frozenset({"weekdays"}): (
        "weekdays", "must be days like 1-5 or 6,7, Monday being 1 and Sunday 7",
    ),
    frozenset({"from_time"}): ("from_time", "must be a time of day like 08:00"),
    frozenset({"to_time"}): ("to_time", "must be a time of day like 18:00, or 24:00"),
    frozenset({"day_class"}): ("day_class", "must be a word of small letters, digits and _"),
    frozenset({"band_code"}): ("band_code", "must not be empty"),
}  # fmt: skip
