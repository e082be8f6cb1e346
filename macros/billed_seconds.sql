{#- What a record is rated by: seconds of a call, messages, bytes of a data session. -#}
{% macro rated_quantity(leg) -%}
    case
        when {{ leg }}.usage_type = 'voice' then {{ leg }}.billable_seconds
        when {{ leg }}.usage_type = 'data'
            then coalesce({{ leg }}.bytes_up, 0) + coalesce({{ leg }}.bytes_down, 0)
        else {{ leg }}.quantity
    end
{%- endmacro %}

{#- The quantity as a deck counts messages: as it is, by the text, or one for each message. -#}
{% macro quantity_for_deck(leg, deck) -%}
    case
        when {{ deck }}.message_count is null then {{ leg }}.rated_quantity
        when {{ deck }}.message_count = 'message' then 1
        else coalesce({{ leg }}.text_segments, {{ leg }}.rated_quantity)
    end
{%- endmacro %}

{#- Whole seconds to bill: the duration rounded to seconds, then minimum and increment.
    seconds: SQL expression, seconds with fraction; rounding: up, half_up, down, half_down;
    none counts the second begun. base: after_minimum or whole_duration. -#}
{% macro whole_seconds(seconds, rounding) -%}
    (case {{ rounding }}
        when 'up' then ceil({{ seconds }})
        when 'half_up' then round({{ seconds }})
        when 'down' then floor({{ seconds }})
        when 'half_down' then ceil({{ seconds }} - 0.5)
        when 'none' then ceil({{ seconds }})
    end)::bigint
{%- endmacro %}

{#- What `none` leaves of the last second, which whole_seconds counts whole. -#}
{% macro fraction_left(seconds, rounding) -%}
    case when {{ rounding }} = 'none' then ceil({{ seconds }}) - {{ seconds }} end
{%- endmacro %}

{#- Seconds that minimum and increments count from: included ones off, additional ones on. -#}
{% macro charged_seconds(whole_seconds, terms) -%}
    ({{ whole_seconds }} + {{ terms }}.additional_seconds - {{ terms }}.included_seconds)
{%- endmacro %}

{#- Whether minimum and increments apply at all: not by grace, not when nothing is left. -#}
{% macro is_charged(whole_seconds, terms) -%}
    not (
        {{ whole_seconds }} <= coalesce(nullif({{ terms }}.grace_seconds, 0), -1)
        or (
            {{ terms }}.included_seconds > 0
            and {{ charged_seconds(whole_seconds, terms) }} <= 0
        )
    )
{%- endmacro %}

{#- A call with steps: {"seconds", "amount", "parts"}. Each step bills its own share of the
    seconds, in its increments, at its price; at most as many seconds as it has. Written out for as
    many steps as a row may have: a sub-select over them would forbid parallel plans for every
    call. -#}
{% macro call_steps(seconds, terms) -%}
    {%- set last = maximum_steps() - 1 -%}
    jsonb_build_object(
        'seconds', 0
        {%- for i in range(last + 1) %}
        + coalesce({{ step_seconds(seconds, terms, i) }}, 0)
        {%- endfor %},
        'amount', 0
        {%- for i in range(last + 1) %}
        + coalesce({{ step_amount(seconds, terms, i) }}, 0)
        {%- endfor %},
        'parts', '[]'::jsonb
        {%- for i in range(last + 1) %}
        || case
            when {{ step_seconds(seconds, terms, i) }} > 0
                then jsonb_build_object(
                    'from_second', {{ step_value(terms, i, 'from_second', 'bigint') }},
                    'seconds', {{ step_seconds(seconds, terms, i) }},
                    'price_per_minute', {{ step_value(terms, i, 'price', 'numeric') }},
                    'amount', {{ step_amount(seconds, terms, i) }}
                )
            else '[]'::jsonb
        end
        {%- endfor %}
    )
{%- endmacro %}

{#- The row and the steps beyond it; more are refused at load (loaders/reference/validation.py). -#}
{% macro maximum_steps() -%}{{ return(8) }}{%- endmacro %}

{% macro step_value(terms, i, name, type) -%}
    ({{ terms }}.steps -> {{ i }} ->> '{{ name }}')::{{ type }}
{%- endmacro %}

{% macro step_seconds(seconds, terms, i) -%}
    {%- set from_second = step_value(terms, i, 'from_second', 'bigint') -%}
    {%- set to_second = step_value(terms, i, 'to_second', 'bigint') -%}
    {%- set increment = step_value(terms, i, 'increment', 'bigint') -%}
    case
        when {{ seconds }} > {{ from_second }}
            then
                least(
                    {{ increment }} * (
                        (
                            least({{ seconds }}, {{ to_second }}) - {{ from_second }}
                            + {{ increment }} - 1
                        ) / {{ increment }}
                    ),
                    {{ to_second }} - {{ from_second }}
                )
    end
{%- endmacro %}

{% macro step_amount(seconds, terms, i) -%}
    (
        {{ step_seconds(seconds, terms, i) }} * {{ step_value(terms, i, 'price', 'numeric') }}
        / {{ terms }}.minute_seconds
    )::numeric(28, 14)
{%- endmacro %}

{% macro billed_seconds(whole_seconds, minimum, increment, base) -%}
    case
        when {{ whole_seconds }} <= {{ minimum }} then {{ minimum }}::bigint
        when {{ base }} = 'whole_duration' then
            {{ increment }} * (({{ whole_seconds }} + {{ increment }} - 1) / {{ increment }})
        else
            {{ minimum }} + {{ increment }} * (
                ({{ whole_seconds }} - {{ minimum }} + {{ increment }} - 1) / {{ increment }}
            )
    end
{%- endmacro %}

{#- Whether a deck rounds data over several records; else nothing is looked for. -#}
{% macro has_grouped_data() -%}
    {%- set decks = source('reference', 'deck') -%}
    {%- if is_dry() or not execute or flags.WHICH not in ('build', 'run') -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(run_query(
        "select exists (select from " ~ decks ~ " where data_rounding <> 'record')"
    ).rows[0][0]) }}
{%- endmacro %}
