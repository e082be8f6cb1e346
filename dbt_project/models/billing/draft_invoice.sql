-- Grain: one row per draft invoice: an account, a period and a currency.
-- invoice_total = the amounts by kind of line, to the currency's
-- smallest unit.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='invoice_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[{'columns': ['invoice_run_id', 'account_id']}]
) }}

{% set kinds = [
    'usage', 'charge', 'allowance', 'volume', 'discount', 'commitment', 'cap', 'surcharge', 'tax',
    'rounding'
] %}

with invoice_lines as (
    select * from {{ ref('draft_invoice_line') }}
    where invoice_run_id = {{ run_id('invoice_run_id') }}
),

accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

holds as (
    -- an account in which something is missing is held as a whole
    select
        invoice_lines.account_id,
        string_agg(
            distinct coalesce(
                invoice_lines.detail ->> 'problem',
                'a line in ' || invoice_lines.currency_code || ', the account pays in '
                || accounts.currency_code
            ), '; '
        ) as hold_reason
    from invoice_lines
    inner join accounts on invoice_lines.account_id = accounts.account_id
    where
        invoice_lines.detail ->> 'problem' is not null
        or (
            invoice_lines.currency_code <> accounts.currency_code
            and invoice_lines.line_kind <> 'rounding'
        )
    group by invoice_lines.account_id
)

select
    {{ run_id('invoice_run_id') }}::bigint as invoice_run_id,
    invoice_lines.account_id::bigint as account_id,
    '{{ current_invoice_run()['period_month'] }}'::date as period_month,
    accounts.period_start_at::timestamptz as period_start_at,
    accounts.period_end_at::timestamptz as period_end_at,
    accounts.time_zone::text as time_zone,
    invoice_lines.currency_code::text as currency_code,
    count(*)::integer as line_count,
    {%- for kind in kinds %}
    coalesce(sum(invoice_lines.line_amount) filter (
        where invoice_lines.line_kind = '{{ kind }}'
    ), 0)::numeric(28, 14) as {{ kind }}_amount,
    {%- endfor %}
    sum(invoice_lines.line_amount)::numeric(18, 4) as invoice_total,
    holds.hold_reason::text as hold_reason
from invoice_lines
inner join accounts on invoice_lines.account_id = accounts.account_id
left join holds on invoice_lines.account_id = holds.account_id
group by
    invoice_lines.account_id,
    accounts.period_start_at,
    accounts.period_end_at,
    accounts.time_zone,
    holds.hold_reason,
    invoice_lines.currency_code
