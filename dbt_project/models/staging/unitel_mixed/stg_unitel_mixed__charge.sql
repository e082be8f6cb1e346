-- Grain: one row per landed Unitel/RSLCOM line of service and equipment (7) or other charges and
-- credits (8).
with landed as (
    select * from {{ source('landing', 'unitel_mixed') }}
),

item as (
    select
        landed.*,
        {{ local_timestamp(iso_timestamp('landed.event_time', "'dmy'")) }}::date as event_day,
        {{ local_timestamp(iso_timestamp('landed.end_date', "'dmy'")) }}::date as last_day
    from landed
)

select
    item.file_id,
    item.line_no,
    nullif(btrim(item.event_id), '') as record_id,
    {{ unitel_number('item.charged_party') }} as service_key,
    nullif(btrim(item.description), '') as product_code,
    item.description,
    case
        when item.price like '%-%' then 'credit'
        when btrim(item.record_type) = '8' then 'one_off'
        when item.last_day <= item.event_day then 'recurring_arrears'
        else 'recurring_advance'
    end as charge_type,
    nullif(btrim(item.begin_date), '') as period_from_raw,
    nullif(btrim(item.end_date), '') as period_to_raw,
    substr(btrim(item.event_time), 1, 10) as event_date_raw,
    nullif(btrim(item.item_count), '') as quantity_raw,
    nullif(btrim(item.price), '') as net_amount_raw,
    nullif(btrim(item.currency), '') as currency_code,
    {{ record_key_hash('item', 'unitel_mixed', 'btrim(item.event_id)') }} as record_key_hash,
    {{ content_hash('item', 'unitel_mixed') }} as content_hash,
    {{ unset_charge_columns(except=[
        'record_id', 'service_key', 'product_code', 'description', 'charge_type',
        'period_from_raw', 'period_to_raw', 'event_date_raw', 'quantity_raw', 'net_amount_raw',
        'currency_code'
    ]) }}
from item
where btrim(item.record_type) in ('7', '8')
