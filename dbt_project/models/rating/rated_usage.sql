-- Grain: one row per usage leg and rating run: the whole decision of that run about that leg.
-- Only rows of closed runs that no later run superseded count: read current_rated_usage.
-- usage_id packs file, line and leg; a call between two customers has two legs: count leg_no = 1
-- for traffic, sum amounts over both. Late and re-rated usage comes as rows of a later run.
{%- set with_pre_rated = has_pre_rated() %}
{%- set by_deck = 'decided.reason is null' %}
{%- if with_pre_rated %}
{%- set by_deck = 'decided.reason is null and not decided.is_by_supplier' %}
{%- endif %}
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='rating_run_id',
    month_partition='started_at',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['rating_run_id', 'file_id'], 'type': 'brin'},
        {'columns': ['file_id', 'line_no'], 'type': 'brin'},
        {'columns': ['started_at'], 'type': 'brin'},
        {'columns': ['account_id']},
    ]
) }}

with decided as (
    select * from {{ ref('int_rating__decided') }}
),

judged as (
    select * from {{ ref('int_usage__judged') }}
    where is_set_aside
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
),

-- lines with a reason that was known before a service was looked for
set_aside as (
    select
        0::bigint as account_id,
        {{ usage_key('judged.file_id', 'judged.line_no', 1) }}::bigint as usage_id,
        {{ run_id() }}::bigint as rating_run_id,
        judged.file_id,
        judged.line_no,
        1::smallint as leg_no,
        judged.source_id,
        judged.usage_type,
        case
            when judged.direction in ('outbound', 'inbound') then judged.direction
            when work_files.direction_mode = 'inbound' then 'inbound'
            else 'outbound'
        end as direction,
        judged.started_at,
        judged.time_quality,
        judged.duration_seconds,
        judged.billable_seconds,
        judged.calling_number,
        judged.called_number,
        judged.calling_class,
        judged.called_number_class,
        judged.disposition,
        judged.release_cause::text as release_cause,
        judged.called_country::text as called_country,
        judged.record_key_hash,
        judged.content_hash,
        case
            when judged.early_reason = 'repeated_record' then 'duplicate'
            when judged.early_reason in ({{ not_billable_reasons() }}) then 'not_billable'
            else 'error'
        end as state,
        judged.early_reason as reason,
        judged.original_usage_id,
        null::bigint as service_id,
        null::text as match_method,
        null::integer as plan_id,
        null::text as plan_source,
        null::text as called_class,
        ({{ dialled_number_class('judged', special_number_class('judged')) }})::text
            as number_class,
        judged.dialling::text as dialling,
        judged.carrier_access_code::text as carrier_access_code,
        null::text as lata_scope,
        null::boolean as is_local,
        judged.lrn_number::bigint as lrn_number,
        null::text as lrn_state,
        null::text as retail_jurisdiction,
        null::text as cost_jurisdiction,
        null::bigint as cost_rated_number,
        null::text as calling_state,
        null::text as called_state,
        null::text as jurisdiction,
        null::text as charge_class,
        null::bigint as rated_number,
        null::integer as retail_deck_id,
        null::bigint as retail_rate_id,
        null::text as retail_prefix,
        null::bigint as retail_billed_seconds,
        null::numeric(18, 10) as retail_price_per_minute,
        null::numeric(18, 10) as retail_connection_fee,
        null::numeric(28, 14) as retail_unrounded_amount,
        null::numeric(28, 14) as retail_amount,
        null::text as currency_code,
        {{ 'case when ' ~ is_cost_kept('judged') ~ " then 'pre_rated' end" if with_pre_rated
            else 'null' }}::text as cost_status,
        null::integer as cost_deck_id,
        null::bigint as cost_rate_id,
        null::text as cost_prefix,
        null::bigint as cost_billed_seconds,
        {%- if with_pre_rated %}
        case
            when {{ is_cost_kept('judged') }}
                then judged.supplier_amount * work_files.cost_multiplier
        end::numeric(28, 14) as cost_unrounded_amount,
        case
            when {{ is_cost_kept('judged') }}
                then judged.supplier_amount * work_files.cost_multiplier
        end::numeric(28, 14) as cost_amount,
        case when {{ is_cost_kept('judged') }} then judged.supplier_currency end::text
            as cost_currency_code,
        {%- else %}
        null::numeric(28, 14) as cost_unrounded_amount,
        null::numeric(28, 14) as cost_amount,
        null::text as cost_currency_code,
        {%- endif %}
        null::numeric(28, 14) as at_risk_amount,
        null::smallint as rating_version,
        null::boolean as retail_has_terms,
        null::numeric(18, 10) as retail_unit_price,
        null::numeric(28, 14) as retail_usage_amount,
        null::numeric(28, 14) as retail_minimum_top_up,
        null::numeric(28, 14) as retail_maximum_reduction,
        null::numeric(28, 14) as retail_discount_amount,
        null::numeric(18, 10) as cost_price_per_minute,
        null::numeric(18, 10) as cost_unit_price,
        null::numeric(18, 10) as cost_connection_fee,
        null::numeric(28, 14) as cost_usage_amount,
        null::numeric(28, 14) as cost_minimum_top_up,
        null::numeric(28, 14) as cost_maximum_reduction,
        null::jsonb as retail_parts,
        null::jsonb as cost_parts,
        null::bigint as retail_billed_units,
        null::bigint as cost_billed_units,
        null::numeric(4, 3) as retail_unbilled_fraction,
        null::numeric(4, 3) as cost_unbilled_fraction,
        null::text as price_basis,
        judged.supplier_amount::numeric(28, 14) as supplier_amount,
        case when judged.supplier_amount is not null then judged.supplier_currency end::text
            as supplier_currency_code,
        null::jsonb as supplier_terms,
        null::numeric(28, 14) as compared_amount,
        null::text as compared_currency_code,
        judged.visited_network::text as visited_network,
        null::text as zone_code,
        null::jsonb as rounding_group,
        case
            when judged.started_at is not null
                then {{ period_month('judged.started_at', "'UTC'", 1) }}
        end as period_month
    from judged
    inner join work_files on judged.file_id = work_files.file_id
),

rated as (
    select
        coalesce(decided.account_id, 0)::bigint as account_id,
        {{ usage_key('decided.file_id', 'decided.line_no', 'decided.leg_no') }}::bigint as usage_id,
        {{ run_id() }}::bigint as rating_run_id,
        decided.file_id::bigint as file_id,
        decided.line_no::bigint as line_no,
        decided.leg_no::smallint as leg_no,
        decided.source_id::integer as source_id,
        decided.usage_type::text as usage_type,
        decided.direction::text as direction,
        decided.started_at::timestamptz as started_at,
        decided.time_quality::text as time_quality,
        decided.duration_seconds::numeric(12, 3) as duration_seconds,
        decided.billable_seconds::numeric(12, 3) as billable_seconds,
        decided.calling_number::bigint as calling_number,
        decided.called_number::bigint as called_number,
        decided.calling_class::text as calling_class,
        decided.called_number_class::text as called_number_class,
        decided.disposition::text as disposition,
        decided.release_cause::text as release_cause,
        decided.called_country::text as called_country,
        decided.record_key_hash::bigint as record_key_hash,
        decided.content_hash::bigint as content_hash,
        case
            when decided.reason is null then 'billed'
            when decided.reason = 'repeated_record' then 'duplicate'
            when decided.reason in ({{ not_billable_reasons() }}) then 'not_billable'
            else 'error'
        end::text as state,
        decided.reason::text as reason,
        null::bigint as original_usage_id,
        decided.service_id::bigint as service_id,
        decided.match_method::text as match_method,
        case when decided.service_id is not null then decided.plan_id end::integer as plan_id,
        case when decided.service_id is not null then decided.plan_source end::text as plan_source,
        decided.called_class::text as called_class,
        ({{ dialled_number_class('decided', 'decided.number_class') }})::text as number_class,
        decided.dialling::text as dialling,
        decided.carrier_access_code::text as carrier_access_code,
        decided.lata_scope::text as lata_scope,
        case when decided.is_local_known then decided.is_local end::boolean as is_local,
        decided.lrn_number::bigint as lrn_number,
        decided.lrn_state::text as lrn_state,
        decided.retail_jurisdiction::text as retail_jurisdiction,
        decided.cost_jurisdiction::text as cost_jurisdiction,
        case when decided.cost_scope is not null then decided.cost_rated_number end::bigint
            as cost_rated_number,
        decided.calling_state::text as calling_state,
        decided.called_state::text as called_state,
        decided.jurisdiction::text as jurisdiction,
        case
            when
                decided.is_local
                and decided.charge_class in ('intrastate', 'interstate', 'indeterminate')
                then 'local'
            else decided.charge_class
        end::text as charge_class,
        decided.retail_rated_number::bigint as rated_number,
        case when decided.reason is null then decided.retail_deck_id end::integer as retail_deck_id,
        case when decided.reason is null then decided.retail_rate_id end::bigint as retail_rate_id,
        case when decided.reason is null then decided.retail_prefix end::text as retail_prefix,
        case
            when {{ by_deck }} and decided.usage_type = 'voice'
                then decided.retail_billed_seconds
            {%- if with_pre_rated %}
            when decided.reason is null and decided.usage_type = 'voice'
                then decided.retail_whole_seconds
            {%- endif %}
        end::bigint as retail_billed_seconds,
        case
            when {{ by_deck }} and decided.usage_type = 'voice'
                then {{ price_at_start('decided', 'retail') }}
        end::numeric(18, 10) as retail_price_per_minute,
        case
            when {{ by_deck }} then decided.retail_fee
            {%- if with_pre_rated %}
            when decided.reason is null then sign(decided.supplier_amount) * decided.markup_fee
            {%- endif %}
        end::numeric(18, 10) as retail_connection_fee,
        case when decided.reason is null then decided.retail_unrounded_amount end::numeric(28, 14)
            as retail_unrounded_amount,
        case when decided.reason is null then decided.retail_priced_amount end::numeric(28, 14)
            as retail_amount,
        {%- if with_pre_rated %}
        case
            when decided.is_by_supplier then decided.supplier_currency
            else decided.retail_currency
        end::text as currency_code,
        {%- else %}
        decided.retail_currency::text as currency_code,
        {%- endif %}
        case
            {%- if with_pre_rated %}
            when decided.supplier_amount is not null then 'pre_rated'
            {%- endif %}
            when decided.cost_scope is null then null
            when decided.cost_rate_status is null then 'missing_rate'
            when decided.cost_rate_status = 'blocked' then 'destination_blocked'
            when decided.cost_is_free then 'free_grace'
            else 'priced'
        end::text as cost_status,
        case when decided.cost_scope is not null then decided.cost_deck_id end::integer
            as cost_deck_id,
        decided.cost_rate_id::bigint as cost_rate_id,
        decided.cost_prefix::text as cost_prefix,
        case when decided.usage_type = 'voice' then decided.cost_billed_seconds end::bigint
            as cost_billed_seconds,
        {%- if with_pre_rated %}
        case
            when decided.supplier_amount is not null then decided.cost_amount
            else decided.cost_gross_amount
        end::numeric(28, 14) as cost_unrounded_amount,
        {%- else %}
        decided.cost_gross_amount::numeric(28, 14) as cost_unrounded_amount,
        {%- endif %}
        decided.cost_amount::numeric(28, 14) as cost_amount,
        {%- if with_pre_rated %}
        case
            when decided.supplier_amount is not null then decided.supplier_currency
            else decided.cost_currency
        end::text as cost_currency_code,
        {%- else %}
        decided.cost_currency::text as cost_currency_code,
        {%- endif %}
        case
            when
                decided.reason in ('service_not_found', 'account_not_found')
                and decided.rating_mode <> 'none'
                then decided.retail_priced_amount
        end::numeric(28, 14) as at_risk_amount,
        decided.rating_version::smallint as rating_version,
        case
            when
                decided.reason is null
                and (
                    decided.retail_terms_id is not null
                    or decided.discount_percent > 0
                    or decided.retail_unbilled is not null
                    {%- if with_pre_rated %}
                    or decided.is_by_supplier
                    {%- endif %}
                )
                then true
        end::boolean as retail_has_terms,
        case
            when {{ by_deck }} and decided.usage_type = 'voice'
                then decided.retail_price_per_call
            when {{ by_deck }}
                then
                    coalesce(
                        decided.retail_price_per_call, {{ price_at_start('decided', 'retail') }}
                    )
        end::numeric(18, 10) as retail_unit_price,
        case
            when {{ by_deck }}
                then
                    coalesce(
                        decided.retail_terms_usage,
                        decided.retail_gross_amount - decided.retail_fee
                    )
            {%- if with_pre_rated %}
            when decided.reason is null
                then
                    decided.charged_gross_amount
                    - sign(decided.supplier_amount) * decided.markup_fee
            {%- endif %}
        end::numeric(28, 14) as retail_usage_amount,
        case when {{ by_deck }} then decided.retail_minimum_top_up end::numeric(28, 14)
            as retail_minimum_top_up,
        case when {{ by_deck }} then decided.retail_maximum_reduction end
        ::numeric(28, 14) as retail_maximum_reduction,
        case
            when decided.reason is null and decided.discount_percent > 0
                then decided.retail_unrounded_amount - decided.charged_gross_amount
        end::numeric(28, 14) as retail_discount_amount,
        case when decided.usage_type = 'voice' then {{ price_at_start('decided', 'cost') }} end
        ::numeric(18, 10) as cost_price_per_minute,
        case
            when decided.usage_type = 'voice' then decided.cost_price_per_call
            else coalesce(decided.cost_price_per_call, {{ price_at_start('decided', 'cost') }})
        end::numeric(18, 10) as cost_unit_price,
        decided.cost_fee::numeric(18, 10) as cost_connection_fee,
        coalesce(decided.cost_terms_usage, decided.cost_gross_amount - decided.cost_fee)
        ::numeric(28, 14) as cost_usage_amount,
        decided.cost_minimum_top_up::numeric(28, 14) as cost_minimum_top_up,
        decided.cost_maximum_reduction::numeric(28, 14) as cost_maximum_reduction,
        case when {{ by_deck }} then decided.retail_split -> 'parts' end::jsonb
            as retail_parts,
        (decided.cost_split -> 'parts')::jsonb as cost_parts,
        case
            when {{ by_deck }} and decided.usage_type <> 'voice'
                then decided.retail_billed_seconds
            {%- if with_pre_rated %}
            when decided.reason is null and decided.usage_type <> 'voice'
                then decided.retail_whole_seconds
            {%- endif %}
        end::bigint as retail_billed_units,
        case when decided.usage_type <> 'voice' then decided.cost_billed_seconds end::bigint
            as cost_billed_units,
        case when {{ by_deck }} then decided.retail_unbilled end::numeric(4, 3)
            as retail_unbilled_fraction,
        decided.cost_unbilled::numeric(4, 3) as cost_unbilled_fraction,
        {%- if with_pre_rated %}
        case when decided.supplier_amount is not null then decided.pre_rated_price end::text
            as price_basis,
        decided.supplier_amount::numeric(28, 14) as supplier_amount,
        case when decided.supplier_amount is not null then decided.supplier_currency end::text
            as supplier_currency_code,
        case
            when decided.supplier_amount is not null
                then
                    jsonb_build_object(
                        'cost_multiplier', trim_scale(decided.cost_multiplier),
                        'charge_multiplier', trim_scale(decided.charge_multiplier),
                        'markup_percent', trim_scale(decided.markup_percent),
                        'markup_floor', trim_scale(decided.markup_floor),
                        'markup_fee', trim_scale(decided.markup_fee)
                    )
        end::jsonb as supplier_terms,
        decided.compared_amount::numeric(28, 14) as compared_amount,
        case
            when decided.compared_amount is null then null
            when decided.is_by_supplier then decided.retail_currency
            else decided.supplier_currency
        end::text as compared_currency_code,
        {%- else %}
        null::text as price_basis,
        null::numeric(28, 14) as supplier_amount,
        null::text as supplier_currency_code,
        null::jsonb as supplier_terms,
        null::numeric(28, 14) as compared_amount,
        null::text as compared_currency_code,
        {%- endif %}
        decided.visited_network::text as visited_network,
        decided.zone_code::text as zone_code,
        case
            when {{ by_deck }} and decided.rounding_group is not null
                then
                    decided.rounding_group
                    || {{ rounding_group_key('decided') }}
        end::jsonb as rounding_group,
        case
            when decided.started_at is not null
                then
                    {{ period_month(
                        'decided.period_at', 'decided.account_zone', 'decided.anchor_day'
                    ) }}
        end::date as period_month
    from decided
)

select * from set_aside
union all
select * from rated
