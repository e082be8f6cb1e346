-- Grain: one row per usage leg and grant from which it took units, in the order in which it did.
-- Rebuilt with the draft of its invoice run. What is left of a leg's price is the price of the
-- whole without the share of billed units taken, rounded as its plan rounds; waived is the
-- difference.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='invoice_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['invoice_run_id', 'account_id']},
        {'columns': ['account_id', 'usage_id']},
    ]
) }}

with passes as (
    select * from {{ ref('int_billing__allowance_passes') }}
),

grants as (
    select * from {{ ref('int_billing__allowance_grants') }}
),

legs as (
    select * from {{ ref('int_billing__allowance_legs') }}
),

plans as (
    select plan.*
    from {{ source('reference', 'plan') }} as plan
    where {{ known_at_invoice('plan') }}
),

pieces as (
    select
        passes.account_id,
        passes.usage_id,
        passes.pass_no,
        passes.waives_connection_fee,
        passes.measure,
        grants.grant_no,
        grants.allowance_code,
        grants.purchase_code,
        grants.grant_kind,
        grants.origin_month,
        grants.holder_kind,
        grants.holder_key,
        grants.unit as allowance_unit,
        greatest(passes.before_units, grants.rung_from) as from_unit,
        least(passes.before_units + passes.taken_units, grants.rung_to) as to_unit,
        grants.rung_to,
        -- units of the leg that are covered up to the end of this piece
        passes.measure - passes.rest_before + case
            when passes.before_units + passes.taken_units <= grants.rung_to
                then passes.rest_before - passes.rest_after
            else
                round(
                    (passes.rest_before - passes.rest_after)
                    * (grants.rung_to - passes.before_units) / passes.taken_units,
                    10
                )
        end as covered_until
    from passes
    inner join grants
        on
            passes.ladder_no = grants.ladder_no
            and passes.before_units < grants.rung_to
            and passes.before_units + passes.taken_units > grants.rung_from
),

ordered as (
    select
        pieces.*,
        row_number() over leg as piece_no,
        pieces.covered_until - coalesce(lag(pieces.covered_until) over leg, 0) as covered_units,
        first_value(
            pieces.waives_connection_fee and pieces.allowance_unit <> 'money'
        ) over leg as is_fee_waived
    from pieces
    window
        leg as (
            partition by pieces.account_id, pieces.usage_id
            order by pieces.pass_no, pieces.from_unit
        )
),

waived as (
    select
        ordered.*,
        legs.period_month,
        legs.charge_class,
        legs.usage_type,
        legs.plan_id,
        legs.started_at,
        legs.currency_code,
        legs.retail_amount,
        legs.is_discounted,
        legs.total_sixtieths,
        (legs.total_sixtieths - legs.fee_sixtieths) * ordered.covered_until / ordered.measure
        + case
            when ordered.is_fee_waived then legs.fee_sixtieths
            -- money pays for the fee as for the rest
            else
                legs.fee_sixtieths * sum(
                    case when ordered.allowance_unit = 'money' then ordered.covered_units else 0 end
                ) over (
                    partition by ordered.account_id, ordered.usage_id order by ordered.piece_no
                ) / ordered.measure
        end as sixtieths_until
    from ordered
    inner join legs
        on ordered.account_id = legs.account_id and ordered.usage_id = legs.usage_id
),

rounded as (
    select
        waived.*,
        waived.retail_amount - case
            when plans.rounding_level <> 'call' or plans.plan_id is null
                then (waived.total_sixtieths - waived.sixtieths_until) / 60
            when
                waived.is_discounted
                and plans.rounding_place = 'before_discount'
                and plans.discount_percent < 100
                then
                    (
                        {{ round_to(
                            '(waived.total_sixtieths - waived.sixtieths_until) / 60 '
                            ~ '/ (1 - plans.discount_percent / 100)',
                            'plans.rounding_decimals', 'plans.rounding_unit', 'plans.rounding_mode'
                        ) }}
                    ) * (1 - plans.discount_percent / 100)
            else
                {{ round_to(
                    '((waived.total_sixtieths - waived.sixtieths_until) / 60)::numeric(28, 14)',
                    'plans.rounding_decimals', 'plans.rounding_unit', 'plans.rounding_mode'
                ) }}
        end as amount_until
    from waived
    left join plans
        on
            waived.plan_id = plans.plan_id
            and waived.started_at >= plans.valid_from
            and waived.started_at < plans.valid_to
)

select
    {{ run_id('invoice_run_id') }}::bigint as invoice_run_id,
    rounded.account_id::bigint as account_id,
    rounded.usage_id::bigint as usage_id,
    rounded.piece_no::integer as piece_no,
    rounded.period_month::date as period_month,
    rounded.started_at::timestamptz as started_at,
    rounded.charge_class::text as charge_class,
    rounded.plan_id::integer as plan_id,
    rounded.grant_no::integer as grant_no,
    rounded.allowance_code::text as allowance_code,
    rounded.purchase_code::text as purchase_code,
    rounded.grant_kind::text as grant_kind,
    rounded.origin_month::date as origin_month,
    rounded.holder_kind::text as holder_kind,
    rounded.holder_key::text as holder_key,
    rounded.covered_units::numeric(28, 10) as units_taken,
    case rounded.usage_type
        when 'voice' then 'seconds'
        when 'data' then 'bytes'
        else 'messages'
    end::text as unit,
    (rounded.to_unit - rounded.from_unit)::numeric(28, 10) as consumed_units,
    rounded.allowance_unit::text as allowance_unit,
    (rounded.rung_to - rounded.from_unit)::numeric(28, 10) as left_before,
    (rounded.rung_to - rounded.to_unit)::numeric(28, 10) as left_after,
    (rounded.is_fee_waived and rounded.piece_no = 1)::boolean as is_fee_waived,
    (
        rounded.sixtieths_until - coalesce(lag(rounded.sixtieths_until) over leg, 0)
    )::numeric(28, 14) as waived_sixtieths,
    (
        rounded.amount_until - coalesce(lag(rounded.amount_until) over leg, 0)
    )::numeric(28, 14) as waived_amount,
    rounded.currency_code::text as currency_code
from rounded
window
    leg as (partition by rounded.account_id, rounded.usage_id order by rounded.piece_no)
