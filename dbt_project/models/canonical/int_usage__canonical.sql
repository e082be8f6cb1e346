-- Grain: one row per usage line of the current run: the record as it was understood, before a
-- service is looked for. Columns of the canonical usage record (docs/data-model.md).
-- For people and previews, not for rating: it reads the landed lines a second time. Its steps are
-- materialized because later ones use their expressions often.
with usage_lines as (
    {{ staged_lines('usage') }}
),

landed as (
    {{ landed_values(layouts_of_run('usage')) }}
),

judged as materialized (
    select * from {{ ref('int_usage__judged') }}
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
),

categories as (
    select * from {{ ref('voice_categories') }}
),

country_codes as (
    select * from {{ ref('country_codes') }}
),

area_codes as (
    select distinct on (npa.npa)
        npa.npa,
        upper(npa.country) as country
    from {{ source('reference', 'npa') }} as npa
    where {{ known_at_cutoff('npa') }}
    order by npa.npa asc, npa.valid_from desc
),

numbers as (
    select judged.calling_number as number
    from judged
    where judged.calling_number is not null
    union
    select judged.called_number as number
    from judged
    where judged.called_number is not null
),

countries as materialized (
    select
        numbers.number,
        coalesce(
            nanp.country_code, three.country_code, two.country_code, one.country_code
        ) as country_code
    from numbers
    left join country_codes as three
        on left(numbers.number::text, 3) = three.calling_code
    left join country_codes as two
        on left(numbers.number::text, 2) = two.calling_code
    left join country_codes as one
        on
            left(numbers.number::text, 1) = one.calling_code
            and one.nanp_country is null
    left join area_codes
        on
            case
                when left(numbers.number::text, 1) = '1'
                    then substr(numbers.number::text, 2, 3)::integer
            end = area_codes.npa
    left join country_codes as nanp on area_codes.country = nanp.nanp_country
),

timed as materialized (
    select
        usage_lines.*,
        work_files.source_code,
        work_files.carrier_code,
        work_files.direction_mode,
        work_files.decimal_mark,
        work_files.currency_code as source_currency,
        coalesce(usage_lines.start_zone, work_files.time_zone) as time_zone,
        {{ local_timestamp(iso_timestamp('usage_lines.answer_raw', 'work_files.date_order')) }}
            as local_answer,
        {{ written_offset('usage_lines.answer_raw') }} as answer_offset,
        {{ local_timestamp(iso_timestamp('usage_lines.end_raw', 'work_files.date_order')) }}
            as local_end,
        {{ written_offset('usage_lines.end_raw') }} as end_offset,
        {{ amount_value('usage_lines.carrier_amount_raw', 'work_files.decimal_mark') }}
            as carrier_cost
    from usage_lines
    inner join work_files on usage_lines.file_id = work_files.file_id
    where {{ work_set_predicate('usage_lines') }}
),

instants as materialized (
    select
        timed.*,
        {{ instant_of('timed.local_answer', 'timed.answer_offset', 'timed.time_zone') }}
            as stated_answer,
        {{ instant_of('timed.local_end', 'timed.end_offset', 'timed.time_zone') }} as stated_end
    from timed
),

landed_lines as materialized (
    select
        landed.file_id,
        landed.line_no,
        jsonb_strip_nulls(landed.landed_values) as landed_values
    from landed
    where {{ work_set_predicate('landed') }}
)

select
    instants.file_id,
    instants.line_no,
    instants.source_code as source_id,
    instants.record_id as source_record_id,
    lpad(to_hex(judged.record_key_hash), 16, '0') as dedup_key,
    nullif(instants.call_group_id, '') as call_group_id,
    judged.usage_type,
    instants.start_raw,
    judged.started_at as start_utc,
    {{ zone_name('instants.time_zone') }} as start_zone,
    case judged.time_quality when 'minute' then 'minute_precision' else judged.time_quality end
        as time_quality,
    coalesce(
        instants.stated_answer,
        case
            when judged.disposition = 'answered'
                then
                    judged.started_at
                    + (judged.duration_seconds - judged.billable_seconds) * interval '1 second'
        end
    ) as answer_utc,
    coalesce(
        instants.stated_end,
        case
            when instants.duration_raw <> ''
                then judged.started_at + judged.duration_seconds * interval '1 second'
            else instants.stated_answer + judged.billable_seconds * interval '1 second'
        end
    ) as end_utc,
    -- A layout may give talk time only: how long the whole call was is then unknown.
    case when instants.duration_raw <> '' then judged.duration_seconds end as duration_s,
    judged.billable_seconds as billable_s,
    ({{ duration_seconds('instants.carrier_billed_raw', 'instants.decimal_mark') }})::numeric(12, 3)
        as carrier_billed_s,
    judged.quantity,
    judged.bytes_up,
    judged.bytes_down,
    instants.calling_raw as src_raw,
    judged.calling_number::text as src_number,
    src_countries.country_code as src_country,
    {{ canonical_class('judged.calling_class', 'judged.usage_type') }} as src_class,
    coalesce(nullif(instants.dialled_raw, ''), instants.called_raw) as dst_raw,
    judged.called_number::text as dst_number,
    dst_countries.country_code as dst_country,
    {{ canonical_class('judged.called_number_class', 'judged.usage_type') }} as dst_class,
    nullif(instants.calling_name, '') as src_name,
    case
        when judged.direction is not null then judged.direction
        when judged.calling_class = 'extension' and judged.called_number_class = 'extension'
            then 'internal'
        when instants.direction_mode in ('outbound', 'inbound') then instants.direction_mode
        else 'unknown'
    end as direction,
    judged.disposition,
    nullif(instants.cause_code, '') as cause_code,
    nullif(instants.cause_text, '') as cause_text,
    judged.account_key,
    judged.service_key_1,
    judged.service_key_2,
    instants.carrier_code as carrier_id,
    nullif(instants.trunk, '') as trunk,
    nullif(instants.route, '') as route,
    nullif(instants.lrn, '') as lrn,
    instants.carrier_cost,
    case
        when instants.carrier_cost is not null
            then coalesce(nullif(instants.carrier_currency, ''), instants.source_currency)
    end as carrier_currency,
    nullif(instants.carrier_rate_code, '') as carrier_rate_code,
    nullif(instants.category, '') as category,
    categories.category_id,
    not judged.is_set_aside as billable,
    judged.early_reason as nonbillable_reason,
    (
        select jsonb_object_agg(field.key, field.value)
        from jsonb_each(landed_lines.landed_values) as field
        where field.key like 'extra%'
    ) as extra,
    landed_lines.landed_values as raw
from instants
inner join judged
    on
        instants.file_id = judged.file_id
        and instants.line_no = judged.line_no
left join landed_lines
    on
        instants.file_id = landed_lines.file_id
        and instants.line_no = landed_lines.line_no
left join categories on lower(btrim(instants.category)) = categories.category_name
left join countries as src_countries on judged.calling_number = src_countries.number
left join countries as dst_countries on judged.called_number = dst_countries.number
