-- Grain: one row per usage line of the current run, with the reason that can be told before a
-- service is looked up. early_reason is null for lines that go on to matching.
-- The not-billable rules are named in the seed not_billable_rules; their conditions stand in
-- macros/not_billable.sql.
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
    {{ early_reason('usage_lines', 'repeats') }} as early_reason,
    -- written as a comparison, because the planner takes a third of the lines to be set aside by it
    -- (about right); by `early_reason is not null` it takes all but one in two hundred, and then
    -- plans for a handful of calls
    coalesce({{ early_reason('usage_lines', 'repeats') }}, '') > '' as is_set_aside
from usage_lines
left join repeats
    on
        usage_lines.file_id = repeats.file_id
        and usage_lines.line_no = repeats.line_no
