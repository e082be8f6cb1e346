-- Grain: one row per landed payment of an Atom service report.
with item as (
    select * from {{ source('landing', 'atom_service_report') }}
)

select
    item.file_id,
    item.line_no,
    nullif(btrim(item.account_id), '') as account_key,
    nullif(btrim(item.sip_account), '') as service_key,
    nullif(btrim(item.payment_type), '') as product_code,
    item.payment_description as description,
    nullif(btrim(item.payment_type), '') as charge_type,
    nullif(btrim(item.payment_time), '') as event_date_raw,
    nullif(btrim(item.payment_amount), '') as net_amount_raw,
    'AUD' as currency_code,
    {{ record_key_hash('item', 'atom_service_report', 'null') }} as record_key_hash,
    {{ content_hash('item', 'atom_service_report') }} as content_hash,
    {{ unset_charge_columns(except=[
        'account_key', 'service_key', 'product_code', 'description', 'charge_type',
        'event_date_raw', 'net_amount_raw', 'currency_code'
    ]) }}
from item
