-- Grain: one row per grant of units in the billing period of an invoice run: what was granted, used
-- and left, and what becomes of that. The next period's draft reads what is carried.
-- granted_units = used_units + carried_units + expired_units.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='invoice_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['invoice_run_id', 'account_id']},
        {'columns': ['period_month', 'account_id']},
    ]
) }}

with months as (
    select * from {{ ref('int_billing__months') }}
    where is_invoiced
),

used as (
    select
        allowance_use.grant_no,
        sum(allowance_use.consumed_units) as used_units,
        count(*) as record_count
    from {{ ref('allowance_use') }} as allowance_use
    where allowance_use.invoice_run_id = {{ run_id('invoice_run_id') }}
    group by allowance_use.grant_no
),

grants as (
    select
        granted.*,
        months.period_end_at,
        coalesce(used.used_units, 0) as used_units,
        coalesce(used.record_count, 0) as record_count,
        granted.granted_units - coalesce(used.used_units, 0) as left_units
    from {{ ref('int_billing__allowance_grants') }} as granted
    inner join months
        on granted.account_id = months.account_id and granted.period_month = months.period_month
    left join used on granted.grant_no = used.grant_no
),

kept as (
    select
        grants.*,
        not grants.is_once and grants.grant_kind <> 'rollover' as is_new,
        case
            when not grants.is_usable then 0
            when grants.is_once
                then case when grants.usable_to > grants.period_end_at then grants.left_units end
            when grants.grant_kind = 'rollover'
                then
                    case
                        when coalesce(grants.expires_month > grants.period_month, true)
                            then grants.left_units
                    end
            else
                least(
                    trunc(grants.left_units * grants.rollover_percent / 100, 4),
                    grants.rollover_limit
                )
        end as kept_units
    from grants
),

bounded as (
    select
        kept.*,
        case
            when kept.is_new and kept.rollover_maximum is not null
                then
                    greatest(
                        least(
                            kept.kept_units,
                            kept.rollover_maximum - coalesce(
                                sum(kept.kept_units) filter (
                                    where kept.is_new or kept.grant_kind = 'rollover'
                                ) over (
                                    partition by
                                        kept.period_month, kept.holder_kind, kept.holder_key,
                                        kept.allowance_code
                                    order by kept.is_new, kept.grant_no
                                    rows between unbounded preceding and 1 preceding
                                ), 0
                            )
                        ), 0
                    )
            else coalesce(kept.kept_units, 0)
        end as carried_units
    from kept
)

select
    {{ run_id('invoice_run_id') }}::bigint as invoice_run_id,
    bounded.account_id::bigint as account_id,
    bounded.period_month::date as period_month,
    bounded.grant_no::integer as grant_no,
    bounded.holder_kind::text as holder_kind,
    bounded.holder_key::text as holder_key,
    bounded.allowance_code::text as allowance_code,
    bounded.purchase_code::text as purchase_code,
    bounded.grant_kind::text as grant_kind,
    bounded.origin_month::date as origin_month,
    bounded.carried_from_run_id::bigint as carried_from_run_id,
    bounded.unit::text as unit,
    bounded.granted_units::numeric(28, 10) as granted_units,
    bounded.used_units::numeric(28, 10) as used_units,
    bounded.left_units::numeric(28, 10) as left_units,
    bounded.carried_units::numeric(28, 10) as carried_units,
    (bounded.left_units - bounded.carried_units)::numeric(28, 10) as expired_units,
    bounded.record_count::bigint as record_count,
    bounded.is_once::boolean as is_once,
    bounded.usable_from::timestamptz as usable_from,
    bounded.usable_to::timestamptz as usable_to,
    case
        when bounded.is_new and bounded.carried_units > 0
            then bounded.period_month + make_interval(months => bounded.rollover_periods)
        else bounded.expires_month
    end::date as expires_month
from bounded
