{#- Segments that the text of a message is sent in, null without a text. A text of GSM-7 characters
    counts septets (those of the extension table are two): 160 in one message, 153 in each part of
    several. Any other text is sent as UCS-2: 70 and 67 units of 16 bits, of which a character
    beyond the first plane is two. Eight-bit messages: 140 and 134 octets. No part ends inside a
    pair of two. The declared encoding counts unless the text cannot be written in it. -#}
{% macro message_segments(text, encoding) -%}
    case
        when coalesce({{ text }}, '') = '' then null
        when {{ message_encoding(encoding) }} = 'ucs2' or not {{ is_gsm_text(text) }}
            then
                case
                    when
                        {{ message_encoding(encoding) }} = 'octets'
                        and {{ text }} !~ E'[^\\u0001-\\u00FF]'
                        then {{ parts_of("regexp_replace(" ~ text ~ ", '.', 'b', 'g')", 140, 134) }}
                    else {{ parts_of(paired_units(text, "\\U00010000-\\U0010FFFF"), 70, 67) }}
                end
        when {{ message_encoding(encoding) }} = 'octets'
            then {{ parts_of("regexp_replace(" ~ text ~ ", '.', 'b', 'g')", 140, 134) }}
        else {{ parts_of(paired_units(text, gsm_extension_class()), 160, 153) }}
    end
{%- endmacro %}

{#- What sources call an encoding; the numbers are those of the data coding of SMPP. Null where it
    is not said or not known: the text decides. -#}
{% macro message_encoding(raw) -%}
    case
        when regexp_replace(lower({{ raw }}), '[^a-z0-9]', '', 'g') in (
            'gsm', 'gsm7', 'gsm7bit', 'gsm0338', '7bit', 'default', '0'
        ) then 'gsm7'
        when regexp_replace(lower({{ raw }}), '[^a-z0-9]', '', 'g') in (
            'ucs2', 'utf16', 'utf16be', 'unicode', '16bit', '8'
        ) then 'ucs2'
        when regexp_replace(lower({{ raw }}), '[^a-z0-9]', '', 'g') in (
            'binary', '8bit', 'latin1', 'iso88591', '2', '3', '4'
        ) then 'octets'
    end
{%- endmacro %}

{#- Whether a text has only characters of the default alphabet of GSM 03.38 and its extension. -#}
{% macro is_gsm_text(text) -%}
    (
        translate(
            {{ text }},
            E'@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&''()*+,-./0123456789:;<=>?'
            || '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà'
            || E'\f^{}\\[~]|€',
            ''
        ) = ''
    )
{%- endmacro %}

{#- The extension table as members of a bracket expression. -#}
{% macro gsm_extension_class() -%}
    {{ return("\\f^{}\\\\[~\\]|€") }}
{%- endmacro %}

{#- A text as a chain of units: b stands for a character of one unit, XY for one of two. -#}
{% macro paired_units(text, class) -%}
    regexp_replace(
        regexp_replace({{ text }}, E'[^{{ class | replace("\\", "\\\\") }}]', 'b', 'g'), '[^b]',
        'XY', 'g'
    )
{%- endmacro %}

{#- Parts of a chain of units: whole up to `single`, else of `part` units, less one where the last
    of them would begin a pair. -#}
{% macro parts_of(units, single, part) -%}
    case
        when length({{ units }}) <= {{ single }} then 1
        else regexp_count({{ units }}, '.{ {{- part - 1 -}} }[^X]|.{1,{{ part - 1 }}}')
    end
{%- endmacro %}
