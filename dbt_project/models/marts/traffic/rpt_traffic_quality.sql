-- Grain: one row per hour (UTC), source, usage type, direction and country: how traffic fared.
-- Calls are counted once, however many customers are part of them; money is that of all legs, null
-- where it is of several currencies. Ratios are not additive: add up the counts and divide again.
{%- set one_currency -%}
    count(distinct coalesce(traffic.currency_code, traffic.cost_currency_code)) <= 1
    and bool_and(traffic.margin_amount is not null)
{%- endset %}
with traffic as (
    select * from {{ ref('fct_traffic_hour') }}
)

select
    traffic.hour_at::timestamptz as hour_at,
    traffic.source_code::text as source_code,
    traffic.carrier_code::text as carrier_code,
    traffic.layout_code::text as layout_code,
    traffic.usage_type::text as usage_type,
    -- a second leg stands on the far side of a call: it belongs to the row of the first
    case when traffic.leg_no = 1 then traffic.direction else 'outbound' end::text as direction,
    traffic.called_country::text as called_country,
    case
        when {{ one_currency }}
            then max(coalesce(traffic.currency_code, traffic.cost_currency_code))
    end::text as currency_code,
    coalesce(sum(traffic.attempt_count) filter (where traffic.leg_no = 1), 0)::bigint
        as attempt_count,
    coalesce(sum(traffic.answered_count) filter (where traffic.leg_no = 1), 0)::bigint
        as answered_count,
    coalesce(sum(traffic.talk_seconds) filter (where traffic.leg_no = 1), 0)::numeric(20, 3)
        as talk_seconds,
    sum(traffic.billed_seconds)::bigint as billed_seconds,
    case when {{ one_currency }} then sum(traffic.sell_amount) end::numeric(28, 14)
        as sell_amount,
    case when {{ one_currency }} then sum(traffic.buy_amount) end::numeric(28, 14) as buy_amount,
    case when {{ one_currency }} then sum(traffic.margin_amount) end::numeric(28, 14)
        as margin_amount,
    round(
        100.0 * sum(traffic.answered_count) filter (where traffic.leg_no = 1)
        / nullif(sum(traffic.attempt_count) filter (where traffic.leg_no = 1), 0), 2
    )::numeric(5, 2) as answer_seizure_percent,
    round(
        sum(traffic.talk_seconds) filter (where traffic.leg_no = 1)
        / nullif(sum(traffic.answered_count) filter (where traffic.leg_no = 1), 0), 1
    )::numeric(12, 1) as average_talk_seconds
from traffic
group by
    traffic.hour_at,
    traffic.source_code,
    traffic.carrier_code,
    traffic.layout_code,
    traffic.usage_type,
    case when traffic.leg_no = 1 then traffic.direction else 'outbound' end,
    traffic.called_country
