{#- Which part of a recurring fee is charged. Fee periods begin on the bill day of a month; bill
    days 29 to 31 fall on the last day of shorter months and come back after them. -#}
{% macro month_number(day) -%}
    {#- Months since year 0: consecutive, so that a month later is one more. -#}
    (extract(year from {{ day }}) * 12 + extract(month from {{ day }}) - 1)::integer
{%- endmacro %}

{% macro bill_date(month, bill_day) -%}
    {#- The bill day of a month given by its number. -#}
    {%- set first = "make_date(" ~ month ~ " / 12, " ~ month ~ " % 12 + 1, 1)" -%}
    (
        {{ first }}
        + least(
            {{ bill_day }}, extract(day from {{ first }} + interval '1 month - 1 day')::integer
        )
        - 1
    )
{%- endmacro %}

{% macro first_bill_month(day, bill_day) -%}
    {#- Month of the first bill day that is not before a day. -#}
    (
        {{ month_number(day) }}
        + ({{ bill_date(month_number(day), bill_day) }} < {{ day }})::integer
    )
{%- endmacro %}

{% macro last_bill_month(day, bill_day) -%}
    {#- Month of the last bill day that is not after a day. -#}
    (
        {{ month_number(day) }}
        - ({{ bill_date(month_number(day), bill_day) }} > {{ day }})::integer
    )
{%- endmacro %}

{% macro days_of_equal_months(from_day, to_day, month_days) -%}
    {#- Days from one day to another (not counted) as if every month had month_days: days beyond
        them count as nothing, shorter months gain the days they lack. -#}
    (
        ({{ month_number(to_day) }} - {{ month_number(from_day) }}) * {{ month_days }}
        + least(extract(day from {{ to_day }})::integer - 1, {{ month_days }})
        - least(extract(day from {{ from_day }})::integer - 1, {{ month_days }})
    )
{%- endmacro %}

{% macro _elapsed(from_clock, to_clock) -%}
    {#- Seconds or days between two local times, as the method counts. -#}
    case
        when whole_periods.proration = 'seconds'
            then extract(
                epoch from ({{ to_clock }})::timestamp at time zone whole_periods.time_zone
                - ({{ from_clock }})::timestamp at time zone whole_periods.time_zone
            )
        else ({{ to_clock }})::date - ({{ from_clock }})::date
    end
{%- endmacro %}

{% macro proration_steps(fees) -%}
    {#- Steps of a WITH clause that end in `prorated`: the rows of `fees` with the part of the fee
        they charge, as the sum of two fractions and whole periods: leading_units / leading_whole
        + full_periods + trailing_units / trailing_whole. Each step is worked out once.

        Columns of fees: from_clock (first moment charged, local time), to_clock (first one not
        charged; null: to the end of fee_period_count periods, or of the part before the first bill
        day), bill_day, time_zone, and the settings of reference.charge_tariff: proration,
        fee_period, fee_period_days, fee_period_count, days_in_month, full_month_rule, end_rule. -#}
    bill_months as materialized (
        select
            fees.*,
            case fees.fee_period
                when 'month' then 1
                when 'quarter' then 3
                when 'half_year' then 6
                when 'year' then 12
            end as period_months,
            case fees.fee_period
                when 'week' then 7
                when 'days' then fees.fee_period_days
            end as period_days,
            {{ first_bill_month(_whole_day_after('fees'), 'fees.bill_day') }}
                as first_bill_month
        from {{ fees }} as fees
    ),

    open_ends as materialized (
        select
            bill_months.*,
            {{ bill_date('bill_months.first_bill_month', 'bill_months.bill_day') }}
                as first_bill_date,
            coalesce(
                bill_months.to_clock,
                case
                    when bill_months.period_days is not null
                        then bill_months.from_clock + make_interval(
                            days => bill_months.period_days * bill_months.fee_period_count
                        )
                    when
                        {{ bill_date('bill_months.first_bill_month', 'bill_months.bill_day') }}
                        > bill_months.from_clock
                        then {{ bill_date('bill_months.first_bill_month', 'bill_months.bill_day') }}
                    else
                        {{ bill_date(
                            '(bill_months.first_bill_month'
                            ~ ' + bill_months.period_months * bill_months.fee_period_count)',
                            'bill_months.bill_day'
                        ) }}
                end
            ) as until_clock
        from bill_months
    ),

    begun_periods as materialized (
        select
            open_ends.*,
            case
                when open_ends.period_days is not null
                    then greatest(open_ends.until_clock::date - open_ends.from_clock::date, 0)
                    / open_ends.period_days
                else
                    -- below zero: no bill day between the two
                    floor((
                        {{ last_bill_month('open_ends.until_clock::date', 'open_ends.bill_day') }}
                        - open_ends.first_bill_month
                    )::numeric / open_ends.period_months)::integer
            end as stated_periods
        from open_ends
    ),

    last_bill_dates as materialized (
        select
            begun_periods.*,
            case
                when begun_periods.period_days is not null
                    then begun_periods.from_clock::date
                    + begun_periods.stated_periods * begun_periods.period_days
                when begun_periods.stated_periods >= 0
                    then {{ bill_date(
                        '(begun_periods.first_bill_month'
                        ~ ' + begun_periods.stated_periods * begun_periods.period_months)',
                        'begun_periods.bill_day'
                    ) }}
            end as last_bill_date
        from begun_periods
    ),

    whole_periods as materialized (
        select
            last_bill_dates.*,
            case
                when
                    last_bill_dates.end_rule <> 'period_end'
                    or last_bill_dates.until_clock = last_bill_dates.last_bill_date
                    then last_bill_dates.until_clock
                when last_bill_dates.stated_periods < 0 then last_bill_dates.first_bill_date
                else {{ _next_bill_date('last_bill_dates') }}
            end as end_clock,
            case
                when
                    last_bill_dates.end_rule = 'period_end'
                    and last_bill_dates.until_clock > last_bill_dates.last_bill_date
                    then last_bill_dates.stated_periods + 1
                else greatest(last_bill_dates.stated_periods, 0)
            end as begun_count,
            case
                when
                    last_bill_dates.end_rule = 'period_end'
                    and last_bill_dates.until_clock > last_bill_dates.last_bill_date
                    then {{ _next_bill_date('last_bill_dates') }}
                else last_bill_dates.last_bill_date
            end as trailing_from,
            {{ _next_bill_date('last_bill_dates') }} as trailing_until,
            {{ bill_date(
                '(last_bill_dates.first_bill_month - last_bill_dates.period_months)',
                'last_bill_dates.bill_day'
            ) }} as leading_since
        from last_bill_dates
    ),

    elapsed as materialized (
        select
            whole_periods.*,
            -- the part before the first bill day; of periods of days there is none
            case
                when whole_periods.period_days is not null then 0
                else greatest(
                    {{ _elapsed(
                        'whole_periods.from_clock',
                        'least(whole_periods.first_bill_date, whole_periods.end_clock)'
                    ) }}, 0
                )
            end as units_before,
            {{ _elapsed('whole_periods.leading_since', 'whole_periods.first_bill_date') }}
                as whole_before,
            case
                when whole_periods.trailing_from is null then 0
                else greatest(
                    {{ _elapsed('whole_periods.trailing_from', 'whole_periods.end_clock') }}, 0
                )
            end as units_after,
            {{ _elapsed('whole_periods.last_bill_date', 'whole_periods.trailing_until') }}
                as whole_after,
            greatest(whole_periods.end_clock::date - whole_periods.from_clock::date, 0) as days,
            {{ _elapsed('whole_periods.from_clock', 'whole_periods.end_clock') }} as seconds
        from whole_periods
    ),

    prorated as (
        select
            elapsed.*,
            case
                when elapsed.proration = 'none' then 0
                when elapsed.end_clock <= elapsed.from_clock then 0
                when {{ _is_seconds_of_days('elapsed') }} then elapsed.seconds
                when elapsed.proration in ('actual_actual', 'seconds') then elapsed.units_before
                when elapsed.proration = 'full_month'
                    then case elapsed.full_month_rule
                        when 'any_day' then sign(elapsed.units_before)
                        when 'fifteenth' then (
                            elapsed.units_before > 0
                            and elapsed.leading_since + 14 >= elapsed.from_clock::date
                            and elapsed.leading_since + 14 < elapsed.end_clock::date
                        )::integer
                        else 0
                    end
                when elapsed.proration = 'actual_days'
                    then least(
                        elapsed.days,
                        extract(
                            day from date_trunc('month', elapsed.from_clock)
                            + interval '1 month - 1 day'
                        )
                    )
                when elapsed.period_days is not null then elapsed.days
                when elapsed.proration = 'days_30'
                    then {{ days_of_equal_months(
                        'elapsed.from_clock', 'elapsed.end_clock', 'elapsed.days_in_month'
                    ) }}
                when elapsed.proration = 'annualised' then elapsed.days * 12
            end::numeric as leading_units,
            case
                when {{ _is_seconds_of_days('elapsed') }} then elapsed.period_days * 86400
                when elapsed.proration in ('actual_actual', 'seconds')
                    then coalesce(elapsed.whole_before, 1)
                when elapsed.proration in ('none', 'full_month') then 1
                when elapsed.proration = 'actual_days'
                    then extract(
                        day from date_trunc('month', elapsed.from_clock)
                        + interval '1 month - 1 day'
                    )
                when elapsed.period_days is not null then elapsed.period_days
                when elapsed.proration = 'days_30'
                    then elapsed.days_in_month * elapsed.period_months
                when elapsed.proration = 'annualised' then 365 * elapsed.period_months
            end::numeric as leading_whole,
            case
                when elapsed.proration = 'none' then 1
                when
                    elapsed.end_clock <= elapsed.from_clock
                    or {{ _is_seconds_of_days('elapsed') }}
                    then 0
                when elapsed.proration in ('actual_actual', 'seconds', 'full_month')
                    then elapsed.begun_count
                else 0
            end::integer as full_periods,
            case
                when
                    elapsed.end_clock <= elapsed.from_clock
                    or {{ _is_seconds_of_days('elapsed') }}
                    then 0
                when elapsed.proration in ('actual_actual', 'seconds') then elapsed.units_after
                when elapsed.proration = 'full_month'
                    then case elapsed.full_month_rule
                        when 'fifteenth'
                            then coalesce(
                                (elapsed.trailing_from + 14 < elapsed.end_clock)::integer, 0
                            )
                        else sign(elapsed.units_after)
                    end
                else 0
            end::numeric as trailing_units,
            case
                when elapsed.proration in ('actual_actual', 'seconds')
                    then coalesce(elapsed.whole_after, 1)
                else 1
            end::numeric as trailing_whole,
            case
                when elapsed.proration = 'days_30' and elapsed.period_days is null
                    then {{ days_of_equal_months(
                        'elapsed.from_clock', 'elapsed.end_clock', 'elapsed.days_in_month'
                    ) }}
                else elapsed.days
            end::integer as charged_days
        from elapsed
    )
{%- endmacro %}

{% macro _whole_day_after(fees) -%}
    {#- The first day that is charged whole. -#}
    case
        when {{ fees }}.proration = 'seconds' and {{ fees }}.from_clock::time > '00:00'
            then {{ fees }}.from_clock::date + 1
        else {{ fees }}.from_clock::date
    end
{%- endmacro %}

{% macro _next_bill_date(fees) -%}
    {#- The end of the period that begins on the last bill date. -#}
    case
        when {{ fees }}.period_days is not null
            then {{ fees }}.last_bill_date + {{ fees }}.period_days
        else {{ bill_date(
            '(' ~ fees ~ '.first_bill_month + (' ~ fees ~ '.stated_periods + 1) * '
            ~ fees ~ '.period_months)', fees ~ '.bill_day'
        ) }}
    end
{%- endmacro %}

{% macro _is_seconds_of_days(fees) -%}
    {#- Exact time of periods of days: one fraction, since they may begin at any clock. -#}
    ({{ fees }}.proration = 'seconds' and {{ fees }}.period_days is not null)
{%- endmacro %}

{% macro part_of_fee(fee, prorated) -%}
    {#- The part of a fee, exact to fourteen decimals: quotients are cut beyond the twentieth. -#}
    (
        ({{ fee }})::numeric(38, 20) * {{ prorated }}.leading_units / {{ prorated }}.leading_whole
        + ({{ fee }})::numeric(38, 20) * {{ prorated }}.full_periods
        + ({{ fee }})::numeric(38, 20)
        * {{ prorated }}.trailing_units / {{ prorated }}.trailing_whole
    )::numeric(28, 14)
{%- endmacro %}
