-- Grain: one row per landed Xarios line.
-- Times are written with the offset of the place: their day is the day meant, and the end is
-- inclusive.
with item as (
    select * from {{ source('landing', 'xarios') }}
)

select
    item.file_id,
    item.line_no,
    nullif(btrim(item.charge_id), '') as record_id,
    nullif(btrim(item.tenant_code), '') as account_key,
    nullif(btrim(item.user_id), '') as service_key,
    nullif(btrim(item.part_number), '') as product_code,
    item.product_name as description,
    case when item.value like '%-%' then 'credit' end as charge_type,
    substr(btrim(item.from_date), 1, 10) as period_from_raw,
    substr(btrim(item.to_date), 1, 10) as period_to_raw,
    nullif(btrim(item.quantity), '') as quantity_raw,
    nullif(btrim(item.value), '') as net_amount_raw,
    {{ record_key_hash('item', 'xarios', 'btrim(item.charge_id)') }} as record_key_hash,
    {{ content_hash('item', 'xarios') }} as content_hash,
    {{ unset_charge_columns(except=[
        'record_id', 'account_key', 'service_key', 'product_code', 'description', 'charge_type',
        'period_from_raw', 'period_to_raw', 'quantity_raw', 'net_amount_raw'
    ]) }}
from item
