{#- Post-hook of a view whose expressions later steps use more than once: makes it a security barrier.
    PostgreSQL merges plain views and then works each expression out again at every use; a chain of
    such steps grows exponentially (measured: 262 s for a million calls, a few seconds fenced).
    Unlike OFFSET 0 or a MATERIALIZED CTE the barrier leaves parallel plans possible. -#}
{% macro evaluate_once() -%}
    alter view {{ this }} set (security_barrier = true)
{%- endmacro %}
