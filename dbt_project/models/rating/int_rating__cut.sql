-- Grain: as int_rating__tariffed, with the charge of calls that go by the time of day, or whose
-- price changes while they last, cut into parts: {seconds, amount, connection_fee, price_per_minute,
-- price_per_call, parts}. Null for all other legs, which only meet the index of
-- int_reference__cut_terms; where no rate has such terms, this view is not asked at all.
-- Cuts are band edges on each local day, clock changes and price changes, as whole seconds from the
-- start. A superset does no harm: parts of the same band and price are put together again.
-- Band edges are looked up with the offsets at both ends of the call; between the two, a local time
-- has at most these two instants.
{{ config(post_hook="{{ evaluate_once() }}") }}

with tariffed as (
    select * from {{ ref('int_rating__tariffed') }}
)

select
    tariffed.*,
    retail_cuts.cut as retail_cut,
    cost_cuts.cut as cost_cut
from tariffed
{%- for side in ('retail', 'cost') %}
{%- set setting = 'tariffed.' ~ ('' if side == 'retail' else 'cost_') %}
{%- set whole = 'tariffed.' ~ side ~ '_whole_seconds' %}
left join lateral (
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
                                row(found.band_code, found.rate_id, found.price_per_minute)
                                is distinct from lag(
                                    row(found.band_code, found.rate_id, found.price_per_minute)
                                ) over (order by found.from_second) as is_change
                            from (
                                select
                                    cut_at.from_second,
                                    band.band_code,
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
                        where changed.is_change or changed.from_second = 0
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
) as {{ side }}_cuts on true
{%- endfor %}
