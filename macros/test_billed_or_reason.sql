{#- A billed row has a service, a tariff row, a price and no reason; any other row has a reason and no
    charge. A missing price never becomes zero. -#}
{% test billed_or_reason(model) %}
with validation_errors as (
    select
        usage_id,
        state,
        reason
    from {{ model }}
    where
        not (
            case
                when state = 'billed' then
                    reason is null
                    and account_id <> 0
                    and service_id is not null
                    and retail_rate_id is not null
                    and retail_amount is not null
                    and period_month is not null
                else
                    reason is not null
                    and retail_amount is null
            end
        )
)

select * from validation_errors
{% endtest %}
