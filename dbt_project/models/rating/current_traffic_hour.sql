-- Grain: one row per hour (UTC), account, source, usage type, direction, leg, country, hang-up cause
-- and currencies: traffic of the closed runs. What runs brought and took away again is left out.
with traffic as (
    select * from {{ ref('traffic_hour') }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
)
{%- set measures = [
    'attempt_count', 'answered_count', 'short_count', 'billed_count', 'error_count',
    'duration_seconds', 'talk_seconds', 'billed_seconds', 'sell_amount', 'buy_amount'
] %}

select
    traffic.hour_at,
    {%- for name, type in traffic_dimensions() %}
    traffic.{{ name }},
    {%- endfor %}
    {%- for measure in measures %}
    sum(traffic.{{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
from traffic
inner join runs on traffic.rating_run_id = runs.rating_run_id
where runs.status = 'closed'
group by
    traffic.hour_at,
    {%- for name, type in traffic_dimensions() %}
    traffic.{{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
having sum(traffic.attempt_count) <> 0
