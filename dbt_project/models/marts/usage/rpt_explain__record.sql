-- Grain: one row per item of the explanation of a record: what its line says, what was understood,
-- the rule that decided, service, plan, deck row, units, components, rounding, cost, run, earlier
-- decisions, in the order in which a person reads them. Made to look one record up: ask by file_id
-- and line_no, which a usage_id or charge_id packs. record_id and leg_no are null for what is said
-- of the line as such; leg_no is 0 for a charge.
{{ config(grants={'select': ['bi_unmasked']}) }}

with line_items as (
    select * from {{ ref('int_usage__told') }}
),

usage_items as (
    select * from {{ ref('int_rating__told') }}
),

charge_items as (
    select * from {{ ref('int_charge__told') }}
),

earlier_usage as (
    {{ earlier_decisions('rated_usage', 'usage_supersession', 'usage_id', 'retail_amount') }}
),

earlier_charges as (
    {{ earlier_decisions('rated_charge', 'charge_supersession', 'charge_id', 'charge_amount') }}
),

durations as (
    select * from {{ source('control', 'duration_correction') }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
    where build_schema = '{{ build_schema() }}'
),

items as (
    select
        line_items.file_id,
        line_items.line_no,
        null::integer as leg_no,
        null::bigint as record_id,
        line_items.section_no,
        line_items.section,
        line_items.item_no::bigint as item_no,
        line_items.item,
        line_items.value
    from line_items
    union all
    select
        usage_items.file_id,
        usage_items.line_no,
        usage_items.leg_no::integer as leg_no,
        usage_items.usage_id as record_id,
        usage_items.section_no,
        usage_items.section,
        usage_items.item_no,
        usage_items.item,
        usage_items.value
    from usage_items
    union all
    select
        charge_items.file_id,
        charge_items.line_no,
        0 as leg_no,
        charge_items.charge_id as record_id,
        charge_items.section_no,
        charge_items.section,
        charge_items.item_no,
        charge_items.item,
        charge_items.value
    from charge_items
    union all
    select
        earlier_usage.file_id,
        earlier_usage.line_no,
        earlier_usage.leg_no,
        earlier_usage.record_id,
        90 as section_no,
        'Earlier decisions' as section,
        earlier_usage.superseded_run_id as item_no,
        'run ' || earlier_usage.superseded_run_id as item,
        earlier_usage.value
    from earlier_usage
    union all
    select
        earlier_charges.file_id,
        earlier_charges.line_no,
        earlier_charges.leg_no,
        earlier_charges.record_id,
        90 as section_no,
        'Earlier decisions' as section,
        earlier_charges.superseded_run_id as item_no,
        'run ' || earlier_charges.superseded_run_id as item,
        earlier_charges.value
    from earlier_charges
    union all
    select
        durations.file_id,
        durations.line_no,
        null as leg_no,
        null as record_id,
        85 as section_no,
        'Put right' as section,
        durations.rating_run_id as item_no,
        'duration, run ' || durations.rating_run_id as item,
        concat(
            coalesce({{ plain('durations.seconds_before') }} || ' s', 'no duration'),
            ' put right to ',
            coalesce({{ plain('durations.new_seconds') }} || ' s', 'what the line says'),
            ' by ', durations.requested_by, ', ', {{ instant_in_words('durations.recorded_at') }},
            ': ', durations.reason, ' (run ', durations.rating_run_id,
            case when runs.status <> 'closed' then ', ' || runs.status end, ')'
        ) as value
    from durations
    inner join runs on durations.rating_run_id = runs.rating_run_id
)

select
    items.file_id::bigint as file_id,
    items.line_no::bigint as line_no,
    items.leg_no::integer as leg_no,
    items.record_id::bigint as record_id,
    items.section_no::integer as section_no,
    items.section::text as section,
    items.item_no::bigint as item_no,
    items.item::text as item,
    items.value::text as value
from items
