-- Grain: one row per usage leg, as fct_rated_usage, with its time on the clock the reader chose:
--     set ratehouse.time_zone = 'Europe/London';
-- Without it, UTC. Only what is looked at changes: what is stored, billed, exported and totalled by
-- usage_date stays in UTC.
with usage_legs as (
    select * from {{ ref('fct_rated_usage') }}
),

zoned as (
    select
        usage_legs.*,
        coalesce(nullif(current_setting('ratehouse.time_zone', true), ''), 'UTC') as reader_zone
    from usage_legs
)

select
    zoned.account_id,
    zoned.usage_id,
    zoned.leg_no,
    zoned.source_id,
    zoned.service_id,
    zoned.plan_id,
    zoned.usage_type,
    zoned.direction,
    zoned.started_at,
    zoned.reader_zone::text as reader_zone,
    (zoned.started_at at time zone zoned.reader_zone)::timestamp as local_started_at,
    (zoned.started_at at time zone zoned.reader_zone)::date as local_date,
    extract(hour from zoned.started_at at time zone zoned.reader_zone)::smallint as local_hour,
    zoned.billable_seconds,
    zoned.calling_number_masked,
    zoned.called_number_masked,
    zoned.disposition,
    zoned.state,
    zoned.reason,
    zoned.charge_class,
    zoned.retail_prefix,
    zoned.retail_billed_seconds,
    zoned.retail_amount,
    zoned.currency_code,
    zoned.cost_amount,
    zoned.cost_currency_code,
    zoned.margin_amount,
    zoned.usage_date,
    zoned.period_month
from zoned
