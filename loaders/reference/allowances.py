"""Checks on allowances: what nothing could ever take from, and pools that nobody could invoice.

Each check is a query over the file (load_row) together with the rows that stay in force beside it.
"""

from __future__ import annotations

from loaders.reference.bands import Check

# CHECK constraints on several columns: the columns, and what to say.
ALLOWANCE_WORDS = {
    frozenset({"unit", "currency_code"}): (
        "currency_code", "must be given when unit is money, and only then",
    ),
    frozenset({"unit", "consumes"}): ("consumes", "may be real for seconds only"),
    frozenset({"granted_per", "shared_by"}): (
        "shared_by", "must be account or pool when granted_per is account",
    ),
    frozenset({"plan_code", "grant_rule"}): (
        "grant_rule", "must be each_period when the allowance is of a plan",
    ),
    frozenset({"grant_rule", "rollover_percent"}): (
        "rollover_percent",
        "must be 0 when grant_rule is once: such units last as long as they were bought for",
    ),
    frozenset({"account_code", "service_code", "pool_code"}): (
        "account_code", "service_code and pool_code: give exactly one of the three",
    ),
}  # fmt: skip
_DECKS = (
    "array[p.deck_code, p.inbound_deck_code, p.sms_deck_code, p.inbound_sms_deck_code, "
    "p.mms_deck_code, p.data_deck_code]"
)


def _is_member(kind: str) -> Check:
    return Check(
        "member_code",
        f"there is no such {kind}",
        f"select line, member_code from load_row as n where member_kind = '{kind}' "
        f"and not exists (select from reference.{kind} as c "
        f"where c.{kind}_code = n.member_code and c.recorded_to = 'infinity')",
    )


_CHECKS = {
    "allowance": (
        Check(
            "currency_code",
            "is not the currency of deck {0} of the plan, {1}: nothing could take from it",
            "select distinct on (n.line) n.line, n.currency_code, d.deck_code, "
            "d.currency_code as deck_currency from load_row as n "
            "inner join reference.plan as p "
            "on p.plan_code = n.plan_code and p.recorded_to = 'infinity' "
            "inner join reference.deck as d "
            f"on d.deck_code = any ({_DECKS}) and d.recorded_to = 'infinity' "
            "where n.currency_code <> d.currency_code order by n.line, d.deck_code",
        ),
    ),
    "allowance_rule": (
        Check(
            "destination_group_code",
            "there is no such destination group",
            "select line, destination_group_code from load_row as n "
            "where destination_group_code <> 'any' and not exists "
            "(select from reference.destination_group as g where g.recorded_to = 'infinity' "
            "and g.destination_group_code = n.destination_group_code)",
        ),
    ),
    "allowance_purchase": (
        Check(
            "valid_from",
            "must be given: the units are granted then, once",
            "select n.line, null::text from load_row as n inner join reference.allowance as a "
            "on a.allowance_code = n.allowance_code and a.recorded_to = 'infinity' "
            "where n.valid_from = '-infinity' "
            "and (a.grant_rule = 'once' or n.counts_as = 'rollover')",
        ),
    ),
    "allowance_pool": (
        _is_member("account"),
        _is_member("service"),
        Check(
            "pool_code",
            "has members of several bill groups, {0} and {1}: they are not invoiced together",
            "select n.line, n.pool_code, g.lowest, g.highest from load_row as n inner join ("
            "select m.pool_code, min(a.bill_group) as lowest, max(a.bill_group) as highest "
            "from (select pool_code, member_kind, member_code from load_row union "
            "select pool_code, member_kind, member_code from reference.allowance_pool "
            "where recorded_to = 'infinity' and valid_to = 'infinity') as m "
            "left join reference.service as s on m.member_kind = 'service' "
            "and s.service_code = m.member_code and s.recorded_to = 'infinity' "
            "inner join reference.account as a "
            "on a.account_code = case m.member_kind when 'service' then s.account_code "
            "else m.member_code end "
            "and a.recorded_to = 'infinity' and a.valid_to = 'infinity' "
            "group by m.pool_code) as g on g.pool_code = n.pool_code "
            "where g.lowest <> g.highest",
        ),
    ),
}


def allowance_checks(kind: str) -> tuple[Check, ...]:
    """What is asked of a file of this kind."""
    return _CHECKS.get(kind, ())
