-- Grain: one row per usage leg of the current run. A call between two known services has two legs,
-- outbound for the caller and inbound for the called party, linked by file and line.
-- Only lines without an early reason: the others have no service and no price to look for.
{{ config(post_hook="{{ evaluate_once() }}") }}

with judged as (
    select * from {{ ref('int_usage__judged') }}
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
),

calling_numbers as (
    select * from {{ ref('int_reference__service_numbers') }}
    where side = 1
),

called_numbers as (
    select * from {{ ref('int_reference__service_numbers') }}
    where side = 2
),

-- one import for each use: a CTE used twice is materialized, and then nothing runs in parallel
calling_patterns as (
    select * from {{ ref('int_reference__service_pattern_pieces') }}
    where payload_id is not null
),

called_patterns as (
    select * from {{ ref('int_reference__service_pattern_pieces') }}
    where payload_id is not null
),

keys_1 as (
    select * from {{ ref('int_reference__service_keys') }}
    where identifier_kind = 'account_key' and direction in ('outbound', 'both')
),

keys_2 as (
    select * from {{ ref('int_reference__service_keys') }}
    where identifier_kind = 'account_key' and direction in ('outbound', 'both')
),

keyed as (
    select
        judged.*,
        work_files.direction_mode,
        work_files.rating_mode,
        work_files.classify_mode,
        work_files.cost_deck_id
    from judged
    inner join work_files on judged.file_id = work_files.file_id
    where not judged.is_set_aside
),

matched as (
    select
        keyed.*,
        coalesce(
            calling_numbers.service_id,
            calling_patterns.payload_id,
            keys_1.service_id,
            keys_2.service_id
        ) as calling_service_id,
        case
            when calling_numbers.service_id is not null then 'number'
            when calling_patterns.payload_id is not null then 'pattern'
            when coalesce(keys_1.service_id, keys_2.service_id) is not null then 'account_key'
        end as calling_method,
        coalesce(called_numbers.service_id, called_patterns.payload_id) as called_service_id,
        case
            when called_numbers.service_id is not null then 'number'
            when called_patterns.payload_id is not null then 'pattern'
        end as called_method
    from keyed
    left join calling_numbers
        on
            keyed.calling_number = calling_numbers.number
            and keyed.started_at >= calling_numbers.valid_from
            and keyed.started_at < calling_numbers.valid_to
    left join called_numbers
        on
            keyed.called_number = called_numbers.number
            and keyed.started_at >= called_numbers.valid_from
            and keyed.started_at < called_numbers.valid_to
    left join calling_patterns
        on
            case
                when calling_numbers.service_id is null
                    then {{ interval_of('service_pattern', '1', 'keyed.calling_number') }}
            end = calling_patterns.interval_no
            and keyed.started_at >= calling_patterns.valid_from
            and keyed.started_at < calling_patterns.valid_to
            and keyed.calling_number >= calling_patterns.from_number
            and keyed.calling_number < calling_patterns.to_number
    left join called_patterns
        on
            case
                when called_numbers.service_id is null
                    then {{ interval_of('service_pattern', '2', 'keyed.called_number') }}
            end = called_patterns.interval_no
            and keyed.started_at >= called_patterns.valid_from
            and keyed.started_at < called_patterns.valid_to
            and keyed.called_number >= called_patterns.from_number
            and keyed.called_number < called_patterns.to_number
    left join keys_1
        on
            keyed.service_key_1 = keys_1.account_key
            and keyed.started_at >= keys_1.valid_from
            and keyed.started_at < keys_1.valid_to
    left join keys_2
        on
            keyed.account_key = keys_2.account_key
            and keyed.started_at >= keys_2.valid_from
            and keyed.started_at < keys_2.valid_to
),

legs as (
    select
        matched.*,
        unnest(
            case
                when
                    matched.direction_mode = 'indeterminate'
                    and matched.calling_service_id is not null
                    and matched.called_service_id is not null
                    then array[1, 2]
                else array[1]
            end
        ) as leg_no
    from matched
),

directed as (
    select
        legs.*,
        case
            when legs.direction_mode = 'inbound' then 'inbound'
            when legs.direction_mode = 'outbound' then 'outbound'
            when legs.leg_no = 2 then 'inbound'
            when legs.calling_service_id is null and legs.called_service_id is not null
                then 'inbound'
            else 'outbound'
        end as direction
    from legs
)

select
    directed.file_id,
    directed.line_no,
    directed.leg_no,
    directed.source_id,
    directed.usage_type,
    directed.direction,
    directed.started_at,
    directed.time_quality,
    directed.duration_seconds,
    directed.billable_seconds,
    directed.calling_number,
    directed.calling_class,
    directed.called_number,
    directed.called_number_class,
    directed.called_short_number,
    directed.disposition,
    directed.record_key_hash,
    directed.content_hash,
    directed.rating_mode,
    directed.classify_mode,
    directed.cost_deck_id,
    case directed.direction
        when 'outbound' then directed.calling_service_id
        else directed.called_service_id
    end as service_id,
    case directed.direction
        when 'outbound' then directed.calling_method
        else directed.called_method
    end as match_method
from directed
