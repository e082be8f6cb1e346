-- Grain: one row per landed charge line (SDR) of a carrier.
-- occurrence counts equal lines inside a file: two identical rentals are two charges, while the
-- same line in the next file is a repeat.
with charge_lines as (
    select * from {{ source('landing', 'carrier_charge') }}
),

hashed as (
    select
        charge_lines.*,
        {{ row_hash('charge_lines', charge_value_columns()) }} as line_hash
    from charge_lines
)

select
    hashed.file_id,
    hashed.line_no,
    nullif(btrim(hashed.account_key), '') as account_key,
    nullif(btrim(hashed.service_key), '') as service_key,
    nullif(btrim(hashed.product_code), '') as product_code,
    hashed.description,
    hashed.charge_type,
    coalesce(nullif(btrim(hashed.period_from), ''), nullif(btrim(hashed.event_date), ''))
        as period_from_raw,
    nullif(btrim(hashed.period_to), '') as period_to_raw,
    nullif(btrim(hashed.quantity), '') as quantity_raw,
    nullif(btrim(hashed.net_amount), '') as net_amount_raw,
    nullif(btrim(hashed.currency_code), '') as currency_code,
    hashed.line_hash as content_hash,
    case
        when btrim(hashed.record_id) <> '' then hashtextextended(btrim(hashed.record_id), 0)
        else hash_record_extended(
            row(
                hashed.line_hash,
                row_number() over (
                    partition by hashed.file_id, hashed.line_hash order by hashed.line_no
                )
            ), 0
        )
    end as record_key_hash
from hashed
