{#- Prices by the clock: docs/rules.md section 7, "Time of day". -#}
{% macro has_cut_terms() -%}
    {#- Whether any rate goes by the time of day or by price changes during a call: few warehouses
        have one, and then nothing of this file is asked. A dry run is compiled before it is known. -#}
    {%- set relation = ref('int_reference__cut_terms') -%}
    {%- if is_dry() or not execute or flags.WHICH not in ('build', 'run') -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(run_query('select exists (select from ' ~ relation ~ ')').rows[0][0]) }}
{%- endmacro %}

{% macro second_of_day(clock) -%}
    {#- HH:MM or HH:MM:SS as seconds; 24:00 is 86400. -#}
    (
        substr({{ clock }}, 1, 2)::integer * 3600
        + substr({{ clock }}, 4, 2)::integer * 60
        + coalesce(nullif(substr({{ clock }}, 7, 2), ''), '0')::integer
    )
{%- endmacro %}

{% macro elapsed_seconds(from_time, to_time) -%}
    {#- Whole seconds of a call that begin before an instant: the second that runs has begun. -#}
    ceil(extract(epoch from {{ to_time }} - {{ from_time }}))::bigint
{%- endmacro %}

{% macro local_with_offset(local_time, utc_time) -%}
    {#- ISO 8601 of two timestamps of one instant. -#}
    {%- set minutes = "(extract(epoch from " ~ local_time ~ " - " ~ utc_time ~ ") / 60)::integer" -%}
    to_char({{ local_time }}, 'YYYY-MM-DD"T"HH24:MI:SS')
    || case when {{ minutes }} < 0 then '-' else '+' end
    || to_char(abs({{ minutes }}) / 60, 'FM00') || ':' || to_char(abs({{ minutes }}) % 60, 'FM00')
{%- endmacro %}

{#- The first second of a part: a cut, or with splitting by increments the end of the increment that
    runs at the cut. Increments count from the first second charged. -#}
{% macro part_position(cut_second, call) -%}
    {%- set charged = '(' ~ cut_second ~ ' - ' ~ call ~ '.first_second)' -%}
    case
        when not {{ call }}.is_split_by_increment or {{ charged }} <= 0 then {{ cut_second }}
        when
            {{ call }}.increment_base = 'whole_duration'
            and {{ call }}.charged_seconds > {{ call }}.minimum_seconds
            then
                {{ call }}.first_second + {{ call }}.increment_seconds * (
                    ({{ charged }} + {{ call }}.increment_seconds - 1)
                    / {{ call }}.increment_seconds
                )
        else
            {{ call }}.first_second
            + {{ billed_seconds(
                charged, call ~ '.minimum_seconds', call ~ '.increment_seconds',
                "'after_minimum'"
            ) }}
    end
{%- endmacro %}

{#- Price of so many seconds, times the seconds that the price is for; exact, unless the deck
    rounds the price of an increment. -#}
{% macro seconds_times_price(seconds, price, increment, minute_seconds, decimals, mode) -%}
    case
        when {{ decimals }} is null then {{ seconds }} * {{ price }}
        else
            {{ seconds }} * {{ minute_seconds }}
            * {{ round_money(
                increment ~ ' * ' ~ price ~ ' / ' ~ minute_seconds, decimals, mode
            ) }}
            / {{ increment }}
    end
{%- endmacro %}

{#- The cuts of a call, as seconds from its start. In the scope of int_rating__cut: terms, call,
    tariffed. -#}
{% macro band_edge_seconds() -%}
    select {{ elapsed_seconds('call.local_start', 'days.local_day + days.edge + days.shift') }}
    from (
        select
            local_days.local_day,
            make_interval(secs => edges.second_of_day) as edge,
            -- a local time after a clock change comes so much later
            offsets.shift
        from generate_series(
            date_trunc('day', call.local_start), call.local_end, interval '1 day'
        ) as local_days (local_day)
        cross join (
            select 0 as second_of_day
            union all
            select band.from_second
            from {{ ref('int_reference__time_bands') }} as band
            where band.deck_id = terms.deck_id
            union all
            select band.to_second
            from {{ ref('int_reference__time_bands') }} as band
            where band.deck_id = terms.deck_id
        ) as edges
        cross join (
            select interval '0' as shift
            union all
            select (call.local_start - call.utc_start) - (call.local_end - call.utc_end)
            where call.local_start - call.utc_start <> call.local_end - call.utc_end
        ) as offsets
    ) as days
    where call.is_cut_by_bands
{%- endmacro %}

{#- Where the clocks change during a call, the band may change although no edge of one is there. -#}
{% macro clock_change_seconds() -%}
    select {{ elapsed_seconds('call.utc_start', 'minutes.utc_minute') }}
    from generate_series(
        date_trunc('minute', call.utc_start), call.utc_end, interval '1 minute'
    ) as minutes (utc_minute)
    where
        call.is_cut_by_bands
        and call.local_start - call.utc_start <> call.local_end - call.utc_end
        and minutes.utc_minute > call.utc_start
        and (minutes.utc_minute at time zone 'UTC') at time zone call.zone
        - ((minutes.utc_minute - interval '1 minute') at time zone 'UTC') at time zone call.zone
        <> interval '1 minute'
{%- endmacro %}

{% macro price_change_seconds(side) -%}
    select {{ elapsed_seconds('tariffed.started_at', 'changes.valid_from') }}
    from {{ ref('int_reference__price_changes') }} as changes
    where
        call.is_cut_by_changes
        and changes.interval_no = tariffed.{{ side }}_interval_no
        and tariffed.{{ side }}_rated_number >= changes.from_number
        and tariffed.{{ side }}_rated_number < changes.to_number
        and changes.valid_from > tariffed.started_at
        and changes.valid_from < tariffed.started_at + call.call_length
    union all
    select {{ elapsed_seconds('tariffed.started_at', 'changes.changes_at') }}
    from (
        select unnest(array[own.valid_from, own.valid_to]) as changes_at
        from {{ ref('int_reference__band_rates') }} as own
        where
            call.is_cut_by_changes
            and own.rate_id = tariffed.{{ side }}_rate_id
    ) as changes
    where
        changes.changes_at > tariffed.started_at
        and changes.changes_at < tariffed.started_at + call.call_length
{%- endmacro %}

{#- The band at a cut: of those in force at the start of the call, the one of the highest weight. An
    aggregate, because LIMIT in a sub-select forbids parallel plans. -#}
{% macro band_at(cut) -%}
    select (array_agg(bands.band_code order by bands.weight desc))[1] as band_code
    from {{ ref('int_reference__time_bands') }} as bands
    left join {{ ref('int_reference__calendar_days') }} as days
        on
            bands.day_class <> ''
            and days.calendar_code = terms.calendar_code
            and days.calendar_date = {{ cut }}.local_time::date - bands.day_shift
    where
        bands.deck_id = terms.deck_id
        and tariffed.started_at >= bands.valid_from
        and tariffed.started_at < bands.valid_to
        and bands.weekday = extract(isodow from {{ cut }}.local_time)
        and extract(epoch from {{ cut }}.local_time::time) >= bands.from_second
        and extract(epoch from {{ cut }}.local_time::time) < bands.to_second
        and bands.day_class in ('', days.day_class)
{%- endmacro %}

{#- The rate row at a cut: that of the start, or with a split at price changes the one that came into
    force last; a price that ends without a successor goes on. -#}
{% macro price_at(cut, side) -%}
    select
        coalesce(latest.rate_id, tariffed.{{ side }}_rate_id) as rate_id,
        coalesce(latest.price_per_minute, tariffed.{{ side }}_price_per_minute)
            as price_per_minute,
        coalesce(latest.minimum_seconds, tariffed.{{ side }}_minimum) as minimum_seconds,
        coalesce(latest.increment_seconds, tariffed.{{ side }}_increment) as increment_seconds,
        case when call.is_cut_by_changes then {{ cut }}.cut_time else tariffed.started_at end
            as known_at
    from (
        select
            (array_agg(changes.rate_id order by changes.valid_from desc))[1] as rate_id,
            (array_agg(changes.price_per_minute order by changes.valid_from desc))[1]
                as price_per_minute,
            (array_agg(changes.minimum_seconds order by changes.valid_from desc))[1]
                as minimum_seconds,
            (array_agg(changes.increment_seconds order by changes.valid_from desc))[1]
                as increment_seconds
        from {{ ref('int_reference__price_changes') }} as changes
        where
            call.is_cut_by_changes
            and changes.interval_no = tariffed.{{ side }}_interval_no
            and tariffed.{{ side }}_rated_number >= changes.from_number
            and tariffed.{{ side }}_rated_number < changes.to_number
            and changes.valid_from > tariffed.started_at
            and changes.valid_from <= {{ cut }}.cut_time
    ) as latest
{%- endmacro %}

{#- The price per minute at the start of a call: of its first band, where it is cut. -#}
{% macro price_at_start(leg, side) -%}
    case
        when {{ leg }}.{{ side }}_split ? 'connection_fee'
            then ({{ leg }}.{{ side }}_split ->> 'price_per_minute')::numeric
        else {{ leg }}.{{ side }}_price_per_minute
    end
{%- endmacro %}
