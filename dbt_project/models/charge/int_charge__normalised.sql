-- Grain: one row per landed charge line of the current run, narrow and typed.
{{ config(materialized='work_table') }}

-- Two equal lines of a file without record ids are two charges, while the same line in the next
-- file is a repeat: their key counts them. Counted over whole files, of which a reprocess takes a
-- part.
with landed_charges as (
    {{ staged_lines('charge') }}
),

charges as (
    select
        landed_charges.*,
        case
            when landed_charges.record_id is null
                then row_number() over (
                    partition by landed_charges.file_id, landed_charges.content_hash
                    order by landed_charges.line_no
                )
        end as occurrence
    from landed_charges
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
),

parsed as (
    select
        charges.*,
        work_files.source_id,
        work_files.rating_mode,
        work_files.charge_tariff_code,
        work_files.number_plan,
        work_files.country_code,
        work_files.international_prefix,
        work_files.national_prefix,
        work_files.national_length_min,
        work_files.national_length_max,
        {{ amount_value('charges.net_amount_raw', 'work_files.decimal_mark') }}::numeric(28, 14)
            as net_amount,
        case
            when charges.quantity_raw is null then 1
            else {{ amount_value('charges.quantity_raw', 'work_files.decimal_mark') }}
        end as quantity,
        {{ first_day('charges.period_from_raw', 'work_files.date_order') }} as stated_from,
        {{ last_day('charges.period_to_raw', 'work_files.date_order') }} as stated_to,
        {{ first_day('charges.event_date_raw', 'work_files.date_order') }} as event_date,
        -- a month by its name is a whole month
        case
            when charges.period_to_raw is null
                then {{ last_day_of_month('charges.period_from_raw') }}
        end as month_end,
        {{ day_clock('charges.period_from_raw', 'work_files.date_order') }} as from_clock,
        {{ written_offset('charges.period_from_raw') }} as from_offset,
        {{ day_clock('charges.period_to_raw', 'work_files.date_order') }} as to_clock,
        {{ day_clock('charges.event_date_raw', 'work_files.date_order') }} as event_clock,
        {{ written_offset('charges.event_date_raw') }} as event_offset,
        {{ charge_kind('charges.charge_type') }} as charge_kind,
        {{ currency_code('charges.currency_code', 'work_files.currency_code') }} as currency,
        {{ clean_number('charges.service_key') }} as service_clean
    from charges
    inner join work_files on charges.file_id = work_files.file_id
    where {{ work_set_predicate('charges') }}
)

select
    parsed.file_id,
    parsed.line_no,
    parsed.source_id,
    parsed.rating_mode,
    parsed.charge_tariff_code,
    parsed.account_key,
    parsed.service_key,
    case
        when length({{ e164_candidate('parsed.service_clean', 'parsed') }}) between 7 and 15
            then ({{ e164_candidate('parsed.service_clean', 'parsed') }})::bigint
    end as service_number,
    parsed.product_code,
    parsed.description,
    parsed.charge_type,
    parsed.charge_kind,
    parsed.order_ref,
    parsed.event_date,
    case when parsed.period_from_raw is null then parsed.event_date else parsed.stated_from end
        as period_from,
    coalesce(
        parsed.stated_to,
        parsed.month_end,
        case when parsed.period_from_raw is null then parsed.event_date else parsed.stated_from end
    ) as period_to,
    parsed.period_from_raw is not null as has_period,
    coalesce(parsed.stated_to, parsed.month_end) is not null as has_end,
    parsed.from_clock,
    parsed.to_clock,
    -- an instant only where the file says how far its clock is from UTC
    (parsed.from_clock - parsed.from_offset) at time zone 'UTC' as from_instant,
    -- in which order events happened, and by which name of their own where that leaves it open
    coalesce(
        parsed.from_clock - coalesce(parsed.from_offset, interval '0'),
        parsed.event_clock - coalesce(parsed.event_offset, interval '0'),
        parsed.stated_from::timestamp,
        parsed.event_date::timestamp
    ) as happened_at,
    nullif(btrim(parsed.record_id), '') as record_id,
    parsed.quantity,
    parsed.net_amount,
    -- credits come as negative amounts, as negative quantities or as a kind of charge
    case
        when parsed.quantity < 0 or parsed.charge_kind in ('credit', 'discount')
            then -abs(parsed.net_amount)
        else parsed.net_amount
    end::numeric(28, 14) as signed_amount,
    parsed.currency as currency_code,
    parsed.set_aside_rule,
    case
        when parsed.occurrence is null then parsed.record_key_hash
        else hash_record_extended(row(parsed.record_key_hash, parsed.occurrence), 0)
    end as record_key_hash,
    parsed.content_hash,
    case
        -- what is not billed anyway needs no amount
        when parsed.set_aside_rule is not null then null
        when parsed.net_amount is null then 'invalid_amount'
        when parsed.quantity is null then 'invalid_quantity'
        when
            (parsed.period_from_raw is not null and parsed.stated_from is null)
            or coalesce(parsed.stated_from, parsed.event_date) is null
            or (parsed.period_to_raw is not null and parsed.stated_to is null)
            or parsed.stated_to < coalesce(parsed.stated_from, parsed.event_date)
            then 'invalid_period'
    end as value_error
from parsed
