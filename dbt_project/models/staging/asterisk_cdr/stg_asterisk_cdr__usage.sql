-- Grain: one row per landed Asterisk CDR line.
-- A channel's uniqueid repeats on each leg of its call; only with sequence it names a record.
with cdr as (
    select * from {{ source('landing', 'asterisk_cdr') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    case
        when cdr.uniqueid <> '' and cdr.sequence <> '' then cdr.uniqueid || '|' || cdr.sequence
    end as record_id,
    coalesce(nullif(cdr.linkedid, ''), cdr.uniqueid) as call_group_id,
    cdr.start_time as start_raw,
    cdr.answer_time as answer_raw,
    cdr.end_time as end_raw,
    cdr.duration as duration_raw,
    cdr.billsec as billable_raw,
    cdr.src as calling_raw,
    cdr.dst as called_raw,
    coalesce(nullif(cdr.cnam, ''), substring(cdr.clid from '^"+(.*?)"+ *<')) as calling_name,
    cdr.disposition as disposition_raw,
    cdr.accountcode as account_key,
    cdr.dstchannel as trunk,
    {{ record_key_hash(
        'cdr', 'asterisk_cdr',
        "case when cdr.uniqueid <> '' and cdr.sequence <> ''"
        " then cdr.uniqueid || '|' || cdr.sequence end"
    ) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'calling_name',
        'disposition_raw', 'account_key', 'trunk'
    ]) }}
from cdr
