{#- The traffic a look for alerts is about, set by loaders/alerts for its session: views cannot take
    parameters, and settings reach the scans of the facts where a condition outside would not. -#}
{% macro alert_from() -%}
    coalesce(
        nullif(current_setting('ratehouse.alerts_from', true), '')::timestamptz,
        now() - interval '7 days'
    )
{%- endmacro %}

{% macro alert_to() -%}
    coalesce(
        nullif(current_setting('ratehouse.alerts_to', true), '')::timestamptz, 'infinity'
    )
{%- endmacro %}

{#- The row of a rule, if it is switched on. -#}
{% macro alert_rule(code) -%}
    select * from {{ ref('alert_rules') }}
    where rule_code = '{{ code }}' and is_enabled
{%- endmacro %}

{#- Up to five usage legs as evidence, the dearest first. -#}
{% macro alert_examples(condition) -%}
    (
        select coalesce(array_agg(dearest.usage_id), '{}')
        from (
            select examples.usage_id
            from {{ ref('current_rated_usage') }} as examples
            where {{ condition }}
            order by
                greatest(
                    coalesce(examples.retail_amount, 0), coalesce(examples.cost_amount, 0)
                ) desc,
                examples.usage_id asc
            limit 5
        ) as dearest
    )
{%- endmacro %}

{% macro utc_words(instant) -%}
    to_char({{ instant }} at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
{%- endmacro %}

{#- The median of an array, exact (the lower one of two), or of the distances of its values. -#}
{% macro array_median(values, from_value='0') -%}
    (
        select
            percentile_disc(0.5) within group (order by abs(vals.val - {{ from_value }}))
        from unnest({{ values }}) as vals (val)
    )
{%- endmacro %}
