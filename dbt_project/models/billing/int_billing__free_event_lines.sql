-- Grain: one row per account, period, product and currency: what the free events of charges by
-- percentage take off. Events are counted in the order in which they happened, whenever they
-- came: wholly free while both free_events and free_total last; the event that crosses free_total
-- pays for the rest of its amount. Credits are not counted.
{{ config(materialized='work_table') }}

with months as (
    select * from {{ ref('int_billing__months') }}
),

events as (
    select
        rated.account_id,
        rated.period_month,
        rated.charge_class,
        rated.product_code,
        rated.description,
        rated.currency_code,
        rated.event_terms,
        rated.unrounded_amount,
        rated.charge_amount,
        coalesce(nullif(rated.quantity, 0), 1) as units,
        abs(rated.carrier_amount) / coalesce(nullif(rated.quantity, 0), 1) as unit_total,
        (rated.event_terms ->> 'free_events')::numeric as free_events,
        (rated.event_terms ->> 'free_total')::numeric as free_total,
        coalesce(sum(coalesce(nullif(rated.quantity, 0), 1)) over earlier, 0) as units_before,
        coalesce(sum(abs(rated.carrier_amount)) over earlier, 0) as total_before
    from {{ ref('current_rated_charge') }} as rated
    inner join months
        on
            rated.account_id = months.account_id
            and rated.period_month = months.period_month
    where
        rated.state = 'billed'
        and rated.event_terms is not null
        and rated.unrounded_amount >= 0
        and rated.period_month = any(array(select m.period_month from months as m))
    window earlier as (
        partition by
            rated.account_id, rated.period_month, rated.product_code, rated.currency_code
        order by
            (rated.event_terms ->> 'happened_at')::timestamp,
            rated.event_terms ->> 'record_id' collate "C",
            rated.source_id,
            rated.record_key_hash
        rows between unbounded preceding and 1 preceding
    )
),

wholly as (
    select
        events.*,
        greatest(
            least(
                events.units,
                events.free_events - events.units_before,
                case
                    when events.free_total is null then null
                    when events.unit_total > 0
                        then floor((events.free_total - events.total_before) / events.unit_total)
                    when events.total_before >= events.free_total then 0
                end
            ),
            0
        ) as free_units
    from events
    where events.free_events is not null or events.free_total is not null
),

partly as (
    select
        wholly.*,
        case
            when
                wholly.free_units < wholly.units
                and coalesce(wholly.units_before + wholly.free_units < wholly.free_events, true)
                then
                    greatest(
                        wholly.free_total - wholly.total_before
                        - wholly.free_units * wholly.unit_total,
                        0
                    )
        end as free_part
    from wholly
),

charged as (
    select
        partly.*,
        partly.free_part > 0 as is_partly_free,
        {{ event_price('partly.unit_total', 'partly') }} as whole_price,
        {{ event_price('(partly.unit_total - partly.free_part)', 'partly') }} as part_price,
        (partly.event_terms ->> 'rounding_decimals')::integer as rounding_decimals,
        partly.event_terms ->> 'rounding_mode' as rounding_mode,
        partly.event_terms ->> 'rounding_level' as rounding_level
    from partly
    where partly.free_units > 0 or partly.free_part > 0
),

due as (
    select
        charged.*,
        case
            when charged.is_partly_free
                then
                    (charged.units - charged.free_units - 1) * charged.whole_price
                    + charged.part_price
            else (charged.units - charged.free_units) * charged.whole_price
        end as due_amount,
        case
            when charged.is_partly_free
                then
                    (charged.units - charged.free_units - 1)
                    * {{ round_money(
                        'charged.whole_price', 'charged.rounding_decimals', 'charged.rounding_mode'
                    ) }}
                    + {{ round_money(
                        'charged.part_price', 'charged.rounding_decimals', 'charged.rounding_mode'
                    ) }}
            else
                (charged.units - charged.free_units)
                * {{ round_money(
                    'charged.whole_price', 'charged.rounding_decimals', 'charged.rounding_mode'
                ) }}
        end as due_of_rounded_units
    from charged
)

select
    due.account_id,
    due.period_month,
    'allowance' as line_kind,
    due.charge_class,
    due.product_code,
    'Free: ' || due.description as description,
    null::integer as plan_id,
    due.currency_code,
    count(*) as record_count,
    sum(due.free_units + case when due.is_partly_free then 1 else 0 end) as quantity,
    'events' as unit,
    sum(due.due_amount - due.unrounded_amount) as unrounded_amount,
    sum(
        case due.rounding_level
            when 'unit' then due.due_of_rounded_units
            else
                {{ round_money(
                    'due.due_amount', 'due.rounding_decimals', 'due.rounding_mode'
                ) }}
        end
        - due.charge_amount
    ) as line_amount,
    jsonb_build_object(
        'free_events', max(due.free_events),
        'free_total', max(due.free_total),
        'events_wholly_free', sum(due.free_units),
        'amount_free', trim_scale(
            sum(due.free_units * due.unit_total + coalesce(due.free_part, 0))
        )
    ) as detail
from due
group by
    due.account_id,
    due.period_month,
    due.charge_class,
    due.product_code,
    due.description,
    due.currency_code
