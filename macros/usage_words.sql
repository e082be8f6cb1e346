{#- Words of files in our vocabulary. -#}
{% macro usage_type(raw) -%}
    {#- Absent: a call. A word that is none of these is no call either: other. -#}
    case lower(btrim(coalesce({{ raw }}, ''), ' *'))
        when '' then 'voice'
        when 'voice' then 'voice'
        when 'call' then 'voice'
        when 'calls' then 'voice'
        when 'sms' then 'sms'
        when 'text' then 'sms'
        when 'message' then 'sms'
        when 'messages' then 'sms'
        when 'mms' then 'mms'
        when 'data' then 'data'
        when 'gprs' then 'data'
        when 'internet' then 'data'
        when 'feature' then 'feature'
        else 'other'
    end
{%- endmacro %}

{% macro direction(raw) -%}
    {#- As the customer sees it; null where the word is not known: the source then decides. -#}
    case lower(btrim({{ raw }}))
        when 'outbound' then 'outbound'
        when 'outgoing' then 'outbound'
        when 'out' then 'outbound'
        when 'origination' then 'outbound'
        when 'originating' then 'outbound'
        when 'inbound' then 'inbound'
        when 'incoming' then 'inbound'
        when 'in' then 'inbound'
        when 'termination' then 'inbound'
        when 'terminating' then 'inbound'
        when 'internal' then 'internal'
        when 'on-net' then 'internal'
        when 'transit' then 'transit'
    end
{%- endmacro %}

{% macro counted_number(raw, decimal_mark) -%}
    {#- A count or volume: digits, with a decimal part or not; null when it is none. -#}
    case
        when {{ raw }} is null then null
        when btrim({{ raw }}) ~ '^[0-9]{1,18}([.][0-9]{1,6})?$' then btrim({{ raw }})::numeric
        when {{ decimal_mark }} = ',' and btrim({{ raw }}) ~ '^[0-9]{1,18},[0-9]{1,6}$'
            then replace(btrim({{ raw }}), ',', '.')::numeric
    end
{%- endmacro %}

{% macro volume_error(line, decimal_mark) -%}
    {#- Why the volume of a record that is no call cannot be used. Data needs bytes; of anything else
        there is one unless the file says how many. -#}
    case
        when {{ line }}.usage_type = 'voice' then null
        when {{ line }}.usage_type = 'data' then
            case
                when
                    btrim(coalesce({{ line }}.bytes_up_raw, '')) = ''
                    and btrim(coalesce({{ line }}.bytes_down_raw, '')) = ''
                    then 'missing_volume'
                when
                    (
                        btrim({{ line }}.bytes_up_raw) <> ''
                        and {{ counted_number(line ~ '.bytes_up_raw', decimal_mark) }} is null
                    )
                    or (
                        btrim({{ line }}.bytes_down_raw) <> ''
                        and {{ counted_number(line ~ '.bytes_down_raw', decimal_mark) }} is null
                    )
                    then 'invalid_volume'
            end
        when
            btrim({{ line }}.quantity_raw) <> ''
            and {{ counted_number(line ~ '.quantity_raw', decimal_mark) }} is null
            then 'invalid_quantity'
    end
{%- endmacro %}

{% macro network_code(raw) -%}
    {#- A network by TADIG code (GBRVF) or by MCC and MNC (234-15, 23415), as reference data has it. -#}
    nullif(upper(regexp_replace({{ raw }}, '[^A-Za-z0-9]', '', 'g')), '')
{%- endmacro %}
