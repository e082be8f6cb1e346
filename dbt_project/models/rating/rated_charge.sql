-- Grain: one row per charge line (SDR) and rating run: the whole decision about that charge.
-- Only rows of closed runs that no later run superseded count: read current_rated_charge.
{{ config(
    materialized='run_fact',
    run_key='rating_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['rating_run_id', 'file_id'], 'type': 'brin'},
        {'columns': ['account_id', 'period_month']},
        {'columns': ['source_id', 'record_key_hash']},
    ]
) }}

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
            when priced.service_id is null then 'service_not_found'
            when priced.account_id is null then 'account_not_found'
            when priced.rating_mode = 'none' and {{ is_rule_enabled('information_only_source') }}
                then 'information_only_source'
            when priced.price_mode is null then 'missing_charge_price'
            when priced.price_mode = 'included' then 'included_in_plan'
            when priced.price_mode = 'excluded' then 'excluded_product'
        end as reason
    from priced
)

select
    coalesce(decided.account_id, 0)::bigint as account_id,
    {{ usage_key('decided.file_id', 'decided.line_no', 0) }}::bigint as charge_id,
    {{ run_id() }}::bigint as rating_run_id,
    decided.file_id::bigint as file_id,
    decided.line_no::bigint as line_no,
    decided.source_id::integer as source_id,
    decided.record_key_hash::bigint as record_key_hash,
    decided.content_hash::bigint as content_hash,
    case
        when decided.reason is null then 'billed'
        when decided.reason = 'repeated_record' then 'duplicate'
        when decided.reason in ({{ not_billable_reasons() }}) then 'not_billable'
        else 'error'
    end::text as state,
    decided.reason::text as reason,
    decided.original_charge_id::bigint as original_charge_id,
    decided.service_id::bigint as service_id,
    decided.match_method::text as match_method,
    decided.product_code::text as product_code,
    coalesce(decided.product_name, decided.description)::text as description,
    coalesce(decided.charge_class, 'unpriced')::text as charge_class,
    decided.period_from::date as period_from,
    decided.period_to::date as period_to,
    decided.quantity::numeric(18, 4) as quantity,
    decided.net_amount::numeric(28, 14) as carrier_amount,
    decided.price_mode::text as price_mode,
    case when decided.reason is null then decided.unrounded_amount end::numeric(28, 14)
        as unrounded_amount,
    case
        when decided.reason is null
            then
                {{ round_money(
                    'decided.unrounded_amount', 'decided.rounding_decimals', 'decided.rounding_mode'
                ) }}
    end::numeric(28, 14) as charge_amount,
    decided.tariff_currency::text as currency_code,
    decided.net_amount::numeric(28, 14) as cost_amount,
    decided.currency_code::text as cost_currency_code,
    decided.usf_category::text as usf_category,
    decided.usf_jurisdiction::text as usf_jurisdiction,
    decided.usf_safe_harbour::text as usf_safe_harbour,
    case
        when decided.period_from is not null
            then
                {{ period_month(
                    "(decided.period_from::timestamp at time zone decided.account_zone)",
                    'decided.account_zone', 'decided.anchor_day'
                ) }}
    end::date as period_month
from decided
