{% macro broadworks_twin_exists(record, condition) -%}
    {#- Whether another record of the same half of the same call was received: two servers that took
        over from each other share the failover correlation id. -#}
    exists (
        select 1
        from {{ source('landing', 'broadworks') }} as twin
        inner join {{ source('control', 'file') }} as twin_file
            on
                twin.file_id = twin_file.file_id
                and {{ counts_for_pairing('twin_file', record) }}
        where
            twin.failover_correlation_id = {{ record }}.failover_correlation_id
            and twin.direction is not distinct from {{ record }}.direction
            and twin.user_number is not distinct from {{ record }}.user_number
            -- a record sent again is a repeat, not a twin
            and twin.record_id <> {{ record }}.record_id
            and {{ condition }}
    )
{%- endmacro %}
