-- Grain: one row per landed Gamma rental line.
-- The month is in words. Advance rental covers that month; a part of a month runs from the
-- effective date to the month's end, for a charge as for the credit after a cease; a connection is
-- one day.
with item as (
    select * from {{ source('landing', 'gamma_item_rental') }}
),

charges as (
    select
        item.*,
        lower(btrim(item.event_type)) as kind,
        {{ month_start('item.charge_month') }} as month_start,
        {{ month_start("substr(item.effective_date, strpos(item.effective_date, '/') + 1)") }}
            as effective_month,
        {{ sum_of_amounts(['item.total_cost', 'item.broken_part_cost']) }} as net_amount,
        item.broken_part_cost ~ '[1-9]' and item.total_cost !~ '[1-9]' as is_part
    from item
)

select
    charges.file_id,
    charges.line_no,
    nullif(btrim(charges.cli), '') as service_key,
    nullif(btrim(charges.billing_description), '') as product_code,
    charges.billing_description as description,
    case
        when charges.kind = 'connection' then 'one_off'
        when charges.net_amount like '-%' then 'credit'
        when charges.is_part then 'prorata'
        when charges.kind = 'rental' then 'recurring_advance'
        else charges.event_type
    end as charge_type,
    case
        when charges.kind = 'connection' then charges.effective_date
        when charges.is_part and charges.effective_month = charges.month_start
            then charges.effective_date
        else charges.month_start::text
    end as period_from_raw,
    case
        when charges.kind = 'connection' then charges.effective_date
        else (charges.month_start + interval '1 month' - interval '1 day')::date::text
    end as period_to_raw,
    charges.effective_date as event_date_raw,
    nullif(btrim(charges.quantity), '') as quantity_raw,
    charges.net_amount as net_amount_raw,
    'GBP' as currency_code,
    {{ record_key_hash('charges', 'gamma_item_rental', 'null') }} as record_key_hash,
    {{ content_hash('charges', 'gamma_item_rental') }} as content_hash,
    {{ unset_charge_columns(except=[
        'service_key', 'product_code', 'description', 'charge_type', 'period_from_raw',
        'period_to_raw', 'event_date_raw', 'quantity_raw', 'net_amount_raw', 'currency_code'
    ]) }}
from charges
