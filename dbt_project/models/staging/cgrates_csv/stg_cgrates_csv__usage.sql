-- Grain: one row per landed CGRateS CDR. A session is named by its origin host and origin id, in
-- whatever rating run it was exported: the same session of a second run is a repeat.
with cdrs as (
    select * from {{ source('landing', 'cgrates_csv') }}
),

prepared as (
    select
        cdrs.*,
        {{ usage_type('cdrs.tor') }} as usage_kind,
        {{ go_time('cdrs.setup_time') }} as setup_text,
        {{ go_time('cdrs.answer_time') }} as answer_text,
        {{ go_duration('cdrs.usage') }} as seconds,
        concat_ws('|', nullif(cdrs.origin_host, ''), nullif(cdrs.origin_id, '')) as session_key
    from cdrs
)

select
    prepared.file_id,
    prepared.line_no,
    prepared.usage_kind as usage_type,
    nullif(prepared.session_key, '') as record_id,
    coalesce(nullif(prepared.cgrid, ''), prepared.origin_id) as call_group_id,
    coalesce(prepared.setup_text, prepared.answer_text) as start_raw,
    prepared.answer_text as answer_raw,
    case when prepared.usage_kind = 'voice' then prepared.seconds end as duration_raw,
    case when prepared.usage_kind = 'voice' then prepared.seconds end as billable_raw,
    -- data: in the unit of the platform, which the file does not say
    case when prepared.usage_kind <> 'voice' then prepared.usage end as quantity_raw,
    prepared.account as calling_raw,
    prepared.destination as called_raw,
    {{ direction("btrim(prepared.direction, '*')") }} as direction,
    case
        when prepared.usage_kind <> 'voice' then null
        when prepared.answer_text is null then 'no_answer'
        else 'answered'
    end as disposition_raw,
    prepared.account as account_key,
    prepared.subject as service_key_1,
    prepared.tenant as service_key_2,
    -- -1: not rated
    case when prepared.cost !~ '^-' then prepared.cost end as carrier_amount_raw,
    prepared.category,
    {{ record_key_hash('prepared', 'cgrates_csv', 'prepared.session_key') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'duration_raw',
        'billable_raw', 'quantity_raw', 'calling_raw', 'called_raw', 'direction',
        'disposition_raw', 'account_key', 'service_key_1', 'service_key_2', 'carrier_amount_raw',
        'category'
    ]) }}
from prepared
