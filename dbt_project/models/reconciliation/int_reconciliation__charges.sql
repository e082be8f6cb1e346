-- Grain: one row per kind of charge and currency on the carrier's charge records (SDR) of the
-- period; of usage summaries one per time they are for.
with charges as (
    select * from {{ ref('current_rated_charge') }}
    where
        source_id = any({{ reconcile_setting('charges', 'integer[]') }})
        and state <> 'duplicate'
        and coalesce(period_from, period_to)
        >= ({{ reconcile_setting('from', 'timestamptz') }} at time zone 'UTC')::date
        and coalesce(period_from, period_to)
        < ({{ reconcile_setting('to', 'timestamptz') }} at time zone 'UTC')::date
)

select
    charges.charge_type,
    charges.cost_currency_code as currency_code,
    count(*) as record_count,
    min(charges.period_from) as from_date,
    max(charges.period_to) as to_date,
    sum(charges.cost_amount) as their_amount
from charges
group by
    charges.charge_type,
    charges.cost_currency_code,
    case when charges.charge_type = 'usage_summary' then charges.period_from end,
    case when charges.charge_type = 'usage_summary' then charges.period_to end
