-- Grain: one row per line of a draft invoice. Rebuilt in place for its invoice run until approval.
-- The stages of billing each bring their lines (docs/rules.md, section 9); usage of several plans
-- stands on one line per charge class. One rounding line per invoice brings the exact sum to the
-- currency's smallest unit.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='invoice_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[{'columns': ['invoice_run_id', 'account_id', 'line_no']}]
) }}

{% set stages = [
    'int_billing__net_lines',
    'int_billing__surcharge_lines',
    'int_billing__tax_lines',
] %}
{% set sections = [
    'usage', 'charge', 'allowance', 'volume', 'discount', 'commitment', 'cap', 'surcharge', 'tax'
] %}

with stage_lines as (
    {{ lines_of_stages(stages) }}
),

priced_lines as (
    select
        stage_lines.account_id,
        stage_lines.line_kind,
        stage_lines.charge_class,
        stage_lines.product_code,
        stage_lines.description,
        stage_lines.currency_code,
        stage_lines.record_count,
        (stage_lines.detail ->> 'billed_seconds')::numeric as billed_seconds,
        stage_lines.quantity,
        stage_lines.unit,
        stage_lines.unrounded_amount,
        stage_lines.line_amount::numeric(28, 14) as line_amount,
        -- what was converted
        stage_lines.detail ->> 'source_currency' as source_currency_code,
        (stage_lines.detail ->> 'source_amount')::numeric as source_amount,
        case
            when stage_lines.detail ->> 'source_currency' is not null
                then (stage_lines.detail ->> 'exchange_rate')::numeric
        end as exchange_rate,
        stage_lines.detail ->> 'exchange_source' as exchange_source,
        (stage_lines.detail ->> 'exchange_rate_from')::timestamptz as exchange_rate_from,
        nullif(
            stage_lines.detail - array[
                'billed_seconds', 'source_currency', 'source_amount', 'exchange_source',
                'exchange_rate_from'
            ],
            '{}'::jsonb
        ) as detail
    from stage_lines
),

invoice_sums as (
    -- Lines of plans that round per invoice are cut at fourteen decimals; twelve restore an exact
    -- half cent (see macros/call_amount.sql).
    select
        priced_lines.account_id,
        priced_lines.currency_code,
        sum(priced_lines.line_amount) as line_sum,
        {{ round_money(
            'round(sum(priced_lines.line_amount), 12)', 'coalesce(max(units.decimals), 2)',
            "'half_up'"
        ) }} as invoice_total
    from priced_lines
    left join {{ ref('currency_decimals') }} as units
        on priced_lines.currency_code = units.currency_code
    group by priced_lines.account_id, priced_lines.currency_code
),

all_lines as (
    select * from priced_lines
    union all
    select
        invoice_sums.account_id,
        'rounding' as line_kind,
        'rounding' as charge_class,
        null as product_code,
        'Rounding' as description,
        invoice_sums.currency_code,
        1 as record_count,
        null as billed_seconds,
        1 as quantity,
        null as unit,
        invoice_sums.invoice_total - invoice_sums.line_sum as unrounded_amount,
        invoice_sums.invoice_total - invoice_sums.line_sum as line_amount,
        null as source_currency_code,
        null as source_amount,
        null as exchange_rate,
        null as exchange_source,
        null as exchange_rate_from,
        null as detail
    from invoice_sums
    where invoice_sums.invoice_total <> invoice_sums.line_sum
)

select
    {{ run_id('invoice_run_id') }}::bigint as invoice_run_id,
    all_lines.account_id::bigint as account_id,
    row_number() over (
        partition by all_lines.account_id
        order by
            all_lines.currency_code,
            coalesce(
                array_position(
                    string_to_array('{{ sections | join(' ') }}', ' '),
                    all_lines.line_kind
                ),
                {{ sections | length + 1 }}
            ),
            charge_classes.sort_order,
            all_lines.product_code,
            all_lines.charge_class,
            all_lines.description,
            all_lines.line_amount,
            all_lines.detail
    )::integer as line_no,
    all_lines.line_kind::text as line_kind,
    all_lines.charge_class::text as charge_class,
    all_lines.product_code::text as product_code,
    all_lines.description::text as description,
    all_lines.record_count::bigint as record_count,
    all_lines.billed_seconds::bigint as billed_seconds,
    all_lines.quantity::numeric(24, 4) as quantity,
    all_lines.unit::text as unit,
    all_lines.unrounded_amount::numeric(28, 14) as unrounded_amount,
    all_lines.line_amount::numeric(28, 14) as line_amount,
    all_lines.currency_code::text as currency_code,
    all_lines.source_currency_code::text as source_currency_code,
    all_lines.source_amount::numeric(28, 14) as source_amount,
    all_lines.exchange_rate::numeric(20, 10) as exchange_rate,
    all_lines.exchange_source::text as exchange_source,
    all_lines.exchange_rate_from::timestamptz as exchange_rate_from,
    all_lines.detail::jsonb as detail
from all_lines
left join {{ ref('charge_classes') }} as charge_classes
    on
        all_lines.charge_class = charge_classes.charge_class
        and all_lines.line_kind = 'usage'
