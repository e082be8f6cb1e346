-- Grain: one row per service of the reader's accounts.
{{ config(tags=['rating']) }}

with services as (
    select * from {{ ref('dim_service') }}
)

select
    services.account_id,
    services.service_id,
    services.service_code,
    services.service_type,
    services.plan_code,
    services.valid_from,
    services.valid_to
from services
where {{ own_rows('services') }}
