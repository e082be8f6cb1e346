-- Grain: one row per rate row, band and period: the price of that row in that band.
{{ config(indexes=[{'columns': ['rate_id']}]) }}

with band_rates as (
    select * from {{ source('reference', 'band_rate') }}
),

rates as (
    select * from {{ source('reference', 'rate') }}
)

select
    rates.rate_id,
    band_rates.band_code,
    coalesce(band_rates.price_per_minute, band_rates.price_per_unit) as price_per_minute,
    band_rates.price_per_call,
    band_rates.connection_fee,
    band_rates.minimum_seconds,
    band_rates.increment_seconds,
    band_rates.valid_from,
    band_rates.valid_to
from band_rates
inner join rates
    on
        band_rates.deck_code = rates.deck_code
        and band_rates.prefix = rates.prefix
        and band_rates.jurisdiction = rates.jurisdiction
        and band_rates.valid_from < rates.valid_to
        and band_rates.valid_to > rates.valid_from
where
    {{ known_at_cutoff('rates') }}
    and {{ known_at_cutoff('band_rates') }}
