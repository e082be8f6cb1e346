{#- Call outcome in one vocabulary; null where the file does not state it. -#}
{% macro disposition(raw) -%}
    case {{ raw }}
        when 'ANSWERED' then 'answered'
        when 'NO ANSWER' then 'no_answer'
        when 'BUSY' then 'busy'
        when 'FAILED' then 'failed'
        else
            case upper(btrim(coalesce({{ raw }}, '')))
                when '' then null
                when 'ANSWERED' then 'answered'
                when 'ANSWER' then 'answered'
                when 'OK' then 'answered'
                when 'COMPLETED' then 'answered'
                when '16' then 'answered'
                when '200' then 'answered'
                when 'NO ANSWER' then 'no_answer'
                when 'NOANSWER' then 'no_answer'
                when 'NO_ANSWER' then 'no_answer'
                when 'NO-ANSWER' then 'no_answer'
                when 'BUSY' then 'busy'
                when 'FAILED' then 'failed'
                when 'CONGESTION' then 'congestion'
                when 'CANCEL' then 'canceled'
                when 'CANCELED' then 'canceled'
                when 'CANCELLED' then 'canceled'
                else 'unknown'
            end
    end
{%- endmacro %}
