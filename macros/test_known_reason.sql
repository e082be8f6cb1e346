{#- Every reason is explained in words: in record_reasons or not_billable_rules. -#}
{% test known_reason(model, column_name) %}
with reasons as (
    select distinct {{ column_name }} as reason
    from {{ model }}
    where {{ column_name }} is not null
),

known as (
    select record_reasons.reason_code as reason
    from {{ ref('record_reasons') }} as record_reasons
    union all
    select not_billable_rules.rule_code as reason
    from {{ ref('not_billable_rules') }} as not_billable_rules
),

validation_errors as (
    select reasons.reason
    from reasons
    left join known on reasons.reason = known.reason
    where not (known.reason is not null)
)

select * from validation_errors
{% endtest %}
