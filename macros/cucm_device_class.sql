{#- What a CUCM device is, by its name: 'phone' (the names of telephones and soft clients are fixed
    by the system), 'trunk' (gateways and trunks: names are free, so these are the usual words, an
    address, or port@gateway), null where the name tells nothing. -#}
{% macro cucm_device_class(name) -%}
    case
        when {{ name }} ~* '^(SEP|ATA|VGP|BAT|SKIGW|AN)[0-9A-F]{10,}' then 'phone'
        when {{ name }} ~* '^(CSF|BOT|TCT|TAB|CIPC|UPC|RDP|DEVICE|CTI|CFB|MTP|XCODE|MOH|ANN)'
            then 'phone'
        when {{ name }} ~ '@' or {{ name }} ~ '^[0-9]{1,3}([.][0-9]{1,3}){3}$' then 'trunk'
        when {{ name }} ~* 'trunk|gateway|(^|[^a-z])(gw|gwy|pstn|cube|sbc|itsp|pri|sip|h323)'
            then 'trunk'
    end
{%- endmacro %}
