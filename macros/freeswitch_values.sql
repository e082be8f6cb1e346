{#- What the three FreeSWITCH layouts have in common. -#}
{% macro freeswitch_disposition(is_answered, cause) -%}
    {#- The answer decides, not the cause: NORMAL_CLEARING stands on calls nobody answered, too. -#}
    case
        when {{ is_answered }} then 'answered'
        when {{ cause }} = 'USER_BUSY' then 'busy'
        when {{ cause }} in ('ORIGINATOR_CANCEL', 'LOSE_RACE', 'PICKED_OFF', 'MANAGER_REQUEST')
            then 'canceled'
        when {{ cause }} in ('NORMAL_CIRCUIT_CONGESTION', 'SWITCH_CONGESTION') then 'congestion'
        when
            {{ cause }} is null
            or {{ cause }} in (
                'NO_ANSWER', 'NO_USER_RESPONSE', 'NORMAL_CLEARING', 'ALLOTTED_TIMEOUT', 'NONE',
                'BLIND_TRANSFER', 'ATTENDED_TRANSFER'
            )
            then 'no_answer'
        else 'failed'
    end
{%- endmacro %}

{% macro freeswitch_direction(context, calling, called) -%}
    {#- By the dialplan context (calls from outside arrive in public), then by the numbers. -#}
    case
        when lower({{ context }}) = 'public' then 'inbound'
        when {{ calling }} ~ '^[0-9]{1,6}$' and {{ called }} ~ '^[0-9]{1,6}$' then 'internal'
        when {{ calling }} ~ '^[0-9]{1,6}$' and {{ called }} ~ '^[+]?[0-9]{7,}$' then 'outbound'
    end
{%- endmacro %}

{% macro percent_decoded(value) -%}
    {#- Escapes of ASCII characters decoded once, by way of JSON's own; a value without escapes is
        left alone. -#}
    case
        when {{ value }} ~ '%[2-7][0-9A-Fa-f]'
            then
                regexp_replace(
                    to_json({{ value }})::text, '%([2-7][0-9A-Fa-f])', '\\u00\1', 'g'
                )::json #>> '{}'
        else {{ value }}
    end
{%- endmacro %}

{% macro json_text(document, path) -%}
    {#- The text at a path of a jsonb; of several values the first; empty is null. -#}
    nullif(btrim(jsonb_path_query_first({{ document }}, '{{ path }}[0]') #>> '{}'), '')
{%- endmacro %}

{% macro freeswitch_value(path, name) -%}
    {{ json_text('parsed.leg', path | replace('NAME', name)) }}
{%- endmacro %}

{% macro freeswitch_text(path, name, is_encoded) -%}
    {#- A value that may hold any character: mod_json_cdr percent-encodes those. -#}
    {%- if is_encoded -%}
    {{ percent_decoded(freeswitch_value(path, name)) }}
    {%- else -%}
    {{ freeswitch_value(path, name) }}
    {%- endif -%}
{%- endmacro %}

{% macro freeswitch_documents(layout_code, variable, profile, is_encoded) -%}
    {#- The usage of legs that land as documents (JSON, or XML flattened to JSON). variable and
        profile are the JSON paths of a channel variable and of a field of the caller's profile, with
        NAME in the place of its name. -#}
with cdr_documents as (
    select * from {{ source('landing', layout_code) }}
),

-- An object PostgreSQL cannot hold (an escaped NUL) gives a record without a start.
parsed as (
    select
        cdr_documents.*,
        case
            when pg_input_is_valid(cdr_documents.document, 'jsonb')
                then cdr_documents.document::jsonb
        end as leg
    from cdr_documents
),

cleaned as (
    select
        parsed.*,
        {{ freeswitch_value(variable, 'uuid') }} as uuid_text,
        coalesce(
            {{ freeswitch_value(variable, 'originating_leg_uuid') }},
            {{ freeswitch_value(variable, 'originator') }}
        ) as originating_uuid,
        coalesce(
            {{ freeswitch_value(variable, 'bleg_uuid') }},
            {{ freeswitch_value(variable, 'bridge_uuid') }}
        ) as other_uuid,
        {{ freeswitch_value(variable, 'start_epoch') }} as start_epoch,
        {{ freeswitch_text(variable, 'start_stamp', is_encoded) }} as start_stamp,
        coalesce(
            nullif({{ freeswitch_value(variable, 'answer_epoch') }}, '0'),
            {{ freeswitch_text(variable, 'answer_stamp', is_encoded) }}
        ) as answer_text,
        {{ freeswitch_value(variable, 'end_epoch') }} as end_epoch,
        {{ freeswitch_text(variable, 'end_stamp', is_encoded) }} as end_stamp,
        {{ freeswitch_value(variable, 'duration') }} as duration_text,
        {{ freeswitch_value(variable, 'billsec') }} as billsec_text,
        coalesce(
            {{ freeswitch_value(profile, 'caller_id_number') }},
            {{ freeswitch_text(variable, 'caller_id_number', is_encoded) }},
            {{ freeswitch_text(variable, 'sip_from_user', is_encoded) }}
        ) as calling_text,
        coalesce(
            {{ freeswitch_value(profile, 'destination_number') }},
            {{ freeswitch_text(variable, 'destination_number', is_encoded) }},
            {{ freeswitch_text(variable, 'sip_to_user', is_encoded) }}
        ) as called_text,
        coalesce(
            {{ freeswitch_value(profile, 'caller_id_name') }},
            {{ freeswitch_text(variable, 'caller_id_name', is_encoded) }}
        ) as name_text,
        coalesce(
            {{ freeswitch_value(profile, 'context') }},
            {{ freeswitch_text(variable, 'user_context', is_encoded) }}
        ) as context_text,
        lower({{ freeswitch_value(variable, 'call_direction') }}) as call_direction,
        lower({{ freeswitch_value(variable, 'direction') }}) as switch_direction,
        upper({{ freeswitch_value(variable, 'hangup_cause') }}) as cause,
        {{ freeswitch_value(variable, 'hangup_cause_q850') }} as cause_code_text,
        {{ freeswitch_text(variable, 'accountcode', is_encoded) }} as account_text,
        {{ freeswitch_text(variable, 'sip_gateway_name', is_encoded) }} as gateway_text
    from parsed
),

lettered as (
    select
        cleaned.*,
        case when cleaned.originating_uuid is null then '|a' else '|b' end as leg_letter
    from cleaned
)

select
    lettered.file_id,
    lettered.line_no,
    'voice' as usage_type,
    lettered.uuid_text || lettered.leg_letter as record_id,
    coalesce(
        lettered.originating_uuid,
        least(lettered.uuid_text, lettered.other_uuid)
    ) as call_group_id,
    coalesce(nullif(lettered.start_epoch, '0'), lettered.start_stamp) as start_raw,
    lettered.answer_text as answer_raw,
    coalesce(nullif(lettered.end_epoch, '0'), lettered.end_stamp) as end_raw,
    lettered.duration_text as duration_raw,
    case when lettered.answer_text is not null then lettered.billsec_text else '0' end
        as billable_raw,
    lettered.calling_text as calling_raw,
    lettered.called_text as called_raw,
    lettered.called_text as dialled_raw,
    lettered.name_text as calling_name,
    case
        when lettered.call_direction in ('inbound', 'outbound') then lettered.call_direction
        when lettered.call_direction in ('local', 'internal') then 'internal'
        else coalesce(
            {{ freeswitch_direction(
                'lettered.context_text', 'lettered.calling_text', 'lettered.called_text'
            ) }},
            case
                when lettered.switch_direction in ('inbound', 'outbound')
                    then lettered.switch_direction
            end
        )
    end as direction,
    {{ freeswitch_disposition('lettered.answer_text is not null', 'lettered.cause') }}
        as disposition_raw,
    lettered.cause_code_text as cause_code,
    lettered.cause as cause_text,
    lettered.account_text as account_key,
    lettered.gateway_text as trunk,
    case when lettered.originating_uuid is not null then 'paired_event' end as set_aside_rule,
    {{ record_key_hash(
        'lettered', layout_code, 'lettered.uuid_text || lettered.leg_letter'
    ) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_code', 'cause_text',
        'account_key', 'trunk', 'set_aside_rule',
    ]) }}
from lettered
{%- endmacro %}
