-- Grain: one row per area code and period in which it is in service.
-- kind: us (geographic, territories included), toll_free, premium, foreign (Canada and every other
-- country), other (non-geographic). number_class is finer. state_code: as the report writes the
-- place, where it is one state.
with area_codes as (
    select * from {{ source('reference', 'npa') }}
),

zones as (
    select * from {{ ref('area_code_zones') }}
),

place_zones as (
    select * from {{ ref('area_code_zones') }}
),

kinds as (
    select
        area_codes.*,
        case
            when area_codes.service ilike 'toll%free%' then 'toll_free'
            when area_codes.service ilike 'premium%' then 'premium'
            when area_codes.country = 'US' and area_codes.usage_class = 'geographic' then 'us'
            when area_codes.country is not null and area_codes.country <> 'US' then 'foreign'
            else 'other'
        end as kind,
        -- the reports of area codes and of exchanges name the Northern Mariana Islands differently
        case when area_codes.location in ('CNMI', 'MP') then 'NN' else area_codes.location end
            as place
    from area_codes
    where
        area_codes.is_in_service
        and {{ known_at_cutoff('area_codes') }}
)

select
    kinds.npa,
    kinds.kind,
    case
        when kinds.kind in ('toll_free', 'premium') then kinds.kind
        when kinds.kind = 'us' and kinds.place in ({{ territories() }}) then 'us_territory'
        when kinds.kind = 'us' then 'us_geographic'
        when
            kinds.kind = 'foreign'
            and kinds.country ilike 'canada'
            and kinds.usage_class = 'geographic'
            then 'canada'
        when kinds.kind = 'foreign' and kinds.country ilike 'canada' then 'canada_non_geographic'
        when kinds.kind = 'foreign' then 'international'
        when kinds.service ilike '%government%' then 'us_government'
        when kinds.service ilike 'interexchange%' then 'carrier_specific'
        else 'personal'
    end as number_class,
    case when kinds.kind = 'us' and kinds.place ~ '^[A-Z]{2}$' then kinds.place end as state_code,
    -- of a place of its own, else of all places with these letters; null where there are several
    coalesce(place_zones.time_zone, zones.time_zone) as time_zone,
    kinds.valid_from,
    kinds.valid_to
from kinds
left join zones
    on
        kinds.time_zone_letters = zones.time_zone_letters
        and zones.place is null
        and kinds.location <> 'NANP AREA'
left join place_zones
    on
        kinds.time_zone_letters = place_zones.time_zone_letters
        and kinds.location = place_zones.place
