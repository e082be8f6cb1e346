-- Grain: one row per account, tax and currency of the invoiced period; of a tax that the prices
-- contain a second one takes it off again. Worked out on the lines and surcharges as they stand on
-- the invoice, in the order of the taxes: tax on tax sees the taxes of lower order.
{{ config(materialized='work_table') }}

{% set stages = [
    'int_billing__net_lines',
    'int_billing__surcharge_lines',
] %}

with stage_lines as (
    {{ lines_of_stages(stages) }}
),

lines as (
    select
        stage_lines.*,
        row_number() over (order by stage_lines.account_id asc) as line_id
    from stage_lines
),

assessed as (
    select
        lines.line_id,
        lines.currency_code,
        lines.line_amount,
        taxes.*,
        coalesce(sum(taxes.percent) filter (
            where taxes.is_inclusive and taxes.certificate is null
        ) over (partition by lines.line_id), 0) as contained_percent
    from lines
    inner join {{ ref('int_billing__taxes') }} as taxes
        on
            lines.account_id = taxes.account_id
            and case
                when lines.line_kind = 'surcharge' then taxes.on_surcharges
                else
                    {{ is_listed('lines.line_kind', 'taxes.line_kinds') }}
                    and {{ is_listed('lines.charge_class', 'taxes.charge_classes') }}
            end
),

-- before the first order there is nothing
parts_0 as (
    select
        assessed.line_id,
        assessed.is_inclusive,
        0::numeric as part_amount
    from assessed
    where false
),

totals_0 as (
    select
        assessed.account_id,
        assessed.currency_code,
        assessed.is_inclusive,
        0::numeric as tax_amount
    from assessed
    where false
),

{% for tax_order in [1, 2, 3] %}
earlier_parts_{{ tax_order }} as (
    {%- for earlier in range(tax_order) %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        parts.line_id,
        parts.part_amount
    from parts_{{ earlier }} as parts
    where not parts.is_inclusive
    {%- endfor %}
),

earlier_of_lines_{{ tax_order }} as (
    select
        parts.line_id,
        sum(parts.part_amount) as tax_amount
    from earlier_parts_{{ tax_order }} as parts
    group by parts.line_id
),

exact_parts_{{ tax_order }} as (
    select
        assessed.*,
        case
            when assessed.certificate is not null then 0
            when assessed.is_inclusive
                then
                    assessed.line_amount * assessed.percent
                    / (100 + assessed.contained_percent)
            when assessed.on_taxes
                then
                    (assessed.line_amount + coalesce(earlier.tax_amount, 0))
                    * assessed.percent / 100
            else assessed.line_amount * assessed.percent / 100
        end as exact_amount
    from assessed
    left join earlier_of_lines_{{ tax_order }} as earlier
        on assessed.line_id = earlier.line_id
    where assessed.tax_order = {{ tax_order }}
),

parts_{{ tax_order }} as (
    select
        exact_parts.*,
        case
            when exact_parts.rounding_level = 'line'
                then {{ round_money(
                    'exact_parts.exact_amount', 'exact_parts.rounding_decimals',
                    'exact_parts.rounding_mode'
                ) }}
            else exact_parts.exact_amount
        end as part_amount
    from exact_parts_{{ tax_order }} as exact_parts
),

sums_{{ tax_order }} as (
    select
        parts.account_id,
        parts.currency_code,
        parts.tax_code,
        parts.tax_name,
        parts.jurisdiction,
        parts.percent,
        parts.on_taxes,
        parts.is_inclusive,
        parts.rounding_level,
        parts.rounding_decimals,
        parts.rounding_mode,
        parts.certificate,
        count(*) as line_count,
        sum(parts.line_amount) as base_amount,
        sum(parts.exact_amount) as exact_amount,
        sum(parts.part_amount) as part_amount
    from parts_{{ tax_order }} as parts
    group by
        parts.account_id,
        parts.currency_code,
        parts.tax_code,
        parts.tax_name,
        parts.jurisdiction,
        parts.percent,
        parts.on_taxes,
        parts.is_inclusive,
        parts.rounding_level,
        parts.rounding_decimals,
        parts.rounding_mode,
        parts.certificate
),

earlier_totals_{{ tax_order }} as (
    {%- for earlier in range(tax_order) %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        totals.account_id,
        totals.currency_code,
        totals.tax_amount
    from totals_{{ earlier }} as totals
    where not totals.is_inclusive
    {%- endfor %}
),

earlier_of_invoices_{{ tax_order }} as (
    select
        totals.account_id,
        totals.currency_code,
        sum(totals.tax_amount) as tax_amount
    from earlier_totals_{{ tax_order }} as totals
    group by totals.account_id, totals.currency_code
),

invoiced_{{ tax_order }} as (
    select
        sums.*,
        case when sums.on_taxes then coalesce(earlier.tax_amount, 0) else 0 end as taxes_in_base,
        case
            when sums.on_taxes and sums.rounding_level = 'invoice' and sums.certificate is null
                then (sums.base_amount + coalesce(earlier.tax_amount, 0)) * sums.percent / 100
            else sums.exact_amount
        end as invoice_amount
    from sums_{{ tax_order }} as sums
    left join earlier_of_invoices_{{ tax_order }} as earlier
        on
            sums.account_id = earlier.account_id
            and sums.currency_code = earlier.currency_code
),

totals_{{ tax_order }} as (
    select
        invoiced.*,
        case
            when invoiced.rounding_level = 'line' then invoiced.part_amount
            else {{ round_money(
                'invoiced.invoice_amount', 'invoiced.rounding_decimals', 'invoiced.rounding_mode'
            ) }}
        end as tax_amount
    from invoiced_{{ tax_order }} as invoiced
),

{% endfor %}
totals as (
    select * from totals_1
    union all
    select * from totals_2
    union all
    select * from totals_3
),

untaxed_accounts as (
    -- nobody said where they are taxed, though there are taxes
    select distinct
        accounts.account_id,
        accounts.currency_code
    from {{ ref('int_billing__accounts') }} as accounts
    inner join lines on accounts.account_id = lines.account_id
    where
        accounts.tax_jurisdiction is null
        and exists (
            select 1
            from {{ source('reference', 'tax_rate') }} as tax_rate
            where
                {{ known_to_invoice_run('tax_rate') }}
                and {{ in_force_at_end('tax_rate', 'accounts.period_end_at') }}
        )
        and not exists (
            select 1
            from {{ source('reference', 'exemption') }} as exemption
            where
                exemption.account_code = accounts.account_code
                and exemption.exempt_from = 'tax'
                and exemption.exempt_code = '*'
                and exemption.jurisdiction = ''
                and {{ known_to_invoice_run('exemption') }}
                and {{ in_force_at_end('exemption', 'accounts.period_end_at') }}
        )
),

tax_lines as (
    select
        totals.account_id,
        totals.tax_code,
        totals.tax_name as description,
        totals.currency_code,
        totals.line_count,
        totals.invoice_amount as unrounded_amount,
        totals.tax_amount as line_amount,
        jsonb_strip_nulls(jsonb_build_object(
            'jurisdiction', totals.jurisdiction,
            'percent', totals.percent,
            'base_amount', totals.base_amount,
            'taxes_in_base', nullif(totals.taxes_in_base, 0),
            'rounding_level', totals.rounding_level,
            'contained', nullif(totals.is_inclusive, false),
            'exempt', totals.certificate
        )) as detail
    from totals
    union all
    select
        totals.account_id,
        totals.tax_code,
        totals.tax_name || ' contained in the prices' as description,
        totals.currency_code,
        totals.line_count,
        -totals.invoice_amount as unrounded_amount,
        -totals.tax_amount as line_amount,
        jsonb_build_object('jurisdiction', totals.jurisdiction, 'contained', true) as detail
    from totals
    where totals.is_inclusive and totals.certificate is null
    union all
    select
        untaxed_accounts.account_id,
        null::text as tax_code,
        'Tax' as description,
        untaxed_accounts.currency_code,
        0 as line_count,
        0 as unrounded_amount,
        0 as line_amount,
        jsonb_build_object('problem', 'the account has no tax jurisdiction') as detail
    from untaxed_accounts
)

select
    tax_lines.account_id,
    '{{ current_invoice_run()['period_month'] }}'::date as period_month,
    'tax' as line_kind,
    'tax' as charge_class,
    tax_lines.tax_code as product_code,
    tax_lines.description,
    null::integer as plan_id,
    tax_lines.currency_code,
    tax_lines.line_count as record_count,
    null::numeric as quantity,
    null::text as unit,
    tax_lines.unrounded_amount::numeric(28, 14) as unrounded_amount,
    tax_lines.line_amount::numeric(28, 14) as line_amount,
    tax_lines.detail
from tax_lines
where
    tax_lines.line_amount <> 0
    or tax_lines.detail ->> 'exempt' is not null
    or tax_lines.detail ->> 'problem' is not null
