-- Grain: one row per usage line of the current run, with the reason that can be told before a
-- service is looked up. early_reason is null for lines that go on to matching.
-- The not-billable rules are named in the seed not_billable_rules; their conditions stand here.
{{ config(post_hook="{{ evaluate_once() }}") }}

with usage_lines as (
    select * from {{ ref('int_usage__normalised') }}
),

repeats as (
    select * from {{ ref('int_usage__repeats') }}
)

select
    usage_lines.*,
    repeats.original_usage_id,
    case
        when usage_lines.start_error is not null then usage_lines.start_error
        when repeats.is_same_content then 'repeated_record'
        when not repeats.is_same_content then 'key_conflict'
        when usage_lines.duration_error is not null then usage_lines.duration_error
        {%- for rule in enabled_rules() %}
        when {{ not_billable_condition(rule, 'usage_lines') }} then '{{ rule }}'
        {%- endfor %}
        when
            usage_lines.called_number_class = 'scientific'
            or usage_lines.calling_class = 'scientific'
            then 'scientific_notation_number'
        when usage_lines.called_number_class in ('missing', 'anonymous')
            then 'missing_called_number'
        when usage_lines.called_number_class in ('invalid', 'name')
            then 'invalid_called_number'
    end as early_reason
from usage_lines
left join repeats
    on
        usage_lines.file_id = repeats.file_id
        and usage_lines.line_no = repeats.line_no
