-- Grain: one row per landed charge line (SDR) of a file whose columns a user assigned to meanings.
with charge_lines as (
    select * from {{ source('landing', 'carrier_charge') }}
)

select
    charge_lines.file_id,
    charge_lines.line_no,
    nullif(btrim(charge_lines.record_id), '') as record_id,
    nullif(btrim(charge_lines.account_key), '') as account_key,
    -- spreadsheets keep a leading zero with an apostrophe
    nullif(btrim(charge_lines.service_key, ' '''), '') as service_key,
    nullif(btrim(charge_lines.product_code), '') as product_code,
    charge_lines.description,
    charge_lines.charge_type,
    nullif(btrim(charge_lines.period_from), '') as period_from_raw,
    nullif(btrim(charge_lines.period_to), '') as period_to_raw,
    nullif(btrim(charge_lines.event_date), '') as event_date_raw,
    nullif(btrim(charge_lines.quantity), '') as quantity_raw,
    nullif(btrim(charge_lines.unit_price), '') as unit_price_raw,
    nullif(btrim(charge_lines.net_amount), '') as net_amount_raw,
    charge_lines.tax_code,
    nullif(btrim(charge_lines.tax_amount), '') as tax_amount_raw,
    nullif(btrim(charge_lines.gross_amount), '') as gross_amount_raw,
    nullif(btrim(charge_lines.currency_code), '') as currency_code,
    charge_lines.order_ref,
    null::text as set_aside_rule,
    {{ record_key_hash('charge_lines', 'carrier_charge', 'btrim(charge_lines.record_id)') }}
        as record_key_hash,
    {{ content_hash('charge_lines', 'carrier_charge') }} as content_hash
from charge_lines
