-- Grain: one row per account, tax and currency of the invoiced period; of a tax that the prices
-- contain a second one takes it off again. Worked out on the lines and surcharges as they stand on the
-- invoice, in the order of the taxes: tax on tax sees the taxes of lower order.
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

{% for tax_order in [1, 2, 3] %}

parts_{{ tax_order }} as (
    -- of each line
    select
        assessed.*,
        case
            when assessed.certificate is not null then 0
            when assessed.is_inclusive
                then
                    assessed.line_amount * assessed.percent
                    / (100 + assessed.contained_percent)
            {%- if tax_order > 1 %}
            when assessed.on_taxes
                then
                    (assessed.line_amount + coalesce(earlier.tax_amount, 0))
                    * assessed.percent / 100
            {%- endif %}
            else assessed.line_amount * assessed.percent / 100
        end as exact_amount
    from assessed
    {%- if tax_order > 1 %}
    left join (
        select
            parts.line_id,
            sum(parts.part_amount) as tax_amount
        from (
            {%- for earlier in range(1, tax_order) %}
            {%- if not loop.first %}
            union all
            {%- endif %}
            select * from rounded_{{ earlier }}
            {%- endfor %}
        ) as parts
        where not parts.is_inclusive
        group by parts.line_id
    ) as earlier on assessed.line_id = earlier.line_id
    {%- endif %}
    where assessed.tax_order = {{ tax_order }}
),

rounded_{{ tax_order }} as (
    select
        parts.*,
        case
            when parts.rounding_level = 'line'
                then {{ round_money(
                    'parts.exact_amount', 'parts.rounding_decimals', 'parts.rounding_mode'
                ) }}
            else parts.exact_amount
        end as part_amount
    from parts_{{ tax_order }} as parts
),

sums_{{ tax_order }} as (
    select
        rounded.account_id,
        rounded.currency_code,
        rounded.tax_code,
        rounded.tax_name,
        rounded.jurisdiction,
        rounded.percent,
        rounded.on_taxes,
        rounded.is_inclusive,
        rounded.rounding_level,
        rounded.rounding_decimals,
        rounded.rounding_mode,
        rounded.certificate,
        count(*) as line_count,
        sum(rounded.line_amount) as base_amount,
        sum(rounded.exact_amount) as exact_amount,
        sum(rounded.part_amount) as part_amount
    from rounded_{{ tax_order }} as rounded
    group by
        rounded.account_id,
        rounded.currency_code,
        rounded.tax_code,
        rounded.tax_name,
        rounded.jurisdiction,
        rounded.percent,
        rounded.on_taxes,
        rounded.is_inclusive,
        rounded.rounding_level,
        rounded.rounding_decimals,
        rounded.rounding_mode,
        rounded.certificate
),

totals_{{ tax_order }} as (
    -- of the invoice
    select
        exact.*,
        case
            when exact.rounding_level = 'line' then exact.part_amount
            else {{ round_money(
                'exact.invoice_amount', 'exact.rounding_decimals', 'exact.rounding_mode'
            ) }}
        end as tax_amount
    from (
        select
            sums.*,
            {%- if tax_order > 1 %}
            case when sums.on_taxes then coalesce(earlier.tax_amount, 0) else 0 end
                as taxes_in_base,
            case
                when sums.on_taxes and sums.rounding_level = 'invoice' and sums.certificate is null
                    then
                        (sums.base_amount + coalesce(earlier.tax_amount, 0)) * sums.percent / 100
                else sums.exact_amount
            end as invoice_amount
            {%- else %}
            0::numeric as taxes_in_base,
            sums.exact_amount as invoice_amount
            {%- endif %}
        from sums_{{ tax_order }} as sums
        {%- if tax_order > 1 %}
        left join (
            select
                totals.account_id,
                totals.currency_code,
                sum(totals.tax_amount) as tax_amount
            from (
                {%- for earlier in range(1, tax_order) %}
                {%- if not loop.first %}
                union all
                {%- endif %}
                select * from totals_{{ earlier }}
                {%- endfor %}
            ) as totals
            where not totals.is_inclusive
            group by totals.account_id, totals.currency_code
        ) as earlier
            on
                sums.account_id = earlier.account_id
                and sums.currency_code = earlier.currency_code
        {%- endif %}
    ) as exact
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
    tax_lines.unrounded_amount,
    tax_lines.line_amount,
    tax_lines.detail
from tax_lines
where
    tax_lines.line_amount <> 0
    or tax_lines.detail ->> 'exempt' is not null
    or tax_lines.detail ->> 'problem' is not null
