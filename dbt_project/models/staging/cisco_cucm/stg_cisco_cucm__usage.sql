-- Grain: one row per landed record of a Cisco CUCM CDR file; transfers and conferences give several
-- records with one global call id.
-- A side is outside when its device is a trunk or gateway. Names of those are free, so beside the
-- usual words an unknown device counts as outside where its number says so.
with cdr_lines as (
    select * from {{ source('landing', 'cisco_cucm') }}
),

cleaned as (
    select
        cdr_lines.*,
        nullif({{ landed_text('cdr_lines.date_time_connect') }}, '0') as connect_text,
        nullif({{ landed_text('cdr_lines.date_time_disconnect') }}, '0') as disconnect_text,
        {{ landed_text('cdr_lines.date_time_origination') }} as origination_text,
        {{ landed_text('cdr_lines.duration') }} as duration_text,
        nullif({{ landed_text('cdr_lines.orig_cause_value') }}, '0') as orig_cause,
        nullif({{ landed_text('cdr_lines.dest_cause_value') }}, '0') as dest_cause,
        coalesce(
            {{ landed_text('cdr_lines.calling_party_number') }},
            {{ landed_text('cdr_lines.outpulsed_calling_party_number') }}
        ) as calling_text,
        {{ landed_text('cdr_lines.original_called_party_number') }} as original_text,
        {{ landed_text('cdr_lines.final_called_party_number') }} as final_text,
        {{ landed_text('cdr_lines.outpulsed_called_party_number') }} as outpulsed_text,
        {{ landed_text('cdr_lines.orig_device_name') }} as orig_device,
        {{ landed_text('cdr_lines.dest_device_name') }} as dest_device,
        {{ cucm_device_class(landed_text('cdr_lines.orig_device_name')) }} as orig_class,
        {{ cucm_device_class(landed_text('cdr_lines.dest_device_name')) }} as dest_class
    from cdr_lines
),

directed as (
    select
        cleaned.*,
        coalesce(cleaned.dest_cause, cleaned.orig_cause) as cause,
        case
            when cleaned.orig_class = 'trunk' and cleaned.dest_class = 'trunk' then 'transit'
            when cleaned.orig_class = 'trunk' then 'inbound'
            when cleaned.dest_class = 'trunk' then 'outbound'
            when cleaned.orig_class = 'phone' and cleaned.dest_class = 'phone' then 'internal'
            when cleaned.dest_class is null and cleaned.outpulsed_text is not null
                then 'outbound'
            when cleaned.dest_class is null and cleaned.final_text ~ '^[+]?[0-9]{7,}$'
                then 'outbound'
            when cleaned.orig_class is null and cleaned.calling_text ~ '^[+]?[0-9]{7,}$'
                then 'inbound'
            when
                cleaned.calling_text ~ '^[0-9]{1,6}$' and cleaned.final_text ~ '^[0-9]{1,6}$'
                then 'internal'
        end as direction
    from cleaned
)

select
    directed.file_id,
    directed.line_no,
    'voice' as usage_type,
    {{ landed_text('directed.pkid') }} as record_id,
    concat_ws(
        '|',
        {{ landed_text('directed.global_call_id_cluster_id') }},
        {{ landed_text('directed.global_call_id_call_manager_id') }},
        {{ landed_text('directed.global_call_id_call_id') }}
    ) as call_group_id,
    directed.origination_text as start_raw,
    'UTC' as start_zone,
    directed.connect_text as answer_raw,
    directed.disconnect_text as end_raw,
    coalesce(
        {{ whole_difference('directed.disconnect_text', 'directed.origination_text') }},
        directed.duration_text
    ) as duration_raw,
    case when directed.connect_text is not null then directed.duration_text else '0' end
        as billable_raw,
    directed.calling_text as calling_raw,
    case
        when directed.direction = 'outbound'
            then coalesce(directed.outpulsed_text, directed.original_text, directed.final_text)
        else coalesce(directed.final_text, directed.original_text)
    end as called_raw,
    directed.original_text as dialled_raw,
    directed.direction,
    case
        when directed.connect_text is not null then 'answered'
        when '17' in (directed.dest_cause, directed.orig_cause) then 'busy'
        when directed.cause in ('18', '19') then 'no_answer'
        when directed.cause = '16' then 'canceled'
        else 'failed'
    end as disposition_raw,
    directed.cause as cause_code,
    coalesce(
        {{ landed_text('directed.client_matter_code') }},
        {{ landed_text('directed.authorization_code_value') }},
        {{ landed_text('directed.auth_code_description') }}
    ) as account_key,
    case
        when directed.direction in ('inbound', 'transit') then directed.final_text
        else directed.calling_text
    end as service_key_1,
    case
        when directed.direction in ('inbound', 'transit') then directed.orig_device
        when directed.direction = 'outbound' then directed.dest_device
    end as trunk,
    case when directed.direction = 'internal' then 'leg_without_trunk' end as set_aside_rule,
    {{ record_key_hash('directed', 'cisco_cucm', landed_text('directed.pkid')) }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'answer_raw',
        'end_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'direction', 'disposition_raw', 'cause_code', 'account_key', 'service_key_1', 'trunk',
        'set_aside_rule',
    ]) }}
from directed
