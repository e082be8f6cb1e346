{#- The layouts that have staging models, and what such a model gives. A new layout is a folder
    models/staging/<code>/ and its code in one of the two lists. -#}
{% macro usage_layouts() -%}
    {{ return([
        'asterisk_cdr',
        'mapped_usage',
        'broadworks',
        'cgrates_csv',
        'cgrates_fwv',
        'cgrates_semicolon',
        'emi',
        'radacct',
        'radius_detail',
        'sip_accounting',
        'bandwidth_bdr',
        'voip_innovations',
        'thinq',
        'thinktel',
        'vocus',
        'realworld_au',
        'didww',
        'twilio_calls',
        'twilio_messages',
        'telnyx_cdr',
        'telnyx_mdr',
        'flowroute',
        'windstream',
        'qwest_daily',
        'earthlink',
        'enswitch',
        'bch_digital',
        'sinch_build',
        'ivozprovider',
        'telapi_sms',
        'kannel',
        'taqua',
        'genband',
        'unitel_mixed',
        'pbxware',
        'netsapiens_advanced',
        'netsapiens_raw',
        'threecx',
        'cisco_cucm',
        'freeswitch_csv',
        'freeswitch_json',
        'freeswitch_sql',
        'freeswitch_xml',
        'billmax_input',
        'cdr_stats',
        'cdr_stats_generic',
        'voipcall_report',
        'uk_standard',
    ]) }}
{%- endmacro %}

{% macro charge_layouts() -%}
    {{ return([
        'carrier_charge',
        'emi',
        'gamma_item_rental',
        'unitel_mixed',
        'xarios',
        'atom_service_report',
    ]) }}
{%- endmacro %}

{% macro usage_contract_columns() -%}
    {#- Columns of every stg_<code>__usage, in this order. All but file_id, line_no and
        record_key_hash are text. content_key: what is equal in a repeat, where it is not the start,
        the numbers, the talk time and the outcome. -#}
    {{ return([
        'file_id', 'line_no', 'usage_type', 'record_id', 'call_group_id',
        'start_raw', 'start_zone', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'carrier_billed_raw',
        'quantity_raw', 'bytes_up_raw', 'bytes_down_raw',
        'calling_raw', 'called_raw', 'dialled_raw', 'calling_name',
        'direction', 'disposition_raw', 'cause_code', 'cause_text',
        'account_key', 'service_key_1', 'service_key_2', 'trunk', 'route', 'lrn',
        'carrier_amount_raw', 'carrier_currency', 'carrier_rate_code', 'category',
        'message_text', 'message_encoding', 'visited_network',
        'set_aside_rule', 'content_key', 'record_key_hash'
    ]) }}
{%- endmacro %}

{% macro charge_contract_columns() -%}
    {#- Columns of every stg_<code>__charge. All but file_id, line_no and the hashes are text. -#}
    {{ return([
        'file_id', 'line_no', 'record_id', 'account_key', 'service_key', 'product_code',
        'description', 'charge_type', 'period_from_raw', 'period_to_raw', 'event_date_raw',
        'quantity_raw', 'unit_price_raw', 'net_amount_raw', 'tax_code', 'tax_amount_raw',
        'gross_amount_raw', 'currency_code', 'order_ref', 'set_aside_rule',
        'record_key_hash', 'content_hash'
    ]) }}
{%- endmacro %}

{% macro unset_usage_columns(except) -%}
    {#- The contract columns a layout has nothing for; except: those the model gives itself. -#}
    {{ _unset_columns(usage_contract_columns(), except) }}
{%- endmacro %}

{% macro unset_charge_columns(except) -%}
    {{ _unset_columns(charge_contract_columns(), except) }}
{%- endmacro %}

{% macro _unset_columns(contract, given) -%}
    {%- for column in given if column not in contract -%}
        {{ exceptions.raise_compiler_error(
            "'" ~ column ~ "' is no column of the staging contract (macros/layouts.sql): "
            ~ contract | join(', ')
        ) }}
    {%- endfor -%}
    {%- set always = ['file_id', 'line_no', 'record_key_hash', 'content_hash'] -%}
    {%- for column in contract if column not in given and column not in always %}
    null::text as {{ column }}{{ ',' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro landed_columns(layout_code) -%}
    {#- Value columns of a landing table, asked from the database: a hand-kept list would forget
        the column a profile adds tomorrow. From the catalogue itself: the information schema takes
        a hundred times as long, and there are many layouts. -#}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {{ return(
        run_query(
            "select a.attname from pg_catalog.pg_attribute as a where a.attrelid = to_regclass('landing."
            ~ layout_code ~ "') and a.attnum > 0 and not a.attisdropped"
            ~ " and a.attname not in ('file_id', 'line_no') order by a.attname collate \"C\""
        ).rows | map(attribute=0) | list
    ) }}
{%- endmacro %}

{% macro content_hash(alias, layout_code) -%}
    {#- 64-bit hash of all landed values of a row. Each value is hashed with a seed made from its
        column's name, and the hashes are put together by exclusive or: a column that a profile adds
        later, null in the rows landed before, leaves their hashes as they are. Null and empty
        differ. -#}
    {%- set columns = landed_columns(layout_code) -%}
    {%- if not columns -%}
    0::bigint
    {%- else -%}
    {%- set hashes = [] -%}
    {%- for column in columns -%}
        {%- do hashes.append(
            'coalesce(hashtextextended(' ~ alias ~ '.' ~ column ~ ', '
            ~ local_md5(column)[:15] | int(0, 16) ~ '), 0)'
        ) -%}
    {%- endfor -%}
    {{ _xor(hashes) }}
    {%- endif -%}
{%- endmacro %}

{% macro _xor(terms) -%}
    {#- As a balanced tree: a chain of forty calls is too deep for the linter. -#}
    {%- set half = terms | length // 2 -%}
    {%- if half == 0 -%}
    {{ terms[0] }}
    {%- else -%}
    int8xor(
        {{ _xor(terms[:half]) }},
        {{ _xor(terms[half:]) }}
    )
    {%- endif -%}
{%- endmacro %}

{% macro record_key_hash(alias, layout_code, record_id=none) -%}
    {#- 64-bit hash of what names a record at its source: the record id, an SQL expression, where it
        is neither null nor empty, else all landed values. -#}
    {%- if record_id in (none, 'null') -%}
    {{ content_hash(alias, layout_code) }}
    {%- else -%}
    coalesce(
        hashtextextended(nullif({{ record_id }}, ''), 0),
        {{ content_hash(alias, layout_code) }}
    )
    {%- endif -%}
{%- endmacro %}

{% macro layouts_of_run(kind) -%}
    {#- Layouts with records of this kind ('usage' or 'charge') among the files of the current run;
        all, where no run is open. Never empty: a run of charges alone still has a usage side. -#}
    {%- set known = usage_layouts() if kind == 'usage' else charge_layouts() -%}
    {%- set run = current_run() -%}
    {%- if not execute or run['id'] == -1 -%}{{ return(known) }}{%- endif -%}
    {%- set present = run_query(
        'select distinct f.layout_code from control.rating_run_file as w'
        ~ ' inner join control.file as f on w.file_id = f.file_id'
        ~ ' where w.rating_run_id = ' ~ run['id']
    ).rows | map(attribute=0) | list -%}
    {{ return(known | select('in', present) | list or known[:1]) }}
{%- endmacro %}

{% macro staged_lines(kind) -%}
    {#- Union of the staging models of the current run's layouts. All are referenced, so that dbt
        builds them first whatever the run holds. -#}
    {%- set known = usage_layouts() if kind == 'usage' else charge_layouts() -%}
    {%- set columns = usage_contract_columns() if kind == 'usage' else charge_contract_columns() -%}
    {%- for layout in known %}{%- do ref('stg_' ~ layout ~ '__' ~ kind) -%}{% endfor -%}
    {%- for layout in layouts_of_run(kind) %}
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('stg_' ~ layout ~ '__' ~ kind) }}
    {%- if not loop.last %}
    union all
    {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro landed_values(layouts) -%}
    {#- Union of landed rows as they came: file_id, line_no and the values as jsonb. The text of a
        message is personal data and stays in landing. -#}
    {%- for layout in layouts %}
    select
        {{ layout }}.file_id,
        {{ layout }}.line_no,
        {%- if layout == 'kannel' %}
        jsonb_build_object(
            'record_line',
            regexp_replace(kannel.record_line, '\[msg:(-?[0-9]+):.*', '[msg:\1:...]')
        ) as landed_values
        {%- else %}
        to_jsonb({{ layout }}) - 'file_id' - 'line_no' - 'message_text' as landed_values
        {%- endif %}
    from {{ source('landing', layout) }} as {{ layout }}
    {%- if not loop.last %}
    union all
    {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
