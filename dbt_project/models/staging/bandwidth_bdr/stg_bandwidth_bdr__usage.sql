-- Grain: one row per landed Bandwidth billing detail record.
-- The file has the carrier's rounded duration only: it stands as both real and billed.
with bdr as (
    select * from {{ source('landing', 'bandwidth_bdr') }}
)

select
    bdr.file_id,
    bdr.line_no,
    'voice' as usage_type,
    nullif(btrim(bdr.bdr_id), '') as record_id,
    nullif(btrim(bdr.call_id), '') as call_group_id,
    bdr.call_start as start_raw,
    'UTC' as start_zone,
    bdr.call_end as end_raw,
    bdr.duration as duration_raw,
    bdr.duration as billable_raw,
    bdr.duration as carrier_billed_raw,
    bdr.call_source as calling_raw,
    bdr.call_destination as called_raw,
    -- TOLL-FREE is not explained by the vendor: the source's direction mode decides.
    case
        when upper(bdr.call_type) like '%ORIGINATION%' then 'inbound'
        when upper(btrim(bdr.call_type)) not in ('', 'TOLL-FREE') then 'outbound'
    end as direction,
    nullif(btrim(bdr.account_number), '') as account_key,
    nullif(btrim(bdr.source_ip), '') as trunk,
    nullif(btrim(bdr.destination_ip), '') as route,
    nullif(btrim(bdr.lrn), '') as lrn,
    nullif(btrim(bdr.amount), '') as carrier_amount_raw,
    'USD' as carrier_currency,
    nullif(btrim(bdr.tier_type), '') as carrier_rate_code,
    nullif(btrim(bdr.call_type), '') as category,
    {{ record_key_hash('bdr', 'bandwidth_bdr', 'btrim(bdr.bdr_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'end_raw',
        'duration_raw', 'billable_raw', 'carrier_billed_raw', 'calling_raw', 'called_raw',
        'direction', 'account_key', 'trunk', 'route', 'lrn', 'carrier_amount_raw',
        'carrier_currency', 'carrier_rate_code', 'category'
    ]) }}
from bdr
