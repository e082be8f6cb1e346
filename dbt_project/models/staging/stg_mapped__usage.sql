-- Grain: one row per landed line of a file whose columns a user assigned to meanings.
with usage_lines as (
    select * from {{ source('landing', 'mapped_usage') }}
)

select
    usage_lines.file_id,
    usage_lines.line_no,
    coalesce(nullif(lower(btrim(usage_lines.usage_type)), ''), 'voice') as usage_type,
    coalesce(
        usage_lines.start_time,
        usage_lines.start_date || coalesce(' ' || usage_lines.start_clock, '')
    ) as start_raw,
    usage_lines.calling_number as calling_raw,
    usage_lines.called_number as called_raw,
    coalesce(usage_lines.duration, usage_lines.billable_duration) as duration_raw,
    coalesce(usage_lines.billable_duration, usage_lines.duration) as billable_raw,
    usage_lines.disposition as disposition_raw,
    usage_lines.service_key as account_key_1,
    usage_lines.account_key as account_key_2,
    case
        when usage_lines.record_id <> '' then hashtextextended(usage_lines.record_id, 0)
        else {{ row_hash('usage_lines', mapped_value_columns()) }}
    end as record_key_hash
from usage_lines
