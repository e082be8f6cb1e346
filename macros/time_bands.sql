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

{#- The charge of a call cut into parts; no row for a call whose terms are not of that kind. Read from
    inside: cuts, then bands and prices there, then stretches of equal ones, then billed seconds. -#}
{% macro cut_charge(side) -%}
    {%- set setting = 'tariffed.' ~ ('' if side == 'retail' else 'cost_') -%}
    {%- set whole = 'tariffed.' ~ side ~ '_whole_seconds' -%}
    select parts.cut
    from {{ ref('int_reference__cut_terms') }} as terms
    cross join lateral (
        select
            charged.*,
            charged.first_second + charged.charged_seconds as end_second,
            tariffed.started_at at time zone 'UTC' as utc_start,
            tariffed.started_at at time zone charged.zone as local_start,
            (tariffed.started_at + charged.call_length) at time zone 'UTC' as utc_end,
            (tariffed.started_at + charged.call_length) at time zone charged.zone as local_end
        from (
            select
                coalesce(
                    case zones.zone_rule
                        when 'account' then tariffed.account_zone
                        when 'source' then tariffed.source_zone
                        when 'calling_area' then tariffed.calling_zone
                    end,
                    zones.time_zone,
                    'UTC'
                ) as zone,
                {{ is_charged(whole, 'terms') }} as is_charged,
                terms.included_seconds::bigint as first_second,
                case
                    when {{ is_charged(whole, 'terms') }} then {{ charged_seconds(whole, 'terms') }}
                    else 0
                end as charged_seconds,
                case
                    when timed.is_cut
                        then make_interval(secs => {{ whole }} + terms.additional_seconds)
                    else interval '0'
                end as call_length,
                terms.straddle_policy <> 'start' and timed.is_cut as is_cut_by_bands,
                terms.is_split_at_changes and timed.is_cut as is_cut_by_changes,
                terms.straddle_policy = 'split_per_increment' and timed.is_cut
                    as is_split_by_increment,
                terms.part_rounding = 'part'
                and terms.straddle_policy <> 'split_per_increment' as is_rounded_by_part,
                tariffed.{{ side }}_minimum as minimum_seconds,
                tariffed.{{ side }}_increment as increment_seconds,
                {{ setting }}increment_base as increment_base
            from (
                select tariffed.usage_type = 'voice' and terms.price_per_call is null as is_cut
            ) as timed
            left join {{ ref('int_reference__calendars') }} as zones
                on
                    terms.calendar_code = zones.calendar_code
                    and tariffed.started_at >= zones.valid_from
                    and tariffed.started_at < zones.valid_to
        ) as charged
    ) as call
    cross join lateral (
        select
            jsonb_build_object(
                'seconds', sum(billed.billed_seconds),
                'amount', (
                    sum(billed.price_seconds) / terms.minute_seconds
                    + coalesce(min(billed.price_per_call) filter (where billed.from_second = 0), 0)
                )::numeric(28, 14),
                'connection_fee', min(billed.connection_fee) filter (where billed.from_second = 0),
                'price_per_minute', min(billed.price_per_minute)
                filter (where billed.from_second = 0),
                'price_per_call', min(billed.price_per_call) filter (where billed.from_second = 0),
                'parts', jsonb_agg(
                    jsonb_strip_nulls(jsonb_build_object(
                        'band', billed.band_code,
                        'from_second', billed.from_second,
                        'from_local', billed.from_local,
                        'seconds', billed.billed_seconds,
                        'price_per_minute', billed.price_per_minute,
                        'price_per_call', billed.price_per_call,
                        'amount', (
                            billed.price_seconds / terms.minute_seconds
                            + coalesce(billed.price_per_call, 0)
                        )::numeric(28, 14)
                    ))
                    order by billed.from_second
                )
            ) as cut
        from (
            select
                brought_up.*,
                case
                    when brought_up.price_per_call is not null then 0
                    else
                        {{ seconds_times_price(
                            'brought_up.billed_seconds', 'brought_up.price_per_minute',
                            'brought_up.increment_seconds', 'terms.minute_seconds',
                            'terms.increment_decimals', 'terms.increment_mode'
                        ) }}
                end as price_seconds
            from (
                select
                    part.*,
                    case
                        when not call.is_charged then 0
                        when call.is_rounded_by_part and part.seconds = 0 then 0
                        when call.is_rounded_by_part and part.is_first_charged
                            then
                                {{ billed_seconds(
                                    'part.seconds', 'part.minimum_seconds',
                                    'part.increment_seconds', 'call.increment_base'
                                ) }}
                        when call.is_rounded_by_part
                            then
                                part.increment_seconds * (
                                    (part.seconds + part.increment_seconds - 1)
                                    / part.increment_seconds
                                )
                        -- what minimum and increment add belongs to the last part
                        when part.next_second is null
                            then
                                part.seconds - call.charged_seconds
                                + {{ billed_seconds(
                                    'call.charged_seconds', 'part.first_minimum',
                                    'part.first_increment', 'call.increment_base'
                                ) }}
                        else part.seconds
                    end as billed_seconds
                from (
                    select
                        stretch.*,
                        greatest(
                            greatest(
                                coalesce(stretch.next_second, call.end_second), call.first_second
                            ) - greatest(stretch.from_second, call.first_second),
                            0
                        ) as seconds,
                        coalesce(stretch.from_second <= call.first_second, false)
                        and coalesce(stretch.next_second > call.first_second, true)
                            as is_first_charged
                    from (
                        select
                            changed.*,
                            lead(changed.from_second) over parts as next_second,
                            first_value(changed.minimum_seconds) over parts as first_minimum,
                            first_value(changed.increment_seconds) over parts as first_increment
                        from (
                            select
                                found.*,
                                lag(found.part_key) over (order by found.from_second)
                                    as previous_key
                            from (
                                select
                                    cut_at.from_second,
                                    band.band_code,
                                    jsonb_build_array(
                                        band.band_code, price.rate_id,
                                        coalesce(own.price_per_minute, price.price_per_minute)
                                    ) as part_key,
                                    {{ local_with_offset(
                                        'cut_at.local_time', 'cut_at.utc_time'
                                    ) }} as from_local,
                                    price.rate_id,
                                    coalesce(own.price_per_minute, case
                                        when own.price_per_call is null then price.price_per_minute
                                    end) as price_per_minute,
                                    coalesce(own.price_per_call, case
                                        when own.price_per_minute is null then terms.price_per_call
                                    end) as price_per_call,
                                    coalesce(
                                        own.connection_fee, tariffed.{{ side }}_connection_fee
                                    ) as connection_fee,
                                    coalesce(own.minimum_seconds, price.minimum_seconds)
                                        as minimum_seconds,
                                    coalesce(own.increment_seconds, price.increment_seconds)
                                        as increment_seconds
                                from (
                                    select
                                        cuts.from_second,
                                        call.utc_start
                                        + make_interval(secs => max(cuts.cut_second)) as utc_time,
                                        (
                                            tariffed.started_at
                                            + make_interval(secs => max(cuts.cut_second))
                                        ) at time zone call.zone as local_time,
                                        tariffed.started_at
                                        + make_interval(secs => max(cuts.cut_second)) as cut_time
                                    from (
                                        select
                                            edge.cut_second,
                                            {{ part_position('edge.cut_second', 'call') }}
                                                as from_second
                                        from (
                                            select 0::bigint as cut_second
                                            union all
                                            {{ band_edge_seconds() }}
                                            union all
                                            {{ clock_change_seconds() }}
                                            union all
                                            {{ price_change_seconds(side) }}
                                        ) as edge
                                        where
                                            edge.cut_second = 0
                                            or edge.cut_second between 1 and call.end_second - 1
                                    ) as cuts
                                    where
                                        cuts.from_second = 0
                                        or cuts.from_second < call.end_second
                                    group by cuts.from_second
                                ) as cut_at
                                left join lateral (
                                    {{ band_at('cut_at') }}
                                ) as band on true
                                left join lateral (
                                    {{ price_at('cut_at', side) }}
                                ) as price on true
                                left join {{ ref('int_reference__band_rates') }} as own
                                    on
                                        price.rate_id = own.rate_id
                                        and band.band_code = own.band_code
                                        and price.known_at >= own.valid_from
                                        and price.known_at < own.valid_to
                            ) as found
                        ) as changed
                        where
                            changed.from_second = 0
                            or changed.part_key is distinct from changed.previous_key
                        window parts as (
                            order by changed.from_second
                            rows between unbounded preceding and unbounded following
                        )
                    ) as stretch
                ) as part
                where part.seconds > 0 or part.from_second = 0
            ) as brought_up
        ) as billed
    ) as parts
    where terms.terms_id = tariffed.{{ side }}_terms_id
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
