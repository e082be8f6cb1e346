{#- 64-bit hash of named columns of a relation; nulls and empty strings differ. -#}
{% macro row_hash(alias, columns) -%}
    hash_record_extended(row({% for column in columns %}{{ alias }}.{{ column }}{{ ', ' if not loop.last }}{% endfor %}), 0)
{%- endmacro %}

{% macro asterisk_value_columns() -%}
    {{ return([
        'accountcode', 'src', 'dst', 'dcontext', 'clid', 'channel', 'dstchannel', 'lastapp',
        'lastdata', 'start_time', 'answer_time', 'end_time', 'duration', 'billsec', 'disposition',
        'amaflags', 'uniqueid', 'userfield', 'peeraccount', 'linkedid', 'sequence', 'did',
        'recordingfile', 'cnum', 'cnam', 'outbound_cnum', 'outbound_cnam', 'dst_cnam',
        'extra_columns'
    ]) }}
{%- endmacro %}

{% macro mapped_value_columns() -%}
    {%- set columns = [
        'record_id', 'call_group', 'usage_type', 'start_time', 'start_date', 'start_clock',
        'answer_time', 'end_time', 'duration', 'billable_duration', 'quantity', 'bytes_up',
        'bytes_down', 'calling_number', 'called_number', 'calling_name', 'direction',
        'disposition', 'cause_code', 'account_key', 'service_key', 'trunk', 'lrn',
        'carrier_amount', 'currency_code', 'category'
    ] -%}
    {%- for n in range(1, 21) -%}{%- do columns.append('extra_%02d' % n) -%}{%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{% macro charge_value_columns() -%}
    {%- set columns = [
        'record_id', 'account_key', 'service_key', 'product_code', 'description', 'charge_type',
        'period_from', 'period_to', 'event_date', 'quantity', 'unit_price', 'net_amount',
        'tax_code', 'tax_amount', 'gross_amount', 'currency_code', 'order_ref'
    ] -%}
    {%- for n in range(1, 11) -%}{%- do columns.append('extra_%02d' % n) -%}{%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
