-- Grain: one row per prefix that any deck has a price for, with the country it is in. Decks name
-- their destinations differently: the name here is the one most rows of the prefix have, the first
-- by alphabet of several.
with rates as (
    select * from {{ source('reference', 'rate') }}
    where recorded_to = 'infinity'
),

area_codes as (
    select * from {{ source('reference', 'npa') }}
    where recorded_to = 'infinity'
),

countries as (
    select * from {{ ref('country_codes') }}
),

prefixes as (
    select
        rates.prefix,
        mode() within group (order by nullif(rates.destination_name, '')) as destination_name
    from rates
    group by rates.prefix
),

-- +1 is shared: the area code says which country
shared as (
    select distinct on (area_codes.npa)
        area_codes.npa,
        countries.country_code
    from area_codes
    inner join countries on area_codes.country = countries.nanp_country
    order by area_codes.npa asc, area_codes.valid_from desc, countries.country_code asc
),

calling_codes as (
    select distinct countries.calling_code::text as calling_code
    from countries
),

-- the longest wins: 7 is shared, 77 is Kazakhstan
placed as (
    select
        prefixes.prefix,
        prefixes.destination_name,
        coalesce(three.calling_code, two.calling_code, one.calling_code) as calling_code
    from prefixes
    left join calling_codes as one on left(prefixes.prefix, 1) = one.calling_code
    left join calling_codes as two on left(prefixes.prefix, 2) = two.calling_code
    left join calling_codes as three on left(prefixes.prefix, 3) = three.calling_code
)

select
    placed.prefix::text as prefix,
    placed.destination_name::text as destination_name,
    placed.calling_code::text as calling_code,
    coalesce(shared.country_code, countries.country_code)::text as country_code
from placed
left join countries
    on
        placed.calling_code = countries.calling_code::text
        and nullif(countries.nanp_country, '') is null
left join shared
    on placed.calling_code = '1' and substr(placed.prefix, 2, 3) = shared.npa::text
