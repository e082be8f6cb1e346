{#- Billing periods start on the account's anchor day (the last day of shorter months) at 00:00 in
    the account's zone and are named by the month they start in. -#}
{% macro period_month(instant, zone, anchor_day) -%}
    {#- Month that names the period an instant falls in. -#}
    (
        date_trunc('month', {{ instant }} at time zone {{ zone }})
        - case
            when
                {{ anchor_day }} > 1
                and extract(day from {{ instant }} at time zone {{ zone }}) < least(
                    {{ anchor_day }},
                    extract(
                        day from date_trunc('month', {{ instant }} at time zone {{ zone }})
                        + interval '1 month' - interval '1 day'
                    )
                )
                then interval '1 month'
            else interval '0'
        end
    )::date
{%- endmacro %}

{% macro period_bound(month, zone, anchor_day) -%}
    {#- Instant at which the period named by a month (first day, a date) starts. -#}
    (
        {{ month }} + make_interval(
            days => least(
                {{ anchor_day }},
                extract(day from {{ month }} + interval '1 month' - interval '1 day')::integer
            ) - 1
        )
    ) at time zone {{ zone }}
{%- endmacro %}

{% macro period_start(zone, anchor_day, months=0) -%}
    {#- Instant at which the period of the current invoice run starts, or that `months` later. -#}
    {{ period_bound(
        "(date '" ~ current_invoice_run()['period_month'] ~ "' + interval '" ~ months ~ " months')",
        zone, anchor_day
    ) }}
{%- endmacro %}

{% macro months_of(period) -%}
    {#- Billing periods in a longer one. -#}
    case {{ period }} when 'quarter' then 3 when 'half_year' then 6 when 'year' then 12 else 1 end
{%- endmacro %}

{% macro longer_period_start(month, length, anchor_month) -%}
    {#- First month of the longer period of `length` months that a month is in; one of these begins
        in anchor_month. -#}
    (
        {{ month }} - make_interval(
            months => ((extract(month from {{ month }})::integer - {{ anchor_month }} + 12) % {{ length }})
        )
    )::date
{%- endmacro %}

{% macro utc_day(day) -%}
    {#- A day as an instant, whatever the zone of the session. -#}
    (({{ day }})::timestamp at time zone 'UTC')
{%- endmacro %}
