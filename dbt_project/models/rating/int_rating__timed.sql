-- Grain: one row per usage leg of the current run, with the charging terms of both sides, where a
-- rate has any, and the billed seconds. Where no row was found or it is blocked, they are null.
-- Calls that go by the clock come cut into parts.
{{ config(post_hook="{{ evaluate_once() }}") }}
{%- set with_cuts = has_cut_terms() %}
{%- set cut = ref('int_rating__cut') %}
{%- set plain = ref('int_rating__tariffed') %}

with tariffed as (
    select * from {{ cut if with_cuts else plain }}
),

-- one import for each use: a CTE used twice is materialized, and then nothing runs in parallel
retail_terms as (
    select * from {{ ref('int_reference__terms') }}
),

cost_terms as (
    select * from {{ ref('int_reference__terms') }}
),

-- calls in parts only: their parts, seconds and exact usage amount
stepped as (
    select
        {%- for side in ('retail', 'cost') %}
        {%- set terms = side ~ '_terms' %}
        {%- set whole = 'tariffed.' ~ side ~ '_whole_seconds' %}
        case
            {%- if with_cuts %}
            when tariffed.{{ side }}_cut is not null then tariffed.{{ side }}_cut
            {%- endif %}
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
        {%- if with_cuts %}
        case
            when tariffed.{{ side }}_cut is null then {{ terms }}.price_per_call
            else (tariffed.{{ side }}_cut ->> 'price_per_call')::numeric
        end as {{ side }}_price_per_call,
        {%- else %}
        {{ terms }}.price_per_call as {{ side }}_price_per_call,
        {%- endif %}
        {{ terms }}.increment_decimals as {{ side }}_increment_decimals,
        {{ terms }}.increment_mode as {{ side }}_increment_mode,
        case when {{ whole }} <= nullif({{ terms }}.grace_seconds, 0) then true end
            as {{ side }}_is_free,
        case
            when {{ terms }}.terms_id is null then {{ whole }}
            when {{ is_charged(whole, terms) }} then {{ charged_seconds(whole, terms) }}
        end as {{ side }}_charged_seconds,
        {%- endfor %}
        retail_terms.rounding_group,
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
