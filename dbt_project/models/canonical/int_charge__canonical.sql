-- Grain: one row per charge line of the current run: the charge as it was understood, before a
-- service is looked for. Columns of the canonical charge record (docs/data-model.md).
with charge_lines as (
    {{ staged_lines('charge') }}
),

landed as (
    {{ landed_values(layouts_of_run('charge')) }}
),

charges as (
    select * from {{ ref('int_charge__normalised') }}
),

repeats as (
    select * from {{ ref('int_charge__repeats') }}
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
),

landed_lines as (
    select
        landed.file_id,
        landed.line_no,
        jsonb_strip_nulls(landed.landed_values) as landed_values
    from landed
    where {{ work_set_predicate('landed') }}
),

judged as (
    select
        charges.*,
        case
            when charges.value_error is not null then charges.value_error
            when repeats.original_charge_id is not null then 'repeated_record'
            when {{ is_set_aside_by_layout('charges') }} then charges.set_aside_rule
        end as early_reason
    from charges
    left join repeats
        on
            charges.file_id = repeats.file_id
            and charges.line_no = repeats.line_no
)

select
    judged.file_id,
    judged.line_no,
    work_files.source_code as source_id,
    charge_lines.record_id as source_record_id,
    judged.account_key,
    judged.service_key,
    judged.product_code,
    judged.description,
    judged.charge_type,
    {{ first_day('charge_lines.period_from_raw', 'work_files.date_order') }} as period_from,
    case
        when charge_lines.period_to_raw is not null
            then {{ last_day('charge_lines.period_to_raw', 'work_files.date_order') }}
        else {{ last_day_of_month('charge_lines.period_from_raw') }}
    end as period_to,
    judged.event_date,
    judged.quantity,
    {{ amount_value('charge_lines.unit_price_raw', 'work_files.decimal_mark') }} as unit_price,
    judged.net_amount,
    nullif(charge_lines.tax_code, '') as tax_code,
    {{ amount_value('charge_lines.tax_amount_raw', 'work_files.decimal_mark') }} as tax_amount,
    {{ amount_value('charge_lines.gross_amount_raw', 'work_files.decimal_mark') }} as gross_amount,
    judged.currency_code as currency,
    nullif(charge_lines.order_ref, '') as order_ref,
    work_files.carrier_code as carrier,
    case judged.charge_type
        when 'recurring_advance' then 'advance'
        when 'recurring_arrears' then 'arrears'
    end as advance_or_arrears,
    judged.early_reason is null as billable,
    judged.early_reason as nonbillable_reason,
    landed_lines.landed_values as raw
from charge_lines
inner join work_files on charge_lines.file_id = work_files.file_id
inner join judged
    on
        charge_lines.file_id = judged.file_id
        and charge_lines.line_no = judged.line_no
left join landed_lines
    on
        charge_lines.file_id = landed_lines.file_id
        and charge_lines.line_no = landed_lines.line_no
where {{ work_set_predicate('charge_lines') }}
