{#- Connection fee + billed seconds x price per minute / 60, unrounded.
    Multiplied before divided. Fourteen decimals lose nothing that rounding could see: with prices of
    ten decimals every amount is a multiple of 1 / (60 x 10^10), so one that is not exactly half way
    between two roundings is at least 1.6e-12 away from it. -#}
{% macro call_amount(connection_fee, billed_seconds, price_per_minute) -%}
    ({{ connection_fee }} + {{ billed_seconds }} * {{ price_per_minute }} / 60)::numeric(28, 14)
{%- endmacro %}

{#- Components of a charge by terms. leg: alias of the row; side: retail or cost. -#}
{% macro usage_amount(leg, side) -%}
    case
        when {{ leg }}.{{ side }}_is_free then 0
        when {{ leg }}.{{ side }}_split is not null
            then ({{ leg }}.{{ side }}_split ->> 'amount')::numeric
        when {{ leg }}.{{ side }}_price_per_call is not null then {{ leg }}.{{ side }}_price_per_call
        else
            {{ seconds_times_price(
                '(' ~ leg ~ '.' ~ side ~ '_billed_seconds - coalesce('
                ~ leg ~ '.' ~ side ~ '_unbilled, 0))',
                leg ~ '.' ~ side ~ '_price_per_minute', leg ~ '.' ~ side ~ '_increment',
                leg ~ '.' ~ side ~ '_minute_seconds', leg ~ '.' ~ side ~ '_increment_decimals',
                leg ~ '.' ~ side ~ '_increment_mode'
            ) }}
            / {{ leg }}.{{ side }}_minute_seconds
    end
{%- endmacro %}

{#- What is missing to the minimum charge, which counts the connection fee (in rating version 1 it
    does not). A free call stays free. -#}
{% macro minimum_top_up(leg, side, rating_version) -%}
    case
        when {{ leg }}.{{ side }}_is_free then 0
        else greatest(
            {{ leg }}.{{ side }}_minimum_charge
            {%- if rating_version > 1 %}
            - {{ leg }}.{{ side }}_fee
            {%- endif %}
            - {{ leg }}.{{ side }}_terms_usage,
            0
        )
    end
{%- endmacro %}

{#- What is above the maximum charge, negative. By period: the call is cut every
    cap_period_seconds, each part costs at most the maximum; connection fee and minimum are of the
    first part. A price per call, and a call with steps, is one part. In rating version 1 the fee
    counts for nothing here. -#}
{% macro maximum_reduction(leg, side, rating_version) -%}
    {%- set ns = leg ~ '.' ~ side -%}
    {%- set counted_fee = ns ~ '_fee + ' if rating_version > 1 else '' -%}
    {%- set once = '(' ~ counted_fee ~ 'coalesce(' ~ ns ~ '_minimum_top_up, 0))' -%}
    {%- set per_second = seconds_times_price(
        '1', ns ~ '_price_per_minute', ns ~ '_increment', ns ~ '_minute_seconds',
        ns ~ '_increment_decimals', ns ~ '_increment_mode'
    ) ~ ' / ' ~ ns ~ '_minute_seconds' -%}
    {%- set period = ns ~ '_cap_period_seconds' -%}
    {%- set seconds = '(' ~ ns ~ '_billed_seconds - coalesce(' ~ ns ~ '_unbilled, 0))' -%}
    {%- set whole_periods = 'div(' ~ seconds ~ ', ' ~ period ~ ')' -%}
    {%- set rest = '(' ~ seconds ~ ' % ' ~ period ~ ')' -%}
    {%- set maximum = ns ~ '_maximum_charge' -%}
    case
        when
            {{ period }} is null
            or {{ ns }}_price_per_call is not null
            or {{ ns }}_split is not null
            or {{ seconds }} <= {{ period }}
            then least({{ maximum }} - {{ once }} - {{ ns }}_terms_usage, 0)
        else
            least({{ maximum }}, {{ once }} + {{ period }} * {{ per_second }})
            + ({{ whole_periods }} - 1) * least({{ maximum }}, {{ period }} * {{ per_second }})
            + least({{ maximum }}, {{ rest }} * {{ per_second }})
            - {{ once }}
            - {{ ns }}_terms_usage
    end
{%- endmacro %}
