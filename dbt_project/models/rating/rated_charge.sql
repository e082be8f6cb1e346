-- Grain: one row per charge line (SDR) and rating run: the whole decision about that charge.
-- Only rows of closed runs that no later run superseded count: read current_rated_charge.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='rating_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['rating_run_id', 'file_id'], 'type': 'brin'},
        {'columns': ['file_id', 'line_no'], 'type': 'brin'},
        {'columns': ['account_id', 'period_month']},
        {'columns': ['source_id', 'record_key_hash']},
    ]
) }}
{%- set invoiced_day -%}
    case
        when rounded.reason is null and rounded.invoice_timing = 'last_day'
            then coalesce(rounded.charged_to, rounded.period_to, rounded.period_from)::timestamp
        else rounded.period_from::timestamp
    end
{%- endset %}

with priced as (
    select * from {{ ref('int_charge__priced') }}
),

decided as (
    select
        priced.*,
        case
            when priced.value_error is not null then priced.value_error
            when priced.original_charge_id is not null then 'repeated_record'
            when {{ is_set_aside_by_layout('priced') }} then priced.set_aside_rule
            when priced.is_ambiguous then 'ambiguous_service'
            when priced.service_id is null then 'service_not_found'
            when priced.account_id is null then 'account_not_found'
            when priced.rating_mode = 'none' and {{ is_rule_enabled('information_only_source') }}
                then 'information_only_source'
            when priced.price_mode is null then 'missing_charge_price'
            when priced.price_mode = 'included' then 'included_in_plan'
            when priced.price_mode = 'excluded' then 'excluded_product'
            when
                priced.price_mode in ('pass_through', 'markup', 'margin', 'add_on', 'percentage')
                and priced.currency_code <> priced.tariff_currency
                then 'charge_currency_differs'
        end as reason
    from priced
),

rounded as (
    select
        decided.*,
        case
            when decided.rounding_level = 'unit' then decided.amount_of_rounded_units
            else {{ round_money(
                'decided.unrounded_amount', 'decided.rounding_decimals', 'decided.rounding_mode'
            ) }}
        end as rounded_amount
    from decided
)

select
    coalesce(rounded.account_id, 0)::bigint as account_id,
    {{ usage_key('rounded.file_id', 'rounded.line_no', 0) }}::bigint as charge_id,
    {{ run_id() }}::bigint as rating_run_id,
    rounded.file_id::bigint as file_id,
    rounded.line_no::bigint as line_no,
    rounded.source_id::integer as source_id,
    rounded.record_key_hash::bigint as record_key_hash,
    rounded.content_hash::bigint as content_hash,
    case
        when rounded.reason is null then 'billed'
        when rounded.reason = 'repeated_record' then 'duplicate'
        when rounded.reason in ({{ not_billable_reasons() }}) then 'not_billable'
        else 'error'
    end::text as state,
    rounded.reason::text as reason,
    rounded.original_charge_id::bigint as original_charge_id,
    rounded.service_id::bigint as service_id,
    rounded.match_method::text as match_method,
    rounded.product_code::text as product_code,
    coalesce(rounded.product_name, rounded.description)::text as description,
    coalesce(rounded.charge_class, 'unpriced')::text as charge_class,
    rounded.period_from::date as period_from,
    rounded.period_to::date as period_to,
    rounded.units::numeric(18, 4) as quantity,
    rounded.net_amount::numeric(28, 14) as carrier_amount,
    rounded.price_mode::text as price_mode,
    case when rounded.reason is null then rounded.unrounded_amount end::numeric(28, 14)
        as unrounded_amount,
    case when rounded.reason is null then rounded.rounded_amount end::numeric(28, 14)
        as charge_amount,
    rounded.tariff_currency::text as currency_code,
    -- what a percentage is taken of costs us nothing
    case when coalesce(rounded.price_mode, '') <> 'percentage' then rounded.signed_amount end
    ::numeric(28, 14) as cost_amount,
    rounded.currency_code::text as cost_currency_code,
    case
        when rounded.period_from is not null
            then
                (
                    {{ period_month(
                        "(" ~ invoiced_day ~ " at time zone rounded.account_zone)",
                        'rounded.account_zone', 'rounded.anchor_day'
                    ) }}
                    - case
                        when rounded.reason is null and rounded.invoice_timing = 'period_before'
                            then interval '1 month'
                        else interval '0'
                    end
                )
    end::date as period_month,
    rounded.usf_category::text as usf_category,
    rounded.usf_jurisdiction::text as usf_jurisdiction,
    rounded.usf_safe_harbour::text as usf_safe_harbour,
    rounded.charge_kind::text as charge_type,
    rounded.price_scope::text as price_scope,
    rounded.proration_used::text as proration,
    rounded.charged_from::date as charged_from,
    rounded.charged_to::date as charged_to,
    (rounded.leading_units / rounded.leading_whole)::numeric(28, 14) as leading_part,
    rounded.full_periods::integer as full_periods,
    (rounded.trailing_units / rounded.trailing_whole)::numeric(28, 14) as trailing_part,
    rounded.charged_part::numeric(28, 14) as charged_part,
    rounded.charged_days::integer as charged_days,
    case when rounded.reason is null then rounded.retail_unit_price end::numeric(28, 14)
        as unit_price,
    rounded.markup_percent::numeric(9, 4) as markup_percent,
    case
        when rounded.currency_code <> rounded.tariff_currency then null
        when rounded.price_mode = 'percentage' then null
        when rounded.reason is null then rounded.rounded_amount - rounded.signed_amount
        when rounded.reason in ('included_in_plan', 'excluded_product') then -rounded.signed_amount
    end::numeric(28, 14) as margin_amount,
    rounded.ceased_service_id::bigint as ceased_service_id,
    case
        when rounded.price_mode = 'percentage' and rounded.reason is null
            then
                jsonb_strip_nulls(jsonb_build_object(
                    'percentage', trim_scale(rounded.percentage),
                    'event_fee', trim_scale(rounded.event_fee),
                    'minimum_price', trim_scale(rounded.minimum_price),
                    'maximum_price', trim_scale(rounded.maximum_price),
                    'price_point', trim_scale(rounded.price_point),
                    'free_events', rounded.free_events,
                    'free_total', trim_scale(rounded.free_total),
                    'rounding_level', rounded.rounding_level,
                    'rounding_decimals', rounded.rounding_decimals,
                    'rounding_mode', rounded.rounding_mode,
                    'happened_at', rounded.happened_at,
                    'record_id', rounded.record_id
                ))
    end::jsonb as event_terms
from rounded
