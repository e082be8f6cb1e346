{#- Finer classes of the called number (docs/rules.md section 6). The coarse called_class, by which
    calls are priced, follows from the same tables. -#}
{% macro special_number_class(leg) -%}
    {#- Class of what is no telephone number of an area; null for the others. -#}
    case
        when {{ leg }}.called_number_class in ('n11', 'emergency') then
            case {{ leg }}.called_short_number
                when 211 then 'n11_community'
                when 311 then 'n11_government'
                when 411 then 'n11_directory_assistance'
                when 511 then 'n11_traffic'
                when 611 then 'n11_repair'
                when 711 then 'n11_relay'
                when 811 then 'n11_dig_line'
                when 988 then 'n11_crisis_line'
                else 'n11_emergency'
            end
        when {{ leg }}.called_number_class = 'service_code' then
            case
                when {{ leg }}.carrier_access_code is null then 'vertical_service'
                else 'carrier_access_code'
            end
        when {{ leg }}.called_number_class = 'extension' then
            case
                when {{ leg }}.dialling in ('local_operator', 'long_distance_operator')
                    then 'operator'
                when {{ leg }}.dialling = 'vertical_service' and {{ leg }}.calling_class = 'e164'
                    then 'vertical_service'
                else 'extension'
            end
        when {{ leg }}.called_number_class in ('invalid', 'scientific') then 'invalid'
    end
{%- endmacro %}

{% macro dialled_number_class(leg, number_class) -%}
    {#- The class as dialled: what stands in front of a number comes before what the number is. -#}
    case
        when {{ leg }}.called_number_class = 'invalid' then 'invalid'
        when {{ leg }}.carrier_access_code is not null then 'carrier_access_code'
        when {{ leg }}.dialling = 'operator_assisted' then 'operator_assisted'
        else {{ number_class }}
    end
{%- endmacro %}

{% macro is_operator(leg) -%}
    {{ leg }}.dialling in ('operator_assisted', 'local_operator', 'long_distance_operator')
{%- endmacro %}

{% macro compared_states(one, other) -%}
    case when {{ one }} = {{ other }} then 'intrastate' else 'interstate' end
{%- endmacro %}

{% macro reference_kinds_present(kinds) -%}
    {#- Which of these kinds have data: licensed tables that most do not have are not joined. A dry
        run is compiled before it is known; there all are. -#}
    {%- if is_dry() or not execute or flags.WHICH not in ('build', 'run') -%}
        {{ return(kinds) }}
    {%- endif -%}
    {%- set present = [] -%}
    {%- for kind in kinds -%}
        {%- if run_query('select exists (select from ' ~ source('reference', kind) ~ ')').rows[0][0] -%}
            {%- do present.append(kind) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(present) }}
{%- endmacro %}

{% macro has_lrn() -%}
    {#- Whether a record of the run carries a location routing number. -#}
    {%- set relation = ref('int_usage__normalised') -%}
    {%- if is_dry() or not execute or flags.WHICH not in ('build', 'run') -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(run_query(
        'select exists (select from ' ~ relation ~ ' where lrn_number is not null)'
    ).rows[0][0]) }}
{%- endmacro %}

{% macro centre_no(state, rate_centre) -%}
    {#- A rate centre as a number: names are unique within a state. -#}
    hashtextextended(upper({{ state }} || '/' || {{ rate_centre }}), 0)
{%- endmacro %}

{% macro territories() -%}
    {#- As the reports of the numbering administrator write them; they are no area codes, which
        change, but places, which do not. -#}
    'PR', 'VI', 'GU', 'AS', 'NN'
{%- endmacro %}
