-- Grain: one row per file of the current run's work set, with the settings of its source as valid
-- when the file arrived and known at the cut-off. Where nobody declared the source and its layout
-- does not say its zone, the clock is observed: the offset most of the first records agree on. So
-- are the order of day and month and the decimal mark, where the file proves them: by a day above
-- twelve, or because only one order brings the times near the epochs in its ids.
{{ config(materialized='work_table') }}

with files as (
    select * from {{ source('control', 'file') }}
),

work_set as (
    select * from {{ source('control', 'rating_run_file') }}
),

sources as (
    select * from {{ source('reference', 'source') }}
),

decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ ref('int_reference__decks') }} as deck
),

number_plans as (
    select * from {{ ref('number_plans') }}
),

form_lines as (
    {{ unassigned_form_lines() }}
),

forms as (
    select
        form_lines.file_id,
        {{ observed_date_order('form_lines.day_raw') }} as date_order,
        {{ observed_decimal_mark('form_lines.amount_raw') }} as decimal_mark
    from form_lines
    group by form_lines.file_id
),

clock_lines as (
    {{ unassigned_clock_lines() }}
),

observed as (
    select
        clock_lines.file_id,
        orders.date_order,
        {{ observed_quarters('orders.date_order') }} as quarters
    from clock_lines
    inner join files on clock_lines.file_id = files.file_id
    left join forms on clock_lines.file_id = forms.file_id
    inner join sources
        on
            files.source_code = sources.source_code
            and files.received_at >= sources.valid_from
            and files.received_at < sources.valid_to
    -- an order that no day proves is proved by the epochs: only one brings all of them near
    inner join (values ('ymd'), ('dmy'), ('mdy')) as orders (date_order)
        on
            forms.date_order is null
            or forms.date_order = orders.date_order
            or sources.date_order = orders.date_order
    where
        sources.carrier_code = 'unassigned'
        and {{ known_at_cutoff('sources') }}
),

agreed as (
    select
        observed.file_id,
        observed.date_order,
        observed.quarters,
        count(*) as line_count
    from observed
    where observed.quarters between -48 and 56
    group by observed.file_id, observed.date_order, observed.quarters
),

clocks as (
    select distinct on (agreed.file_id)
        agreed.file_id,
        agreed.date_order,
        agreed.quarters
    from agreed
    order by
        agreed.file_id asc,
        agreed.line_count desc,
        abs(agreed.quarters) asc,
        agreed.date_order desc
)

select
    files.file_id,
    files.received_at,
    files.file_kind,
    sources.source_id,
    sources.source_code,
    sources.carrier_code,
    case
        when clocks.file_id is null then sources.time_zone
        else {{ zone_of_quarters('clocks.quarters') }}
    end as time_zone,
    coalesce(forms.date_order, clocks.date_order, sources.date_order) as date_order,
    coalesce(forms.decimal_mark, sources.decimal_mark) as decimal_mark,
    sources.direction_mode,
    sources.classify_mode,
    sources.rating_mode,
    sources.cost_multiplier,
    decks.deck_id as cost_deck_id,
    sources.currency_code,
    sources.charge_tariff_code,
    sources.layout_options,
    coalesce(number_plans.number_plan, 'e164') as number_plan,
    coalesce(number_plans.country_code, '') as country_code,
    coalesce(number_plans.international_prefix, '') as international_prefix,
    coalesce(number_plans.national_prefix, '') as national_prefix,
    coalesce(number_plans.national_length_min, 0) as national_length_min,
    coalesce(number_plans.national_length_max, 0) as national_length_max
from work_set
inner join files on work_set.file_id = files.file_id
inner join sources
    on
        files.source_code = sources.source_code
        and files.received_at >= sources.valid_from
        and files.received_at < sources.valid_to
left join decks on sources.cost_deck_code = decks.deck_code
left join number_plans on sources.number_plan = number_plans.number_plan
left join clocks on files.file_id = clocks.file_id
left join forms on files.file_id = forms.file_id
where
    work_set.rating_run_id = {{ run_id() }}
    and {{ known_at_cutoff('sources') }}
