{#- Each combination of the columns stands once. -#}
{% test unique_combination(model, columns) %}
with combinations as (
    select
        {{ columns | join(', ') }},
        count(*) as rows_found
    from {{ model }}
    group by {{ columns | join(', ') }}
),

validation_errors as (
    select *
    from combinations
    where not (combinations.rows_found = 1)
)

select * from validation_errors
{% endtest %}
