{#- Records whose supplier has priced them. -#}
{% macro has_pre_rated() -%}
    {#- Whether a file of the run is of such a source. -#}
    {%- set relation = ref('int_usage__work_files') -%}
    {%- if is_dry() or not execute or flags.WHICH not in ('build', 'run') -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(run_query(
        "select exists (select from " ~ relation ~ " where rating_mode = 'pre_rated')"
    ).rows[0][0]) }}
{%- endmacro %}

{% macro marked_up(leg) -%}
    {#- The price by the supplier's amount; a credit is priced as the charge it takes back. -#}
    (
        case when {{ leg }}.supplier_amount < 0 then -1 else 1 end
        * (
            abs({{ leg }}.supplier_amount) * {{ leg }}.charge_multiplier
            + greatest(
                abs({{ leg }}.supplier_amount) * {{ leg }}.markup_percent / 100,
                {{ leg }}.markup_floor
            )
            + {{ leg }}.markup_fee
        )
    )::numeric(28, 14)
{%- endmacro %}

{% macro is_by_supplier(leg) -%}
    {#- Whether the supplier's amount makes the price of a leg. -#}
    coalesce(
        {{ leg }}.rating_mode = 'pre_rated'
        and {{ leg }}.leg_no = 1
        and {{ leg }}.pre_rated_price = 'supplier',
        false
    )
{%- endmacro %}

{% macro charged_gross_amount(leg, with_pre_rated) -%}
    {#- What is charged before discount: by the deck, or by the supplier's amount. -#}
    {%- if with_pre_rated -%}
    case
        when {{ is_by_supplier(leg) }} then {{ marked_up(leg) }}
        else {{ leg }}.retail_gross_amount
    end
    {%- else -%}
    {{ leg }}.retail_gross_amount
    {%- endif -%}
{%- endmacro %}

{% macro other_gross_amount(leg) -%}
    {#- The price that is not charged, before discount. -#}
    case
        when {{ is_by_supplier(leg) }} then {{ leg }}.retail_gross_amount
        else {{ marked_up(leg) }}
    end
{%- endmacro %}

{% macro cost_rounded(leg, with_pre_rated) -%}
    {#- The cost: the supplier's amount as it is, else that of the cost deck, rounded. -#}
    (
        {%- if with_pre_rated %}
        case
            when {{ leg }}.supplier_amount is not null
                then {{ leg }}.supplier_amount * {{ leg }}.cost_multiplier
            else
        {%- endif %}
        {{ round_to(
            leg ~ '.cost_gross_amount', leg ~ '.cost_decimals', leg ~ '.cost_rounding_unit',
            leg ~ '.cost_mode'
        ) }}
        {{ 'end' if with_pre_rated }}
    )::numeric(28, 14)
{%- endmacro %}

{% macro discounted(leg, gross) -%}
    {#- What is left of an amount after the plan's discount. -#}
    case
        when {{ leg }}.discount_percent > 0
            then ({{ gross }} * (1 - {{ leg }}.discount_percent / 100))::numeric(28, 14)
        else {{ gross }}
    end
{%- endmacro %}

{% macro rounded_by_plan(leg, gross, unrounded) -%}
    {#- An amount rounded by the plan: gross before discount, unrounded after it. -#}
    (
        case
            when
                {{ leg }}.rounding_level = 'call'
                and {{ leg }}.discount_percent > 0
                and {{ leg }}.rounding_place = 'before_discount'
                then
                    (1 - {{ leg }}.discount_percent / 100)
                    * {{ round_to(
                        gross, leg ~ '.rounding_decimals', leg ~ '.rounding_unit',
                        leg ~ '.rounding_mode'
                    ) }}
            when {{ leg }}.rounding_level = 'call'
                then
                    {{ round_to(
                        unrounded, leg ~ '.rounding_decimals', leg ~ '.rounding_unit',
                        leg ~ '.rounding_mode'
                    ) }}
            else {{ unrounded }}
        end
    )::numeric(28, 14)
{%- endmacro %}

{% macro is_cost_kept(line) -%}
    {#- A line that is set aside costs what the supplier says all the same, but a repeat nothing,
        nor a record that is only compared. -#}
    {{ line }}.supplier_amount is not null
    and {{ line }}.early_reason not in ('repeated_record', 'reconciliation_only')
{%- endmacro %}

{% macro rounding_group_key(leg) -%}
    {#- Which data records are rounded up together: those of a session, or of a service and day. -#}
    jsonb_build_object(
        'key',
        case {{ leg }}.rounding_group ->> 'by'
            when 'session'
                then coalesce(
                    {{ leg }}.session_hash::text, {{ leg }}.file_id || '/' || {{ leg }}.line_no
                )
            when 'day' then ({{ leg }}.started_at at time zone {{ leg }}.account_zone)::date::text
            else ''
        end,
        'base', {{ leg }}.increment_base,
        'discount_percent', {{ leg }}.discount_percent
    )
{%- endmacro %}
