-- Grain: one row per leading digits of an E.164 number that name a country (macro country_lead).
-- An area code that is of no one country (toll-free, premium) has no row.
with country_codes as (
    select * from {{ ref('country_codes') }}
),

area_codes as (
    select distinct on (npa.npa)
        npa.npa,
        upper(npa.country) as country
    from {{ source('reference', 'npa') }} as npa
    where {{ known_at_cutoff('npa') }}
    order by npa.npa asc, npa.valid_from desc
),

leads as (
    select leads.lead_digits
    from generate_series(200, 999) as leads (lead_digits)
),

elsewhere as (
    select distinct on (leads.lead_digits)
        leads.lead_digits,
        country_codes.country_code
    from leads
    inner join country_codes
        on
            country_codes.nanp_country is null
            and starts_with(leads.lead_digits::text, country_codes.calling_code)
    order by leads.lead_digits asc, length(country_codes.calling_code) desc
)

select
    1000 + area_codes.npa as lead_digits,
    country_codes.country_code
from area_codes
inner join country_codes on area_codes.country = country_codes.nanp_country
union all
select
    elsewhere.lead_digits,
    elsewhere.country_code
from elsewhere
