-- Grain: one row per landed line of the CDR-Stats import table.
-- The Q.850 cause decides: busy and failed rows carry talk seconds, too. Direction is a code whose
-- meaning is not published with the data; only its words are read.
with cdr_lines as (
    select * from {{ source('landing', 'cdr_stats') }}
),

cleaned as (
    select
        cdr_lines.*,
        {{ landed_text('cdr_lines.starting_date') }} as start_text,
        {{ landed_text('cdr_lines.hangup_cause_id') }} as cause_id,
        {{ landed_text('cdr_lines.billsec') }} as billsec_text,
        lower({{ landed_text('cdr_lines.direction') }}) as direction_text
    from cdr_lines
),

judged as (
    select
        cleaned.*,
        {{ q850_disposition('cleaned.cause_id') }} as outcome
    from cleaned
)

select
    judged.file_id,
    judged.line_no,
    'voice' as usage_type,
    {{ landed_text('judged.callid') }} as record_id,
    {{ landed_text('judged.callid') }} as call_group_id,
    judged.start_text as start_raw,
    case
        when judged.outcome = 'answered'
            then {{ shifted_time('judged.start_text', landed_text('judged.answersec')) }}
    end as answer_raw,
    {{ landed_text('judged.duration') }} as duration_raw,
    case
        when coalesce(judged.outcome, 'answered') = 'answered' then judged.billsec_text
        else '0'
    end as billable_raw,
    {{ landed_text('judged.caller_id_number') }} as calling_raw,
    {{ landed_text('judged.destination_number') }} as called_raw,
    {{ landed_text('judged.destination_number') }} as dialled_raw,
    {{ landed_text('judged.caller_id_name') }} as calling_name,
    case
        when judged.direction_text in ('inbound', 'outbound', 'internal')
            then judged.direction_text
    end as direction,
    judged.outcome as disposition_raw,
    judged.cause_id as cause_code,
    {{ landed_text('judged.hangup_cause') }} as cause_text,
    {{ landed_text('judged.accountcode') }} as account_key,
    {{ landed_text('judged.channel') }} as trunk,
    {{ landed_text('judged.buy_cost') }} as carrier_amount_raw,
    {{ record_key_hash('judged', 'cdr_stats', landed_text('judged.callid')) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'duration_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw', 'calling_name', 'direction',
        'disposition_raw', 'cause_code', 'cause_text', 'account_key', 'trunk',
        'carrier_amount_raw',
    ]) }}
from judged
