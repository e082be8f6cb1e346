{#- What says who a person is. The marts show it whole to members of bi_unmasked (whom dbt and the
    operator belong to) and, of their own accounts, to readers who may (control.account_reader); to
    everybody else masked. current_user is who asks, also behind a view of another owner. Both
    questions are asked once a query, not once a row. -#}
{% macro sees_personal_data(rows) -%}
(select pg_has_role(current_user, 'bi_unmasked', 'member'))
        or {{ rows }}.account_id = any(
            array(
                select account_reader.account_id
                from {{ source('control', 'account_reader') }} as account_reader
                where
                    account_reader.login_name = current_user
                    and account_reader.sees_personal_data
            )
        )
{%- endmacro %}

{#- A number, or null. -#}
{% macro unmasked_only(rows, column) -%}
case when {{ sees_personal_data(rows) }} then {{ rows }}.{{ column }} end
{%- endmacro %}

{#- A telephone number without its last four digits: where it is, not whose. -#}
{% macro masked_number(value) -%}
case
        when {{ value }} is not null
            then left({{ value }}::text, greatest(length({{ value }}::text) - 4, 0)) || '****'
    end
{%- endmacro %}

{#- Rows of accounts that the reader may see: of nobody, unless control.account_reader says so. For
    models with security_barrier, so that nothing a reader writes is asked about other rows. -#}
{% macro own_rows(rows) -%}
{{ rows }}.account_id = any(
        array(
            select account_reader.account_id
            from {{ source('control', 'account_reader') }} as account_reader
            where account_reader.login_name = current_user
        )
    )
{%- endmacro %}
