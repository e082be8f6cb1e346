{#- Whole seconds to bill: the duration rounded to seconds, then minimum and increment.
    seconds: SQL expression, seconds with fraction; rounding: up, half_up, down, half_down;
    base: after_minimum or whole_duration. -#}
{% macro whole_seconds(seconds, rounding) -%}
    (case {{ rounding }}
        when 'up' then ceil({{ seconds }})
        when 'half_up' then round({{ seconds }})
        when 'down' then floor({{ seconds }})
        when 'half_down' then ceil({{ seconds }} - 0.5)
    end)::bigint
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

{#- A call with steps: {"seconds", "amount", "parts"}. The row itself is the step from second 0, unless
    there is one. Each step bills its own share of the seconds, in its increments, at its price; at
    most as many seconds as it has. -#}
{% macro call_steps(seconds, increment, price, terms) -%}
    (
        select
            jsonb_build_object(
                'seconds', sum(billed.seconds),
                'amount', sum(billed.amount),
                'parts', jsonb_agg(
                    jsonb_build_object(
                        'from_second', billed.from_second,
                        'seconds', billed.seconds,
                        'price_per_minute', billed.price,
                        'amount', billed.amount
                    )
                    order by billed.from_second
                )
            )
        from (
            select
                used.from_second,
                used.price,
                used.seconds,
                (used.seconds * used.price / {{ terms }}.minute_seconds)::numeric(28, 14)
                    as amount
            from (
                select
                    step.from_second,
                    step.price,
                    least(
                        step.increment * (
                            (
                                least({{ seconds }}, coalesce(step.to_second, {{ seconds }}))
                                - step.from_second + step.increment - 1
                            ) / step.increment
                        ),
                        step.to_second - step.from_second
                    ) as seconds
                from (
                    select
                        bound.from_second,
                        bound.increment,
                        bound.price,
                        lead(bound.from_second) over (order by bound.from_second) as to_second
                    from (
                        select
                            0 as from_second,
                            {{ increment }} as increment,
                            {{ price }} as price
                        where {{ terms }}.steps -> 0 ->> 'from_second' <> '0'
                        union all
                        select
                            listed.from_second,
                            listed.increment,
                            listed.price
                        from jsonb_to_recordset({{ terms }}.steps)
                            as listed (from_second integer, increment integer, price numeric)
                    ) as bound
                ) as step
                where step.from_second < {{ seconds }}
            ) as used
        ) as billed
    )
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
