{#- usage_id: file, line and leg packed in one bigint (27 + 32 + 4 bits), so that every record leads
    back to its raw line by arithmetic and the same landing always gives the same id. -#}
{% macro usage_key(file_id, line_no, leg_no) -%}
    ({{ file_id }} * 68719476736 + {{ line_no }} * 16 + {{ leg_no }})
{%- endmacro %}

{#- The file and the line that a usage_id or charge_id packs. -#}
{% macro file_of_key(key) -%}
    ({{ key }} / 68719476736)
{%- endmacro %}

{% macro line_of_key(key) -%}
    ({{ key }} % 68719476736 / 16)
{%- endmacro %}
