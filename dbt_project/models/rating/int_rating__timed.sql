-- Grain: one row per usage leg of the current run, with the charging terms of both sides, where a
-- rate has any, and the billed seconds. Where no row was found or it is blocked, they are null.
{{ config(post_hook="{{ evaluate_once() }}") }}

with tariffed as (
    select * from {{ ref('int_rating__tariffed') }}
),

-- one import for each use: a CTE used twice is materialized, and then nothing runs in parallel
retail_terms as (
    select * from {{ ref('int_reference__terms') }}
),

cost_terms as (
    select * from {{ ref('int_reference__terms') }}
),

-- calls with steps only: their parts, seconds and exact usage amount
stepped as (
    select
        {%- for side in ('retail', 'cost') %}
        {%- set terms = side ~ '_terms' %}
        {%- set whole = 'tariffed.' ~ side ~ '_whole_seconds' %}
        case
            when
                {{ terms }}.steps is not null
                and {{ is_charged(whole, terms) }}
                then
                    {{ call_steps(
                        'greatest(' ~ charged_seconds(whole, terms) ~ ', tariffed.' ~ side
                        ~ '_minimum)', terms
                    ) }}
        end as {{ side }}_split,
        {{ terms }}.minute_seconds as {{ side }}_minute_seconds,
        {{ terms }}.minimum_charge as {{ side }}_minimum_charge,
        {{ terms }}.maximum_charge as {{ side }}_maximum_charge,
        {{ terms }}.cap_period_seconds as {{ side }}_cap_period_seconds,
        {{ terms }}.price_per_call as {{ side }}_price_per_call,
        case when {{ whole }} <= nullif({{ terms }}.grace_seconds, 0) then true end
            as {{ side }}_is_free,
        case
            when {{ terms }}.terms_id is null then {{ whole }}
            when {{ is_charged(whole, terms) }} then {{ charged_seconds(whole, terms) }}
        end as {{ side }}_charged_seconds,
        {%- endfor %}
        tariffed.*
    from tariffed
    left join retail_terms on tariffed.retail_terms_id = retail_terms.terms_id
    left join cost_terms on tariffed.cost_terms_id = cost_terms.terms_id
)

select
    {%- for side in ('retail', 'cost') %}
    {%- set base = 'stepped.' ~ ('' if side == 'retail' else 'cost_') ~ 'increment_base' %}
    case
        when stepped.{{ 'retail_status' if side == 'retail' else 'cost_rate_status' }} = 'open'
            then
                case
                    when stepped.{{ side }}_split is not null
                        then (stepped.{{ side }}_split ->> 'seconds')::bigint
                    when stepped.{{ side }}_charged_seconds is null then 0
                    else
                        {{ billed_seconds(
                            'stepped.' ~ side ~ '_charged_seconds',
                            'stepped.' ~ side ~ '_minimum',
                            'stepped.' ~ side ~ '_increment', base
                        ) }}
                end
    end as {{ side }}_billed_seconds,
    {%- endfor %}
    stepped.*
from stepped
