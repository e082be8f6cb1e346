-- Grain: one row per landed call leg of FreeSWITCH mod_json_cdr.
-- Legs the switch dials (direction outbound with an originating leg) belong to the call of the leg
-- that asked for them: that one is billed. direction is the switch's view; call_direction, where a
-- dialplan sets it, the customer's.
with cdr_documents as (
    select * from {{ source('landing', 'freeswitch_json') }}
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
        {{ json_text('parsed.leg', '$.variables.uuid') }} as uuid_text,
        coalesce(
            {{ json_text('parsed.leg', '$.variables.originating_leg_uuid') }},
            {{ json_text('parsed.leg', '$.variables.originator') }}
        ) as originating_uuid,
        coalesce(
            {{ json_text('parsed.leg', '$.variables.bleg_uuid') }},
            {{ json_text('parsed.leg', '$.variables.bridge_uuid') }}
        ) as other_uuid,
        {{ json_text('parsed.leg', '$.variables.start_epoch') }} as start_epoch,
        {{ percent_decoded(json_text('parsed.leg', '$.variables.start_stamp')) }} as start_stamp,
        coalesce(
            nullif({{ json_text('parsed.leg', '$.variables.answer_epoch') }}, '0'),
            {{ percent_decoded(json_text('parsed.leg', '$.variables.answer_stamp')) }}
        ) as answer_text,
        {{ json_text('parsed.leg', '$.variables.end_epoch') }} as end_epoch,
        {{ percent_decoded(json_text('parsed.leg', '$.variables.end_stamp')) }} as end_stamp,
        {{ json_text('parsed.leg', '$.variables.duration') }} as duration_text,
        {{ json_text('parsed.leg', '$.variables.billsec') }} as billsec_text,
        coalesce(
            {{ json_text('parsed.leg', '$.callflow[0].caller_profile.caller_id_number') }},
            {{ percent_decoded(json_text('parsed.leg', '$.variables.caller_id_number')) }},
            {{ percent_decoded(json_text('parsed.leg', '$.variables.sip_from_user')) }}
        ) as calling_text,
        coalesce(
            {{ json_text('parsed.leg', '$.callflow[0].caller_profile.destination_number') }},
            {{ percent_decoded(json_text('parsed.leg', '$.variables.destination_number')) }},
            {{ percent_decoded(json_text('parsed.leg', '$.variables.sip_to_user')) }}
        ) as called_text,
        coalesce(
            {{ json_text('parsed.leg', '$.callflow[0].caller_profile.caller_id_name') }},
            {{ percent_decoded(json_text('parsed.leg', '$.variables.caller_id_name')) }}
        ) as name_text,
        coalesce(
            {{ json_text('parsed.leg', '$.callflow[0].caller_profile.context') }},
            {{ percent_decoded(json_text('parsed.leg', '$.variables.user_context')) }}
        ) as context_text,
        lower({{ json_text('parsed.leg', '$.variables.call_direction') }}) as call_direction,
        lower({{ json_text('parsed.leg', '$.variables.direction') }}) as switch_direction,
        upper({{ json_text('parsed.leg', '$.variables.hangup_cause') }}) as cause,
        {{ json_text('parsed.leg', '$.variables.hangup_cause_q850') }} as cause_code_text,
        {{ percent_decoded(json_text('parsed.leg', '$.variables.accountcode')) }} as account_text,
        {{ percent_decoded(json_text('parsed.leg', '$.variables.sip_gateway_name')) }}
            as gateway_text
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
        'lettered', 'freeswitch_json', 'lettered.uuid_text || lettered.leg_letter'
    ) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_code', 'cause_text',
        'account_key', 'trunk', 'set_aside_rule',
    ]) }}
from lettered
