"""The kinds of reference data: what identifies a row and which codes it may name."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """One table of reference.*, as far as its catalogue does not say it."""

    name: str
    # What the exclusion constraint keeps unambiguous at any instant.
    key: tuple[str, ...]
    # Column -> (kind, column) of the code it names.
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    # Kinds with an id of their own take it from reference.<name>_key.
    has_id: bool = False
    # Rows the warehouse itself made; a full load leaves them alone.
    built_in: str = "false"
    # Columns in which somebody may write a secret by mistake: refusals do not repeat them.
    hidden: frozenset[str] = frozenset()

    @property
    def code_column(self) -> str:
        return f"{self.name}_code"


# In the order in which they may name one another.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("rating_version", ("subject",)),
        Kind("lata", ("npanxx",)),
        Kind(
            "local_calling_area",
            ("calling_area_code", "from_state", "from_rate_centre", "to_state", "to_rate_centre"),
        ),
        Kind("usf_factor", ("fund_code",)),
        Kind("usf_safe_harbour", ("harbour_code",)),
        # Before the accounts: their prices must be convertible when they are loaded.
        Kind("exchange_rate", ("rate_source", "from_currency", "to_currency")),
        Kind("calendar", ("calendar_code",)),
        Kind(
            "calendar_day",
            ("calendar_code", "calendar_date"),
            {"calendar_code": ("calendar", "calendar_code")},
        ),
        Kind(
            "deck",
            ("deck_code",),
            {
                "calendar_code": ("calendar", "calendar_code"),
                "operator_deck_code": ("deck", "deck_code"),
                "local_deck_code": ("deck", "deck_code"),
                "calling_area_code": ("local_calling_area", "calling_area_code"),
            },
            has_id=True,
        ),
        Kind(
            "plan",
            ("plan_code",),
            {
                column: ("deck", "deck_code")
                for column in (
                    "deck_code", "inbound_deck_code", "sms_deck_code", "inbound_sms_deck_code",
                    "mms_deck_code", "data_deck_code",
                )
            },
            has_id=True,
        ),
        Kind("visited_network", ("network_code",)),
        Kind(
            "roaming_deck",
            ("plan_code", "zone_code", "usage_type"),
            {
                "plan_code": ("plan", "plan_code"),
                "deck_code": ("deck", "deck_code"),
                "inbound_deck_code": ("deck", "deck_code"),
            },
        ),
        Kind(
            "account",
            ("account_code",),
            {"plan_code": ("plan", "plan_code")},
            has_id=True,
            built_in="account_id = 0",
        ),
        Kind(
            "service",
            ("service_code",),
            {"account_code": ("account", "account_code"), "plan_code": ("plan", "plan_code")},
            has_id=True,
        ),
        Kind(
            "service_identifier",
            ("identifier_kind", "identifier_value"),
            {"service_code": ("service", "service_code")},
        ),
        Kind("discount", ("discount_code", "price_scope", "scope_code")),
        Kind(
            "surcharge",
            ("surcharge_code", "price_scope", "scope_code"),
            {
                "fund_code": ("usf_factor", "fund_code"),
                "harbour_code": ("usf_safe_harbour", "harbour_code"),
            },
        ),
        Kind("tax_rate", ("tax_code", "jurisdiction")),
        Kind(
            "exemption",
            ("account_code", "exempt_from", "exempt_code", "jurisdiction"),
            {"account_code": ("account", "account_code")},
        ),
        Kind("destination_group", ("destination_group_code", "prefix")),
        Kind("tier_schedule", ("schedule_code",)),
        Kind(
            "tier",
            ("schedule_code", "above"),
            {"schedule_code": ("tier_schedule", "schedule_code")},
        ),
        Kind(
            "volume_price",
            ("volume_code", "price_scope", "scope_code"),
            {
                "schedule_code": ("tier_schedule", "schedule_code"),
                "destination_group_code": ("destination_group", "destination_group_code"),
            },
        ),
        Kind("spend_limit", ("limit_code", "price_scope", "scope_code")),
        Kind("allowance", ("allowance_code",), {"plan_code": ("plan", "plan_code")}),
        Kind(
            "allowance_rule",
            (
                "allowance_code", "usage_type", "charge_class", "direction",
                "destination_group_code",
            ),
            {"allowance_code": ("allowance", "allowance_code")},
        ),
        Kind("allowance_pool", ("member_kind", "member_code")),
        Kind(
            "allowance_purchase",
            ("purchase_code",),
            {
                "allowance_code": ("allowance", "allowance_code"),
                "account_code": ("account", "account_code"),
                "service_code": ("service", "service_code"),
                "pool_code": ("allowance_pool", "pool_code"),
            },
        ),
        Kind(
            "rate",
            ("deck_code", "prefix", "jurisdiction"),
            {"deck_code": ("deck", "deck_code")},
        ),
        Kind(
            "time_band",
            ("deck_code", "band_code", "weekdays", "from_time", "day_class"),
            {"deck_code": ("deck", "deck_code")},
        ),
        Kind(
            "band_rate",
            ("deck_code", "prefix", "jurisdiction", "band_code"),
            {"deck_code": ("deck", "deck_code")},
        ),
        Kind(
            "rate_step",
            ("deck_code", "prefix", "jurisdiction", "from_second"),
            {"deck_code": ("deck", "deck_code")},
        ),
        Kind(
            "charge_tariff",
            ("charge_tariff_code", "product_code", "price_scope", "scope_code"),
            {"usf_safe_harbour": ("usf_safe_harbour", "harbour_code")},
        ),
        Kind(
            "source",
            ("source_code",),
            {
                "cost_deck_code": ("deck", "deck_code"),
                "charge_tariff_code": ("charge_tariff", "charge_tariff_code"),
            },
            has_id=True,
            built_in="source_code like 'unassigned\\_%'",
        ),
        Kind(
            "collector",
            ("collector_code",),
            hidden=frozenset({"password_from", "private_key_from"}),
        ),
        Kind("fraud_range", ("prefix",)),
        # Account * stands for all others.
        Kind("spend_alarm", ("account_code", "per_period")),
        Kind(
            "confirmed_fraud", ("case_code",), {"account_code": ("account", "account_code")}
        ),
        Kind("invoice_numbering", ("bill_group",)),
        Kind("late_policy", ("late_scope", "scope_code")),
        Kind("billing_gate", ("bill_group", "gate_code", "measure")),
        Kind("seller", ("legal_entity",)),
        Kind(
            "billing_address", ("account_code",), {"account_code": ("account", "account_code")}
        ),
        Kind("npa", ("npa",)),
        Kind("npanxx", ("npanxx",)),
    )
}
