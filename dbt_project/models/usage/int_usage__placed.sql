-- Grain: one row per usage leg of the current run, with the place of both ends and the class of the
-- called number, by area code and exchange in service at the start of the call.
-- Tables that few have, LATAs and local calling areas, and location routing numbers are joined only
-- where there are any.
{{ config(post_hook="{{ evaluate_once() }}") }}
{%- set present = reference_kinds_present(['lata', 'local_calling_area']) %}
{%- set with_lata = 'lata' in present %}
{%- set with_centres = 'local_calling_area' in present %}
{%- set with_lrn = has_lrn() %}

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
{%- if with_lrn %},

lrn_exchanges as (
    select * from {{ ref('int_reference__exchanges') }}
)
{%- endif %}
{%- if with_lata %},

calling_latas as (
    select * from {{ ref('int_reference__latas') }}
),

called_latas as (
    select * from {{ ref('int_reference__latas') }}
)
{%- endif %}

select
    legs.*,
    case
        when legs.calling_npanxx is null and legs.calling_number is not null then 'foreign'
        else calling_areas.kind
    end as calling_kind,
    calling_areas.number_class as calling_number_class,
    calling_areas.time_zone as calling_zone,
    case
        when calling_areas.kind = 'us'
            then
                coalesce(
                    calling_exchanges.state_code,
                    case when legs.classify_mode = 'npa' then calling_areas.state_code end
                )
    end as calling_state,
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
    case
        when legs.called_number is null then {{ special_number_class('legs') }}
        when legs.called_npanxx is null then 'international'
        when called_areas.kind is null then 'unassigned'
        when
            legs.called_number % 10000000 = 5551212
            and called_areas.number_class in ('us_geographic', 'us_territory', 'canada')
            then 'directory_assistance'
        when called_areas.kind = 'us' and legs.called_npanxx % 1000 = 976 then 'premium'
        else called_areas.number_class
    end as number_class,
    case
        when called_areas.kind = 'us'
            then
                coalesce(
                    called_exchanges.state_code,
                    case when legs.classify_mode = 'npa' then called_areas.state_code end
                )
    end as called_state,
    {{ 'lrn_exchanges.state_code' if with_lrn else 'null::text' }} as lrn_state,
    {{ 'calling_latas.lata' if with_lata else 'null::integer' }} as calling_lata,
    {{ 'called_latas.lata' if with_lata else 'null::integer' }} as called_lata,
    {{ 'calling_exchanges.centre_no' if with_centres else 'null::bigint' }} as calling_centre_no,
    {{ 'called_exchanges.centre_no' if with_centres else 'null::bigint' }} as called_centre_no
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
{%- if with_lrn %}
left join lrn_exchanges
    on
        (legs.lrn_number - 10000000000) / 10000 = lrn_exchanges.npanxx
        and legs.started_at >= lrn_exchanges.valid_from
        and legs.started_at < lrn_exchanges.valid_to
{%- endif %}
{%- if with_lata %}
left join calling_latas
    on
        legs.calling_npanxx = calling_latas.npanxx
        and legs.started_at >= calling_latas.valid_from
        and legs.started_at < calling_latas.valid_to
left join called_latas
    on
        legs.called_npanxx = called_latas.npanxx
        and legs.started_at >= called_latas.valid_from
        and legs.started_at < called_latas.valid_to
{%- endif %}
