{#- Reference data as known when the invoice run was opened. -#}
{% macro known_at_invoice(alias) -%}
    {{ alias }}.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
    and {{ alias }}.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
{%- endmacro %}

{% macro prorated_units(size, held_from, held_to, months, zone, allowance) -%}
    {#- The size, or that of the days of the period that are held, as the allowance says. A day
        held in part counts. -#}
    {%- set first_day = '(' ~ months ~ '.period_start_at at time zone ' ~ zone ~ ')::date' -%}
    {%- set next_day = '(' ~ months ~ '.period_end_at at time zone ' ~ zone ~ ')::date' -%}
    {%- set late -%}
        case
            when {{ allowance }}.proration in ('start', 'both')
                then
                    (
                        greatest({{ held_from }}, {{ months }}.period_start_at)
                        at time zone {{ zone }}
                    )::date - {{ first_day }}
            else 0
        end
    {%- endset -%}
    {%- set early -%}
        case
            when {{ allowance }}.proration in ('end', 'both')
                then
                    {{ next_day }} - 1 - (
                        (
                            least({{ held_to }}, {{ months }}.period_end_at)
                            - interval '1 microsecond'
                        ) at time zone {{ zone }}
                    )::date
            else 0
        end
    {%- endset -%}
    case
        when {{ late }} + {{ early }} = 0 then {{ size }}
        else
            {{ round_to(
                size ~ ' * (' ~ next_day ~ ' - ' ~ first_day ~ ' - ' ~ late ~ ' - ' ~ early
                ~ ') / (' ~ next_day ~ ' - ' ~ first_day ~ ')',
                0, allowance ~ '.proration_unit', allowance ~ '.proration_rounding'
            ) }}
    end
{%- endmacro %}

{% macro allowance_passes() -%}
    {#- How many times the calls must be gone through: once for each allowance that is used before
        or after another one. A dry run is compiled before that is known. -#}
    {%- set most = 20 -%}
    {%- if is_dry() -%}{{ return(most) }}{%- endif -%}
    {%- set grants = ref('int_billing__allowance_grants') -%}
    {%- if not execute or flags.WHICH not in ('build', 'run') -%}{{ return(1) }}{%- endif -%}
    {%- set passes = run_query('select max(pass_no) from ' ~ grants).rows[0][0] or 0 -%}
    {{ return(passes | int) }}
{%- endmacro %}

{% macro checked_pass(pass_no) -%}
    {#- A dry run that goes through too few passes says so, in the words of a cast. -#}
    {%- if is_dry() -%}
    case
        when {{ pass_no }} > {{ allowance_passes() }}
            then 'more than {{ allowance_passes() }} allowances in one order: too many to try out'
        else ({{ pass_no }})::text
    end::integer
    {%- else -%}
    ({{ pass_no }})::integer
    {%- endif -%}
{%- endmacro %}

{% macro allowance_balances() -%}
    {#- Balances of all drafts there are, before this one: the model that writes them reads them. -#}
    {{ fact_history('billing', 'allowance_balance') }}
{%- endmacro %}
