-- Grain: one row per source: its latest version known now.
with sources as (
    select * from {{ source('reference', 'source') }}
)

select distinct on (sources.source_id)
    sources.source_id::integer as source_id,
    sources.source_code::text as source_code,
    sources.carrier_code::text as carrier_code,
    sources.file_kind::text as file_kind,
    sources.layout_code::text as layout_code,
    sources.time_zone::text as time_zone,
    sources.rating_mode::text as rating_mode
from sources
where sources.recorded_to = 'infinity'
order by sources.source_id asc, sources.valid_from desc
