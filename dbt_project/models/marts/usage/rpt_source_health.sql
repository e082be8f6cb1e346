-- Grain: one row per source and cadence (a source that sends daily and monthly files has two rows;
-- cadence is null where no collector's rule names one).
-- expected_by is one cadence after the last file that came, landed or held, and the rule's grace
-- after that; before the first file it counts from when the collector was declared. Read at the
-- moment of the question: the view compares with now().
with sources as (
    select * from {{ ref('dim_source') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

collected as (
    select * from {{ source('control', 'collected_file') }}
),

looks as (
    select distinct on (looks.collector_code) looks.*
    from {{ source('control', 'collection') }} as looks
    order by looks.collector_code asc, looks.collection_id desc
),

collectors as (
    select collectors.*
    from {{ source('reference', 'collector') }} as collectors
    where
        collectors.recorded_to = 'infinity'
        and collectors.valid_during @> now()
),

-- Rules that name their source outright.
ruled as (
    select
        collectors.collector_code,
        rules.rule ->> 'source' as source_code,
        rules.rule ->> 'cadence' as cadence,
        (rules.rule ->> 'grace_hours')::integer as grace_hours
    from collectors
    cross join lateral jsonb_array_elements(collectors.rules) as rules (rule)
    where strpos(rules.rule ->> 'source', '{') = 0
),

-- Sources that a pattern of the rule named when a file came.
found as (
    select
        collected.collector_code,
        collected.source_code,
        collected.cadence,
        null::integer as grace_hours
    from collected
    inner join collectors on collected.collector_code = collectors.collector_code
    where
        collected.status = 'taken'
        and collected.source_code is not null
        and not exists (
            select 1
            from ruled
            where
                ruled.collector_code = collected.collector_code
                and ruled.source_code = collected.source_code
        )
),

feeds as (
    select * from ruled
    union all
    select * from found
),

expectations as (
    select
        feeds.source_code,
        feeds.cadence,
        array_agg(distinct feeds.collector_code) as collector_codes,
        max(feeds.grace_hours) as grace_hours,
        min(collectors.recorded_from) as declared_at
    from feeds
    inner join collectors on feeds.collector_code = collectors.collector_code
    group by feeds.source_code, feeds.cadence
),

expected as (
    select
        sources.source_code,
        sources.carrier_code,
        sources.file_kind,
        expectations.cadence,
        expectations.collector_codes,
        expectations.declared_at,
        case expectations.cadence
            when 'hourly' then interval '1 hour'
            when 'daily' then interval '1 day'
            when 'weekly' then interval '7 days'
            when 'monthly' then interval '1 month'
        end as between_files,
        make_interval(hours => coalesce(
            expectations.grace_hours,
            case expectations.cadence
                when 'hourly' then 2
                when 'daily' then 12
                when 'weekly' then 24
                when 'monthly' then 120
            end
        )) as grace
    from sources
    left join expectations on sources.source_code = expectations.source_code
),

-- The cadence a file was collected under; files that were loaded by hand have none.
arrivals as (
    select
        files.file_id,
        files.file_name,
        files.source_code,
        files.status,
        files.received_at,
        min(collected.cadence) as cadence
    from files
    left join collected on files.file_id = collected.file_id
    where files.status <> 'failed'
    group by
        files.file_id, files.file_name, files.source_code, files.status, files.received_at
),

arrived as (
    select
        expected.source_code,
        expected.cadence,
        max(arrivals.received_at) as last_received_at,
        max(arrivals.received_at) filter (where arrivals.status = 'landed') as last_landed_at,
        (array_agg(arrivals.file_name order by arrivals.file_id desc))[1] as last_file_name,
        max(arrivals.file_id) as last_file_id,
        count(*) filter (where arrivals.status = 'held') as held_count
    from expected
    inner join arrivals
        on
            expected.source_code = arrivals.source_code
            and (
                expected.cadence is null
                or arrivals.cadence is null
                or expected.cadence = arrivals.cadence
            )
    group by expected.source_code, expected.cadence
),

-- What went wrong last at the remote side and has not gone well since.
latest_states as (
    select distinct on (collected.collector_code, collected.remote_name)
        collected.source_code,
        collected.status,
        collected.file_name || ': ' || collected.reason as error,
        collected.recorded_at as error_at
    from collected
    order by
        collected.collector_code asc,
        collected.remote_name asc,
        collected.collected_file_id desc
),

errors as (
    select
        latest_states.source_code,
        latest_states.error,
        latest_states.error_at
    from latest_states
    where latest_states.status = 'failed'
    union all
    select
        expectations.source_code,
        looks.error,
        looks.ended_at as error_at
    from expectations
    inner join looks on looks.collector_code = any(expectations.collector_codes)
    where looks.status = 'failed'
),

last_errors as (
    select distinct on (errors.source_code)
        errors.source_code,
        errors.error,
        errors.error_at
    from errors
    order by errors.source_code asc, errors.error_at desc
),

last_looks as (
    select
        expectations.source_code,
        expectations.cadence,
        max(looks.ended_at) as last_looked_at
    from expectations
    inner join looks on looks.collector_code = any(expectations.collector_codes)
    group by expectations.source_code, expectations.cadence
),

judged as (
    select
        expected.*,
        arrived.last_received_at,
        arrived.last_landed_at,
        arrived.last_file_name,
        arrived.last_file_id,
        arrived.held_count,
        last_looks.last_looked_at,
        last_errors.error,
        last_errors.error_at,
        coalesce(arrived.last_received_at, expected.declared_at)
        + expected.between_files
        + expected.grace as expected_by
    from expected
    left join arrived
        on
            expected.source_code = arrived.source_code
            and expected.cadence is not distinct from arrived.cadence
    left join last_looks
        on
            expected.source_code = last_looks.source_code
            and expected.cadence is not distinct from last_looks.cadence
    left join last_errors on expected.source_code = last_errors.source_code
)

select
    judged.source_code::text as source_code,
    judged.carrier_code::text as carrier_code,
    judged.file_kind::text as file_kind,
    judged.cadence::text as cadence,
    array_to_string(judged.collector_codes, ', ')::text as collectors,
    judged.last_received_at::timestamptz as last_received_at,
    judged.last_landed_at::timestamptz as last_landed_at,
    judged.last_file_name::text as last_file_name,
    judged.last_file_id::bigint as last_file_id,
    coalesce(judged.held_count, 0)::bigint as held_count,
    judged.expected_by::timestamptz as expected_by,
    coalesce(judged.expected_by < now(), false)::boolean as is_overdue,
    judged.last_looked_at::timestamptz as last_looked_at,
    judged.error::text as last_error,
    judged.error_at::timestamptz as last_error_at
from judged
