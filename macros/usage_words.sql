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
