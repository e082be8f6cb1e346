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
    -- a boolean of its own: the planner takes half of the lines to go on, which is about right,
    -- where it would take one in two hundred for `early_reason is null`
    {{ early_reason('usage_lines', 'repeats') }} is not null as is_set_aside
from usage_lines
left join repeats
    on
        usage_lines.file_id = repeats.file_id
        and usage_lines.line_no = repeats.line_no
