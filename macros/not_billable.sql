{#- Conditions of the not-billable rules that can be told from the record alone. The seed
    not_billable_rules names them, orders them and switches them on and off; a rule in the seed
    without a condition here, or the other way round, stops the compilation. -#}
{% macro not_billable_condition(rule, row) -%}
    {%- set conditions = {
        'unanswered':
            row ~ ".usage_type = 'voice' and " ~ row ~ ".disposition <> 'answered'",
        'zero_duration':
            row ~ ".usage_type = 'voice' and " ~ row ~ ".billable_seconds = 0",
        'service_code':
            "(" ~ row ~ ".called_number_class = 'service_code' or "
            ~ row ~ ".dialling = 'vertical_service' and " ~ row ~ ".calling_class = 'e164') and "
            ~ row ~ ".usage_type = 'voice'",
        'emergency_call': row ~ ".called_number_class = 'emergency'",
        'internal_call':
            row ~ ".direction = 'internal' or ("
            ~ row ~ ".called_number_class in ('extension', 'name') and "
            ~ row ~ ".calling_class <> 'e164' and " ~ row ~ ".usage_type = 'voice')",
    } -%}
    {%- if rule not in conditions -%}
        {{ exceptions.raise_compiler_error(
            "not_billable_rules names '" ~ rule ~ "', which has no condition in macros/not_billable.sql"
        ) }}
    {%- endif -%}
    {{ return(conditions[rule]) }}
{%- endmacro %}

{% macro late_rules() -%}
    {#- Rules whose condition needs the matched service or product; they stand in the models named
        by the seed's description. -#}
    {{ return([
        'information_only_source', 'inbound_included', 'not_delivered', 'included_in_plan',
        'excluded_product'
    ]) }}
{%- endmacro %}

{% macro layout_rules() -%}
    {#- Rules that a layout's own staging model, or the source, applies, in set_aside_rule. -#}
    {{ return([
        'paired_event', 'interim_record', 'leg_without_trunk', 'in_progress', 'access_record',
        'server_event', 'reconciliation_only'
    ]) }}
{%- endmacro %}

{% macro _rules_in_seed(only_enabled) -%}
    {%- set seed = ref('not_billable_rules') -%}
    {%- if is_dry() -%}
        {#- [[rule, is enabled], ...] in order of priority; nothing is asked of the database. -#}
        {%- set rules = [] -%}
        {%- for rule in fromjson(env_var('RATEHOUSE_DRY_RULES', '[]'))
            if rule[1] or not only_enabled -%}
            {%- do rules.append(rule[0]) -%}
        {%- endfor -%}
        {{ return(rules) }}
    {%- endif -%}
    {%- if not execute or flags.WHICH not in ('build', 'run', 'test', 'compile', 'show') -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set rows = run_query(
        'select rule_code from ' ~ seed ~ (' where is_enabled' if only_enabled else '')
        ~ ' order by priority'
    ).rows -%}
    {{ return(rows | map(attribute=0) | list) }}
{%- endmacro %}

{% macro enabled_rules() -%}
    {#- Enabled rules of the record itself, in order of priority. -#}
    {{ return(
        _rules_in_seed(true) | reject('in', late_rules()) | reject('in', layout_rules()) | list
    ) }}
{%- endmacro %}

{% macro disabled_layout_rules() -%}
    {{ return(
        _rules_in_seed(false) | select('in', layout_rules()) | reject('in', _rules_in_seed(true))
        | list
    ) }}
{%- endmacro %}

{% macro is_set_aside_by_layout(line) -%}
    {{ line }}.set_aside_rule is not null
    {%- for rule in disabled_layout_rules() %}
    and {{ line }}.set_aside_rule <> '{{ rule }}'
    {%- endfor -%}
{%- endmacro %}

{% macro is_rule_enabled(rule) -%}
    {{ return('true' if rule in _rules_in_seed(true) else 'false') }}
{%- endmacro %}

{% macro not_billable_reasons() -%}
    {%- set rules = _rules_in_seed(false) -%}
    {{ return("'" ~ (rules | join("', '")) ~ "'") }}
{%- endmacro %}

{% macro early_reason(usage_line, repeat) -%}
    {#- The first reason that holds before a service is looked up, in the order of docs/rules.md
        section 4; null when the line goes on to matching. -#}
    case
        when {{ usage_line }}.start_error is not null then {{ usage_line }}.start_error
        when {{ repeat }}.is_same_content then 'repeated_record'
        when not {{ repeat }}.is_same_content then 'key_conflict'
        when {{ is_set_aside_by_layout(usage_line) }} then {{ usage_line }}.set_aside_rule
        when {{ usage_line }}.value_error is not null then {{ usage_line }}.value_error
        {%- for rule in enabled_rules() %}
        when {{ not_billable_condition(rule, usage_line) }} then '{{ rule }}'
        {%- endfor %}
        when
            {{ usage_line }}.called_number_class = 'scientific'
            or {{ usage_line }}.calling_class = 'scientific'
            then 'scientific_notation_number'
        -- data and features have no called number
        when
            {{ usage_line }}.called_number_class in ('missing', 'anonymous')
            and {{ usage_line }}.usage_type in ('voice', 'sms', 'mms')
            then 'missing_called_number'
        when
            {{ usage_line }}.called_number_class in ('invalid', 'name')
            and {{ usage_line }}.usage_type in ('voice', 'sms', 'mms')
            then 'invalid_called_number'
    end
{%- endmacro %}
