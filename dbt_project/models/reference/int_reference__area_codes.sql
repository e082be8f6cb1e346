-- Grain: one row per area code and period in which it is in service.
-- kind: us (geographic, territories included), toll_free, premium, foreign (Canada and every other
-- country), other (non-geographic).
with area_codes as (
    select * from {{ source('reference', 'npa') }}
)

select
    area_codes.npa,
    case
        when area_codes.service ilike 'toll%free%' then 'toll_free'
        when area_codes.service ilike 'premium%' then 'premium'
        when area_codes.country = 'US' and area_codes.usage_class = 'geographic' then 'us'
        when area_codes.country is not null and area_codes.country <> 'US' then 'foreign'
        else 'other'
    end as kind,
    area_codes.valid_from,
    area_codes.valid_to
from area_codes
where
    area_codes.is_in_service
    and {{ known_at_cutoff('area_codes') }}
