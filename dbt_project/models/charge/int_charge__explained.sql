-- Grain: one row per charge line (SDR) that counts, with everything that led to its amount, as it
-- was known to the run that rated it. For looking up a line (file_id, line_no), not for counting.
with rated as (
    select * from {{ ref('current_rated_charge') }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

original_files as (
    select * from {{ source('control', 'file') }}
),

sources as (
    select * from {{ source('reference', 'source') }}
),

accounts as (
    select * from {{ source('reference', 'account') }}
),

services as (
    select * from {{ source('reference', 'service') }}
),

ceased_services as (
    select * from {{ source('reference', 'service_key') }}
),

tariffs as (
    select * from {{ source('reference', 'charge_tariff') }}
),

reasons as (
    {{ reasons_in_words() }}
),

placed as (
    select
        rated.*,
        {{ utc_day('rated.period_from') }} as charged_at,
        runs.run_kind,
        runs.reason as run_reason,
        runs.requested_by,
        runs.attempt,
        runs.closed_at,
        runs.reference_cutoff,
        runs.code_commit,
        runs.code_is_dirty,
        files.file_name,
        files.received_at
    from rated
    inner join runs on rated.rating_run_id = runs.rating_run_id
    inner join files on rated.file_id = files.file_id
),

owned as (
    select
        placed.*,
        sources.charge_tariff_code,
        accounts.account_code,
        accounts.customer_name,
        accounts.bill_group,
        services.service_code,
        ceased_services.service_code as ceased_service_code,
        original_files.file_name as original_file_name,
        {{ line_of_key('placed.original_charge_id') }} as original_line_no,
        reasons.field_name as reason_field,
        reasons.description as reason_in_words,
        reasons.what_to_do
    from placed
    left join original_files
        on {{ file_of_key('placed.original_charge_id') }} = original_files.file_id
    left join reasons on placed.reason = reasons.reason_code
    left join sources
        on
            placed.source_id = sources.source_id
            and {{ held_at('sources', 'placed.received_at', 'placed') }}
    left join accounts
        on
            placed.account_id = accounts.account_id
            and {{ held_at('accounts', 'placed.charged_at', 'placed') }}
    left join services
        on
            placed.service_id = services.service_id
            and {{ held_at('services', 'placed.charged_at', 'placed') }}
    left join ceased_services on placed.ceased_service_id = ceased_services.service_id
)

select
    owned.*,
    tariff.product_code as tariff_product_code,
    tariff.product_name,
    tariff.valid_from as tariff_valid_from,
    tariff.valid_to as tariff_valid_to,
    tariff.recorded_from as tariff_recorded_from,
    tariff.unit_price as list_price,
    tariff.markup_floor,
    tariff.margin_percent,
    tariff.add_on_amount,
    tariff.minimum_price,
    tariff.price_point,
    tariff.fee_period,
    tariff.trial_days,
    tariff.invoice_timing,
    tariff.rounding_level,
    tariff.rounding_decimals,
    tariff.rounding_mode
from owned
left join lateral (
    select tariffs.*
    from tariffs
    where
        owned.price_mode is not null
        and tariffs.charge_tariff_code = owned.charge_tariff_code
        and tariffs.product_code in (owned.product_code, '*')
        and tariffs.price_scope = owned.price_scope
        and tariffs.price_mode = owned.price_mode
        and tariffs.scope_code = case owned.price_scope
            when 'service' then owned.service_code
            when 'account' then owned.account_code
            when 'group' then owned.bill_group
            else ''
        end
        and {{ held_at('tariffs', 'owned.charged_at', 'owned') }}
    order by tariffs.product_code = '*'
    limit 1
) as tariff on true
