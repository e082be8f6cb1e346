-- Grain: one row per landed line of a Kannel access log.
-- The parts before the text are read; the text may hold anything.
with log_line as (
    select * from {{ source('landing', 'kannel') }}
),

message as (
    select
        log_line.*,
        substr(log_line.record_line, 1, 19) as logged_at,
        lower(btrim(substring(substr(log_line.record_line, 21) from '^[A-Za-z ()]+'))) as event,
        substring(log_line.record_line from '\[SMSC:([^\]]*)\]') as smsc,
        substring(log_line.record_line from '\[SVC:([^\]]*)\]') as service,
        substring(log_line.record_line from '\[ACT:([^\]]*)\]') as account,
        substring(log_line.record_line from '\[BINF:([^\]]*)\]') as billing_info,
        substring(log_line.record_line from '\[FID:([^\]]*)\]') as foreign_id,
        substring(log_line.record_line from '\[from:([^\]]*)\]') as sender,
        substring(log_line.record_line from '\[to:([^\]]*)\]') as receiver
    from log_line
)

select
    message.file_id,
    message.line_no,
    'sms' as usage_type,
    nullif(message.foreign_id, '') as call_group_id,
    message.logged_at as start_raw,
    '0' as duration_raw,
    '0' as billable_raw,
    '1' as quantity_raw,
    message.sender as calling_raw,
    message.receiver as called_raw,
    case
        when message.event like '%receive%' then 'inbound'
        when message.event like '%sen%' then 'outbound'
    end as direction,
    case
        when message.event ~ 'fail|reject|discard' then 'failed'
        when message.event in ('sent sms', 'receive sms', 'received sms') then 'answered'
        else 'unknown'
    end as disposition_raw,
    message.event as cause_text,
    coalesce(nullif(message.billing_info, ''), nullif(message.account, '')) as account_key,
    nullif(message.service, '') as service_key_1,
    nullif(message.smsc, '') as trunk,
    case when message.event ~ 'dlr|report' then 'paired_event' end as set_aside_rule,
    {{ record_key_hash('message', 'kannel', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'call_group_id', 'start_raw', 'duration_raw', 'billable_raw',
        'quantity_raw', 'calling_raw', 'called_raw', 'direction', 'disposition_raw', 'cause_text',
        'account_key', 'service_key_1', 'trunk', 'set_aside_rule'
    ]) }}
from message
