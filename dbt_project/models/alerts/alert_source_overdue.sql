-- Grain: one row per source and cadence whose next file is overdue. Asked of now: there is no past
-- to go back to.
with rule as (
    {{ alert_rule('source_overdue') }}
),

health as (
    select * from {{ ref('rpt_source_health') }}
)

select
    rule.rule_code,
    rule.severity,
    'source' as subject_kind,
    concat(health.source_code, ' ', health.cadence) as subject,
    null::bigint as account_id,
    health.expected_by as window_from,
    now() as window_to,
    round(extract(epoch from now() - health.expected_by) / 3600, 1)::numeric as measured,
    0::numeric as expected,
    rule.threshold,
    'hours' as unit,
    concat(
        'source ', health.source_code, ' (', health.cadence, ') should have sent a file by ',
        {{ utc_words('health.expected_by') }}, '; its last one: ',
        coalesce(
            health.last_file_name || ' of ' || {{ utc_words('health.last_received_at') }}, 'never'
        )
    ) as sentence,
    jsonb_build_object(
        'expected_by', health.expected_by, 'last_received_at', health.last_received_at,
        'last_file', health.last_file_name
    ) as figures,
    '{}'::bigint[] as usage_ids
from health
cross join rule
where
    health.is_overdue
    and health.expected_by + rule.threshold * interval '1 hour' < now()
