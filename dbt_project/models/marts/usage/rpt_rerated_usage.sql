-- Grain: one row per run that rated usage again (rerate, reprocess) and usage leg, before and
-- after, with the causes of the difference. Amounts have a currency each: add up by currency.
-- Runs that were undone are there too (run_status). Ask for one rating_run_id.
{{ config(grants={'select': ['bi_unmasked']}) }}
{#- outside the condition, or dbt would not know of it when it parses #}
{%- set supersessions = ref('usage_supersession') %}
{%- set columns = compared_columns() %}
{%- set shown = [
    'file_id', 'line_no', 'leg_no', 'source_id', 'usage_type', 'direction', 'started_at',
    'calling_number', 'called_number'
] %}

with runs as (
    select * from {{ source('control', 'rating_run') }}
),

newer as (
    select rated.*
    from {{ ref('rated_usage') }} as rated
    where
        rated.rating_run_id in (
            select runs.rating_run_id
            from runs
            where runs.run_kind in ('rerate', 'reprocess', 'shadow')
        )
),

older as (
    {%- if is_dry() %}
    select
        rated.*,
        {{ run_id() }}::bigint as replaced_by_run_id
    from {{ fact_history('rating', 'current_rated_usage') }} as rated
    inner join {{ source('control', 'rating_run_record') }} as work_record
        on rated.file_id = work_record.file_id and rated.line_no = work_record.line_no
    where
        work_record.rating_run_id = {{ run_id() }}
        and rated.file_id = any('{ {{- work_files(current_run()) | join(',') -}} }'::bigint [])
    {%- else %}
    select
        rated.*,
        supersession.rating_run_id as replaced_by_run_id
    from {{ supersessions }} as supersession
    inner join {{ ref('rated_usage') }} as rated
        on
            supersession.account_id = rated.account_id
            and supersession.usage_id = rated.usage_id
            and supersession.superseded_run_id = rated.rating_run_id
    inner join runs on supersession.rating_run_id = runs.rating_run_id
    where runs.run_kind in ('rerate', 'reprocess')
    {%- endif %}
),

pair as (
    select
        {%- for column in shown %}
        newer.{{ column }},
        {%- endfor %}
        {%- for column in columns %}
        older.{{ column }} as older_{{ column }},
        newer.{{ column }} as newer_{{ column }},
        {%- endfor %}
        newer.usage_id,
        newer.rating_run_id,
        older.rating_run_id as older_run_id
    from newer
    left join older
        on newer.rating_run_id = older.replaced_by_run_id and newer.usage_id = older.usage_id
    union all
    -- a leg that the newer run no longer sees
    select
        {%- for column in shown %}
        older.{{ column }},
        {%- endfor %}
        {%- for column in columns %}
        older.{{ column }} as older_{{ column }},
        null as newer_{{ column }},
        {%- endfor %}
        older.usage_id,
        older.replaced_by_run_id as rating_run_id,
        older.rating_run_id as older_run_id
    from older
    where
        not exists (
            select 1
            from newer
            where
                newer.rating_run_id = older.replaced_by_run_id
                and newer.usage_id = older.usage_id
        )
),

explained as (
    select
        pair.*,
        {{ causes_of_difference() }} as causes,
        (
            {{ differs('state') }}
            or {{ differs('retail_amount') }}
            or {{ differs('cost_amount') }}
            or {{ differs('account_id') }}
            or {{ differs('period_month') }}
            or {{ differs('charge_class') }}
            or {{ differs('plan_id') }}
            or {{ differs('currency_code') }}
            or {{ differs('cost_currency_code') }}
            or {{ differs('billable_seconds') }}
            or {{ differs('retail_billed_seconds') }}
            or {{ differs('cost_billed_seconds') }}
        ) as is_changed
    from pair
)

select
    explained.rating_run_id::bigint as rating_run_id,
    runs.run_kind::text as run_kind,
    runs.status::text as run_status,
    explained.older_run_id::bigint as older_run_id,
    explained.usage_id::bigint as usage_id,
    explained.file_id::bigint as file_id,
    explained.line_no::bigint as line_no,
    explained.leg_no::smallint as leg_no,
    explained.source_id::integer as source_id,
    explained.usage_type::text as usage_type,
    explained.direction::text as direction,
    explained.started_at::timestamptz as started_at,
    explained.calling_number::bigint as calling_number,
    explained.called_number::bigint as called_number,
    {%- for side in ('older', 'newer') %}
    explained.{{ side }}_account_id::bigint as {{ side }}_account_id,
    explained.{{ side }}_state::text as {{ side }}_state,
    explained.{{ side }}_reason::text as {{ side }}_reason,
    explained.{{ side }}_period_month::date as {{ side }}_period_month,
    explained.{{ side }}_billable_seconds::numeric(12, 3) as {{ side }}_billable_seconds,
    explained.{{ side }}_plan_id::integer as {{ side }}_plan_id,
    explained.{{ side }}_charge_class::text as {{ side }}_charge_class,
    explained.{{ side }}_rating_version::smallint as {{ side }}_rating_version,
    explained.{{ side }}_retail_deck_id::integer as {{ side }}_retail_deck_id,
    explained.{{ side }}_retail_rate_id::bigint as {{ side }}_retail_rate_id,
    explained.{{ side }}_retail_prefix::text as {{ side }}_retail_prefix,
    explained.{{ side }}_retail_billed_seconds::bigint as {{ side }}_retail_billed_seconds,
    explained.{{ side }}_retail_price_per_minute::numeric(18, 10)
        as {{ side }}_retail_price_per_minute,
    explained.{{ side }}_retail_amount::numeric(28, 14) as {{ side }}_retail_amount,
    explained.{{ side }}_currency_code::text as {{ side }}_currency_code,
    explained.{{ side }}_cost_deck_id::integer as {{ side }}_cost_deck_id,
    explained.{{ side }}_cost_prefix::text as {{ side }}_cost_prefix,
    explained.{{ side }}_cost_billed_seconds::bigint as {{ side }}_cost_billed_seconds,
    explained.{{ side }}_cost_price_per_minute::numeric(18, 10)
        as {{ side }}_cost_price_per_minute,
    explained.{{ side }}_cost_amount::numeric(28, 14) as {{ side }}_cost_amount,
    explained.{{ side }}_cost_currency_code::text as {{ side }}_cost_currency_code,
    {%- endfor %}
    explained.is_changed::boolean as is_changed,
    case
        when not explained.is_changed then ''
        else coalesce(
            nullif(array_to_string(explained.causes, '; '), ''), 'other terms or rounding'
        )
    end::text as cause
from explained
inner join runs on explained.rating_run_id = runs.rating_run_id
