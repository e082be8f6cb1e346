"""Checks on volume prices, commitments and caps: what would leave a quantity without a price.

Each check is a query over the file (load_row) together with the rows that stay in force beside it.
"""

from __future__ import annotations

from loaders.reference.bands import Check

# The tiers there will be: those of the file, and those known that no row of the file replaces.
_TIERS = """
    (
        select n.line, n.schedule_code, n.above, n.up_to, n.valid_from, n.valid_to
        from load_row as n
        union all
        select null, c.schedule_code, c.above, c.up_to, c.valid_from, c.valid_to
        from reference.tier as c
        where c.recorded_to = 'infinity'
            and exists (select from load_row as n where n.schedule_code = c.schedule_code)
            and not exists (
                select from load_row as n
                where n.schedule_code = c.schedule_code and n.above = c.above
                    and n.valid_from = c.valid_from
            )
    )
"""
# Side by side, at each moment at which one begins or ends.
_NEIGHBOURS = f"""
    (
        select i.schedule_code, i.at, t.line, t.above, t.up_to,
            lag(t.up_to) over w as up_to_before, lag(t.above) over w as above_before,
            row_number() over w = 1 as is_first,
            row_number() over (partition by i.schedule_code, i.at order by t.above desc) = 1
                as is_last,
            first_value(t.line) over (
                partition by i.schedule_code, i.at order by t.line nulls last
            ) as any_line
        from (
            select distinct b.schedule_code, e.at
            from {_TIERS} as b, lateral (values (b.valid_from), (b.valid_to)) as e (at)
        ) as i
        inner join {_TIERS} as t
            on t.schedule_code = i.schedule_code and t.valid_from <= i.at and t.valid_to > i.at
        window w as (partition by i.schedule_code, i.at order by t.above)
    )
"""
_KNOWN_SCHEDULE = (
    "inner join reference.tier_schedule as s on s.schedule_code = n.schedule_code "
    "and s.recorded_to = 'infinity' and s.valid_from < n.valid_to and s.valid_to > n.valid_from"
)
# The volume prices there will be, each with what its schedule counts.
_PRICES = """
    (
        select p.*, s.measure, s.unit_size
        from (
            select line, volume_code, price_scope, scope_code, schedule_code, counter,
                counter_period, anchor_month, valid_from
            from load_row
            union all
            select null, c.volume_code, c.price_scope, c.scope_code, c.schedule_code, c.counter,
                c.counter_period, c.anchor_month, c.valid_from
            from reference.volume_price as c
            where c.recorded_to = 'infinity' and not exists (
                select from load_row as n
                where n.volume_code = c.volume_code and n.price_scope = c.price_scope
                    and n.scope_code = c.scope_code and n.valid_from = c.valid_from
            )
        ) as p
        inner join (
            select distinct on (schedule_code) schedule_code, measure, unit_size
            from reference.tier_schedule where recorded_to = 'infinity'
            order by schedule_code, valid_from desc
        ) as s on s.schedule_code = p.schedule_code
    )
"""
_CLASSES = (
    "array['local', 'intrastate', 'interstate', 'indeterminate', 'international', 'toll_free', "
    "'premium', 'directory', 'operator', 'inbound', 'messages', 'data']"
)


def _tier(broken: str, value: str, words: str) -> str:
    return (
        f"select distinct on (q.schedule_code) coalesce(q.line, q.any_line), "
        f"trim_scale(q.{value})::text, {words} from {_NEIGHBOURS} as q where {broken} "
        f"order by q.schedule_code, q.line, q.above, q.at"
    )


_CHECKS: dict[str, tuple[Check, ...]] = {
    "tier": (
        Check(
            "above",
            "is where the first tier of schedule {0} begins; it must be above 0",
            _tier("q.is_first and q.above > 0", "above", "q.schedule_code"),
        ),
        Check(
            "above",
            "schedule {0} has no tier for quantities above {1}, up to {2}",
            _tier(
                "q.above > q.up_to_before", "above",
                "q.schedule_code, trim_scale(q.up_to_before)::text, trim_scale(q.above)::text",
            ),
        ),
        Check(
            "above",
            "overlaps the tier of schedule {0} above {1}, which goes up to {2}",
            _tier(
                "not q.is_first and (q.up_to_before is null or q.above < q.up_to_before)", "above",
                "q.schedule_code, trim_scale(q.above_before)::text, "
                "coalesce(trim_scale(q.up_to_before)::text, 'any quantity')",
            ),
        ),
        Check(
            "up_to",
            "is the end of schedule {0}: leave it empty in the last tier, so that every quantity "
            "has a price",
            _tier("q.is_last and q.up_to is not null", "up_to", "q.schedule_code"),
        ),
        Check(
            "schedule_code",
            "is priced by packages and has no tiers",
            f"select n.line, n.schedule_code from load_row as n {_KNOWN_SCHEDULE} "
            f"where s.pricing = 'package'",
        ),
        Check(
            "rate_percent",
            "is only for schedules that count an amount, and {0} counts {1}",
            f"select n.line, trim_scale(n.rate_percent)::text, n.schedule_code, s.measure "
            f"from load_row as n {_KNOWN_SCHEDULE} "
            f"where n.rate_percent is not null and s.measure <> 'amount'",
        ),
    ),
    "volume_price": (
        Check(
            "schedule_code",
            "has no tiers: load them first (kind tier)",
            f"select n.line, n.schedule_code from load_row as n {_KNOWN_SCHEDULE} "
            f"where s.pricing <> 'package' and not exists (select from reference.tier as t "
            f"where t.schedule_code = n.schedule_code and t.recorded_to = 'infinity' "
            f"and t.valid_from < n.valid_to and t.valid_to > n.valid_from)",
        ),
        Check(
            "schedule_code",
            "does not hold for the whole time of this row",
            "select n.line, n.schedule_code from load_row as n where not coalesce(("
            "select tstzmultirange(tstzrange(n.valid_from, n.valid_to)) "
            "<@ range_agg(s.valid_during) from reference.tier_schedule as s "
            "where s.schedule_code = n.schedule_code and s.recorded_to = 'infinity'), true)",
        ),
        Check(
            "usage_type",
            "must be given: schedule {0} counts {1}, which are others for each type of usage",
            f"select n.line, n.usage_type, n.schedule_code, s.measure "
            f"from load_row as n {_KNOWN_SCHEDULE} "
            f"where n.usage_type is null and s.measure = 'billed_units'",
        ),
        Check(
            "usage_type",
            "must be voice: schedule {0} counts seconds of calls",
            f"select n.line, n.usage_type, n.schedule_code from load_row as n {_KNOWN_SCHEDULE} "
            f"where n.usage_type <> 'voice' and s.measure = 'real_seconds'",
        ),
        Check(
            "schedule_code",
            "counts {0} in units of {1}, and other rows of {2} count {3} in units of {4}",
            f"select distinct on (n.line) n.line, n.schedule_code, n.measure, "
            f"trim_scale(n.unit_size)::text, n.volume_code, o.measure, "
            f"trim_scale(o.unit_size)::text from {_PRICES} as n inner join {_PRICES} as o "
            f"on o.volume_code = n.volume_code where n.line is not null "
            f"and (o.measure, o.unit_size) <> (n.measure, n.unit_size) "
            f"and (o.line is null or o.line < n.line) order by n.line",
        ),
        Check(
            "counter",
            "is shared by the bill group: all rows of {0} need the same counter, counter_period "
            "and anchor_month",
            f"select distinct on (n.line) n.line, n.counter, n.volume_code "
            f"from {_PRICES} as n inner join {_PRICES} as o "
            f"on o.volume_code = n.volume_code where n.line is not null "
            f"and 'group' in (n.counter, o.counter) "
            f"and (o.counter, o.counter_period, o.anchor_month) "
            f"<> (n.counter, n.counter_period, n.anchor_month) "
            f"and (o.line is null or o.line < n.line) order by n.line",
        ),
        Check(
            "scope_code",
            "has a deck of {0} in {1}, and schedule {2} is in {3}",
            f"select distinct on (n.line) n.line, n.scope_code, d.usage_type, d.currency_code, "
            f"n.schedule_code, s.currency_code from load_row as n {_KNOWN_SCHEDULE} "
            f"inner join reference.plan as p on p.plan_code = n.scope_code "
            f"and p.recorded_to = 'infinity' "
            f"inner join reference.deck as d on d.recorded_to = 'infinity' "
            f"and d.deck_code = any (array[p.deck_code, p.inbound_deck_code, p.sms_deck_code, "
            f"p.inbound_sms_deck_code, p.mms_deck_code, p.data_deck_code]) "
            f"and (n.usage_type is null or d.usage_type = n.usage_type) "
            f"where n.price_scope = 'plan' and d.currency_code <> s.currency_code "
            f"order by n.line, d.deck_code",
        ),
    ),
    "spend_limit": (
        Check(
            "currency_code",
            "is not that of account {0}, which pays in {1}",
            "select n.line, n.currency_code, a.account_code, a.currency_code from load_row as n "
            "inner join reference.account as a on a.account_code = n.scope_code "
            "and a.recorded_to = 'infinity' and a.valid_from < n.valid_to "
            "and a.valid_to > n.valid_from "
            "where n.price_scope = 'account' and a.currency_code <> n.currency_code",
        ),
    ),
}
_CLASS_CHECK = Check(
    "charge_classes",
    "{0} is no charge class; they are " + _CLASSES[6:-1].replace("'", ""),
    "select n.line, n.charge_classes, w.word from load_row as n, "
    "regexp_split_to_table(n.charge_classes, ' ') as w (word) "
    f"where n.charge_classes <> '' and w.word <> all ({_CLASSES})",
)


def volume_checks(kind: str) -> tuple[Check, ...]:
    """What is checked of a file of this kind."""
    if kind == "volume_price":
        return (_CLASS_CHECK, *_CHECKS[kind])
    return _CHECKS.get(kind, ())


# CHECK constraints in words: the columns they are on, the column to blame, what to say.
VOLUME_WORDS = {
    frozenset({"pricing", "package_size", "package_price"}): (
        "package_size", "and package_price must be given when pricing is package, and only then",
    ),
    frozenset({"above", "up_to"}): ("up_to", "must be more than above"),
    frozenset({"unit_price", "flat_fee", "rate_percent"}): (
        "unit_price", "flat_fee and rate_percent: give at least one of the three",
    ),
    frozenset({"limit_rule", "line_kinds"}): (
        "line_kinds", "a minimum cannot count commitments: it is one",
    ),
}  # fmt: skip
