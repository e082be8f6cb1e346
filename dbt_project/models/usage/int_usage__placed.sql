-- Grain: one row per usage leg of the current run, with the place of both ends and the class of the
-- called number, by area code and exchange in service at the start of the call.
{{ config(post_hook="{{ evaluate_once() }}") }}

with legs as (
    select
        leg.*,
        case
            when leg.calling_number between 12000000000 and 19999999999
                then ((leg.calling_number - 10000000000) / 10000)::integer
        end as calling_npanxx,
        case
            when leg.called_number between 12000000000 and 19999999999
                then ((leg.called_number - 10000000000) / 10000)::integer
        end as called_npanxx
    from {{ ref('int_usage__legs') }} as leg
),

-- one import for each use: a CTE used twice is materialized, and then nothing runs in parallel
calling_areas as (
    select * from {{ ref('int_reference__area_codes') }}
),

called_areas as (
    select * from {{ ref('int_reference__area_codes') }}
),

calling_exchanges as (
    select * from {{ ref('int_reference__exchanges') }}
),

called_exchanges as (
    select * from {{ ref('int_reference__exchanges') }}
)

select
    legs.*,
    case
        when legs.calling_npanxx is null and legs.calling_number is not null then 'foreign'
        else calling_areas.kind
    end as calling_kind,
    case when calling_areas.kind = 'us' then calling_exchanges.state_code end as calling_state,
    case
        when legs.called_number_class = 'n11' then 'n11'
        when legs.called_number is null then 'other'
        when legs.called_npanxx is null then 'international'
        when called_areas.kind is null then 'unknown'
        when called_areas.kind = 'us' and legs.called_npanxx % 1000 = 976 then 'premium'
        when called_areas.kind = 'us' then 'domestic'
        when called_areas.kind = 'foreign' then 'international'
        else called_areas.kind
    end as called_class,
    case when called_areas.kind = 'us' then called_exchanges.state_code end as called_state
from legs
left join calling_areas
    on
        legs.calling_npanxx / 1000 = calling_areas.npa
        and legs.started_at >= calling_areas.valid_from
        and legs.started_at < calling_areas.valid_to
left join called_areas
    on
        legs.called_npanxx / 1000 = called_areas.npa
        and legs.started_at >= called_areas.valid_from
        and legs.started_at < called_areas.valid_to
left join calling_exchanges
    on
        legs.calling_npanxx = calling_exchanges.npanxx
        and legs.started_at >= calling_exchanges.valid_from
        and legs.started_at < calling_exchanges.valid_to
left join called_exchanges
    on
        legs.called_npanxx = called_exchanges.npanxx
        and legs.started_at >= called_exchanges.valid_from
        and legs.started_at < called_exchanges.valid_to
