{#- Words of message reports and of Twilio in our vocabulary. -#}
{% macro message_disposition(raw) -%}
    {#- Delivered or on its way counts as answered: the carrier took it. -#}
    case
        when coalesce(btrim({{ raw }}), '') = '' then null
        when {{ raw }} ~* 'fail|undeliver|reject|expired|error' then 'failed'
        when {{ raw }} ~* 'cancel' then 'canceled'
        when {{ raw }} ~* 'deliver|sent|sending|received|receiving|read|accepted' then 'answered'
        else 'unknown'
    end
{%- endmacro %}

{% macro twilio_party(raw) -%}
    {#- +266696687 spells ANONYMOUS on a telephone's keys: Twilio's mark of a withheld caller. -#}
    case
        when btrim({{ raw }}) in ('+266696687', '266696687') then 'anonymous'
        else {{ raw }}
    end
{%- endmacro %}

{% macro twilio_duration(row) -%}
    {#- Empty unless the call was completed. -#}
    case
        when coalesce(btrim({{ row }}.duration), '') <> '' then {{ row }}.duration
        when lower(btrim({{ row }}.status)) <> 'completed' then '0'
    end
{%- endmacro %}

{% macro is_undelivered(leg, deck) -%}
    {#- True for a message that its record calls not delivered, where the deck is for delivered ones
        only; else null. -#}
    case
        when
            {{ deck }}.is_delivered_only
            and {{ leg }}.disposition in ('no_answer', 'busy', 'failed', 'canceled', 'congestion')
            then true
    end
{%- endmacro %}
