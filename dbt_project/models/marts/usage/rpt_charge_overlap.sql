-- Grain: one row per two billed recurring lines of a service and product, in different files, whose
-- days overlap: the ledger of what is billed already. Two lines of one file may be two features.
with billed as (
    select *
    from {{ ref('current_rated_charge') }}
    where
        state = 'billed'
        and charge_type in ('recurring', 'recurring_advance', 'recurring_arrears')
        and cost_amount >= 0
)

select
    later.account_id::bigint as account_id,
    later.service_id::bigint as service_id,
    later.product_code::text as product_code,
    earlier.charge_id::bigint as first_charge_id,
    later.charge_id::bigint as second_charge_id,
    greatest(earlier.period_from, later.period_from)::date as overlap_from,
    least(earlier.period_to, later.period_to)::date as overlap_to,
    later.charge_amount::numeric(28, 14) as second_charge_amount,
    later.currency_code::text as currency_code
from billed as later
inner join billed as earlier
    on
        later.service_id = earlier.service_id
        and later.product_code = earlier.product_code
        and later.file_id > earlier.file_id
        and later.period_from <= earlier.period_to
        and later.period_to >= earlier.period_from
