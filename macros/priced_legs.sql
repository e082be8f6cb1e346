{#- The components of both sides' charges before discount: int_rating__priced, whose versions read the
    minimum and the maximum charge differently. What a version says is never changed: the months
    that it is pinned to must rate as they did. -#}
{% macro priced_legs(rating_version) -%}
with timed as (
    {{ legs_of_version(ref('int_rating__timed'), rating_version) }}
),

-- without rounding of durations the last second is billed only as far as it was used
unrounded as (
    select
        {%- for side in ('retail', 'cost') %}
        case
            when
                timed.{{ side }}_fraction > 0
                and timed.{{ side }}_increment = 1
                and timed.{{ side }}_billed_seconds > timed.{{ side }}_minimum
                and timed.{{ side }}_split is null
                then timed.{{ side }}_fraction
        end as {{ side }}_unbilled,
        {%- endfor %}
        timed.*
    from timed
),

-- only charges with terms are taken apart here: a plain one is added up in one step below
used as (
    select
        {%- for side in ('retail', 'cost') %}
        (
            case
                when unrounded.{{ side }}_is_free then 0
                -- that of the band at the start
                when unrounded.{{ side }}_split ? 'connection_fee'
                    then (unrounded.{{ side }}_split ->> 'connection_fee')::numeric
                else unrounded.{{ side }}_connection_fee
            end
        )::numeric(18, 10) as {{ side }}_fee,
        (
            case
                when unrounded.{{ side }}_terms_id is not null
                    then {{ usage_amount('unrounded', side) }}
            end
        )::numeric(28, 14) as {{ side }}_terms_usage,
        {%- endfor %}
        unrounded.*
    from unrounded
),

topped as (
    select
        {%- for side in ('retail', 'cost') %}
        (
            case
                when used.{{ side }}_minimum_charge is not null
                    then {{ minimum_top_up('used', side, rating_version) }}
            end
        )::numeric(28, 14) as {{ side }}_minimum_top_up,
        {%- endfor %}
        used.*
    from used
),

capped as (
    select
        {%- for side in ('retail', 'cost') %}
        (
            case
                when topped.{{ side }}_maximum_charge is not null
                    then {{ maximum_reduction('topped', side, rating_version) }}
            end
        )::numeric(28, 14) as {{ side }}_maximum_reduction,
        {%- endfor %}
        topped.*
    from topped
)

select
    {%- for side in ('retail', 'cost') %}
    case
        when capped.{{ side }}_terms_id is null and capped.{{ side }}_unbilled is null
            then
                {{ call_amount(
                    'capped.' ~ side ~ '_connection_fee', 'capped.' ~ side ~ '_billed_seconds',
                    'capped.' ~ side ~ '_price_per_minute'
                ) }}
        when capped.{{ side }}_terms_id is null
            then
                {{ call_amount(
                    'capped.' ~ side ~ '_connection_fee',
                    '(capped.' ~ side ~ '_billed_seconds - capped.' ~ side ~ '_unbilled)',
                    'capped.' ~ side ~ '_price_per_minute'
                ) }}
        else (
            capped.{{ side }}_fee
            + capped.{{ side }}_terms_usage
            + coalesce(capped.{{ side }}_minimum_top_up, 0)
            + coalesce(capped.{{ side }}_maximum_reduction, 0)
        )::numeric(28, 14)
    end as {{ side }}_gross_amount,
    {%- endfor %}
    {{ rating_version }}::smallint as rating_version,
    capped.*
from capped
{%- endmacro %}
