-- Grain: as current_traffic_hour, worked out again from the usage that counts: what
-- `ratehouse traffic` compares with. Reads all of the usage.
with rated as (
    select * from {{ ref('current_rated_usage') }}
)

select
    date_trunc('hour', rated.started_at, 'UTC') as hour_at,
    {%- for name, type in traffic_dimensions() %}
    rated.{{ name }},
    {%- endfor %}
    {{ traffic_measures('rated') }}
from rated
where {{ is_traffic('rated') }}
group by
    date_trunc('hour', rated.started_at, 'UTC'),
    {%- for name, type in traffic_dimensions() %}
    rated.{{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
