-- Grain: one row per usage leg of the current run. A call between two known services has two legs,
-- outbound for the caller and inbound for the called party, linked by file and line.
-- Only lines without an early reason: the others have no service and no price to look for.
-- Keys that no record of the run has are not joined.
{{ config(post_hook="{{ evaluate_once() }}") }}
{%- set keys = keys_of_run() %}
{%- set with_choices = has_changes('deck') %}

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
{%- for key in keys if key != 'account_key' %}

{{ key }}_numbers as (
    select * from {{ ref('int_reference__service_numbers') }}
),
{%- endfor %}
{%- for key in keys %}

{{ key }}s as (
    select * from {{ ref('int_reference__service_keys') }}
    where identifier_kind = 'account_key'
),
{%- endfor %}

keyed as (
    select
        judged.*,
        -- what the record says of itself comes before what is said of its source
        case
            when judged.direction in ('outbound', 'inbound') then judged.direction
            else work_files.direction_mode
        end as direction_mode,
        work_files.rating_mode,
        work_files.classify_mode,
        work_files.cost_deck_id,
        work_files.time_zone as source_zone,
        work_files.cost_multiplier
    from judged
    inner join work_files on judged.file_id = work_files.file_id
    where not judged.is_set_aside
),

-- named_service_id: the service whose number a service key gives; keyed_service_id: the one that
-- a key names as an account key
found as (
    select
        keyed.*,
        calling_numbers.service_id as calling_number_service_id,
        calling_patterns.payload_id as calling_pattern_service_id,
        called_numbers.service_id as called_number_service_id,
        called_patterns.payload_id as called_pattern_service_id,
        {{ first_known(keys | reject('eq', 'account_key'), '_numbers.service_id') }}
            as named_service_id,
        {{ first_known(keys, 's.service_id') }} as keyed_service_id
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
    {%- for key in keys if key != 'account_key' %}
    left join {{ key }}_numbers
        on
            keyed.{{ key | replace('key', 'number') }} = {{ key }}_numbers.number
            and {{ key }}_numbers.side = case keyed.direction_mode when 'inbound' then 2 else 1 end
            -- a source that does not say who pays: the called number's own service is found anyway
            and (
                keyed.direction_mode <> 'indeterminate'
                or keyed.{{ key | replace('key', 'number') }} is distinct from keyed.called_number
            )
            and keyed.started_at >= {{ key }}_numbers.valid_from
            and keyed.started_at < {{ key }}_numbers.valid_to
    {%- endfor %}
    {%- for key in keys %}
    left join {{ key }}s
        on
            keyed.{{ key }} = {{ key }}s.account_key
            and {{ key }}s.direction in (
                'both', case keyed.direction_mode when 'inbound' then 'inbound' else 'outbound' end
            )
            and keyed.started_at >= {{ key }}s.valid_from
            and keyed.started_at < {{ key }}s.valid_to
    {%- endfor %}
),

-- the keys of a record stand for the side that pays: the calling one unless the call is inbound
matched as (
    select
        found.*,
        coalesce(
            {%- if keys %}
            case when found.direction_mode <> 'inbound' then found.named_service_id end,
            {%- endif %}
            found.calling_number_service_id,
            found.calling_pattern_service_id
            {%- if keys %},
            case when found.direction_mode <> 'inbound' then found.keyed_service_id end
            {%- endif %}
        ) as calling_service_id,
        case
            {%- if keys %}
            when found.direction_mode <> 'inbound' and found.named_service_id is not null
                then 'number'
            {%- endif %}
            when found.calling_number_service_id is not null then 'number'
            when found.calling_pattern_service_id is not null then 'pattern'
            {%- if keys %}
            when found.direction_mode <> 'inbound' and found.keyed_service_id is not null
                then 'account_key'
            {%- endif %}
        end as calling_method,
        coalesce(
            {%- if keys %}
            case when found.direction_mode = 'inbound' then found.named_service_id end,
            {%- endif %}
            found.called_number_service_id,
            found.called_pattern_service_id
            {%- if keys %},
            case when found.direction_mode = 'inbound' then found.keyed_service_id end
            {%- endif %}
        ) as called_service_id,
        case
            {%- if keys %}
            when found.direction_mode = 'inbound' and found.named_service_id is not null
                then 'number'
            {%- endif %}
            when found.called_number_service_id is not null then 'number'
            when found.called_pattern_service_id is not null then 'pattern'
            {%- if keys %}
            when found.direction_mode = 'inbound' and found.keyed_service_id is not null
                then 'account_key'
            {%- endif %}
        end as called_method
    from found
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
        end as leg_direction
    from legs
)

select
    directed.file_id,
    directed.line_no,
    directed.leg_no,
    directed.source_id,
    directed.usage_type,
    directed.leg_direction as direction,
    directed.started_at,
    directed.time_quality,
    directed.duration_seconds,
    directed.billable_seconds,
    {{ rated_quantity('directed') }} as rated_quantity,
    directed.text_segments,
    case when directed.leg_no = 1 then directed.supplier_amount end as supplier_amount,
    directed.supplier_currency,
    case when directed.leg_no = 1 then directed.supplier_error end as supplier_error,
    directed.visited_network,
    directed.session_hash,
    directed.calling_number,
    directed.calling_class,
    directed.called_number,
    directed.called_number_class,
    directed.called_short_number,
    directed.dialling,
    directed.carrier_access_code,
    directed.lrn_number,
    directed.stated_class,
    directed.disposition,
    directed.release_cause,
    directed.called_country,
    directed.record_key_hash,
    directed.content_hash,
    directed.rating_mode,
    directed.classify_mode,
    {%- if with_choices %}
    coalesce(choice.cost_deck_id, directed.cost_deck_id) as cost_deck_id,
    {%- else %}
    directed.cost_deck_id,
    {%- endif %}
    directed.source_zone,
    directed.cost_multiplier,
    case directed.leg_direction
        when 'outbound' then directed.calling_service_id
        else directed.called_service_id
    end as service_id,
    case directed.leg_direction
        when 'outbound' then directed.calling_method
        else directed.called_method
    end as match_method
from directed
{%- if with_choices %}
{{ join_deck_choice('directed') }}
{%- endif %}
