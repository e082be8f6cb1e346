{#- Traffic is what the switches and carriers handled: not repeats, nor lines that tell of a call
    another line carries, nor what is no call at all. -#}
{% macro is_traffic(row) -%}
    {{ row }}.started_at is not null
    and {{ row }}.state <> 'duplicate'
    and coalesce({{ row }}.reason, '') not in (
        'paired_event', 'interim_record', 'leg_without_trunk', 'in_progress', 'access_record',
        'server_event', 'service_code', 'open_session', 'orphan_event', 'key_conflict',
        'reconciliation_only'
    )
{%- endmacro %}

{#- Measures of the aggregates, additive in all dimensions but leg_no. sign: 1 or -1 for replaced rows; none where
    every row counts, for a sum of products costs twice a plain one. -#}
{% macro traffic_measures(row, sign=none) -%}
{%- set times = sign ~ ' * ' if sign else '' -%}
{%- set answered = row ~ ".disposition = 'answered' or " ~ row ~ ".usage_type <> 'voice'" -%}
{%- set short -%}
    {{ row }}.disposition = 'answered' and {{ row }}.usage_type = 'voice'
            and {{ row }}.billable_seconds <= 6
{%- endset -%}
{%- set counts = [
    ('attempt', 'true'), ('answered', answered), ('short', short),
    ('billed', row ~ ".state = 'billed'"), ('error', row ~ ".state = 'error'")
] -%}
{%- for name, condition in counts %}
    {%- if sign %}
    coalesce(sum({{ sign }}) filter (where {{ condition }}), 0)::bigint as {{ name }}_count,
    {%- else %}
    count(*) filter (where {{ condition }})::bigint as {{ name }}_count,
    {%- endif %}
{%- endfor %}
    coalesce(sum({{ times }}{{ row }}.duration_seconds), 0)::numeric(20, 3) as duration_seconds,
    coalesce(sum({{ times }}{{ row }}.billable_seconds), 0)::numeric(20, 3) as talk_seconds,
    coalesce(sum({{ times }}{{ row }}.retail_billed_seconds), 0)::bigint as billed_seconds,
    coalesce(sum({{ times }}{{ row }}.retail_amount), 0)::numeric(28, 14) as sell_amount,
    coalesce(sum({{ times }}{{ row }}.cost_amount), 0)::numeric(28, 14) as buy_amount
{%- endmacro %}

{% macro traffic_mart_measures() -%}
    traffic.currency_code::text as currency_code,
    traffic.cost_currency_code::text as cost_currency_code,
    traffic.attempt_count::bigint as attempt_count,
    traffic.answered_count::bigint as answered_count,
    traffic.short_count::bigint as short_count,
    traffic.billed_count::bigint as billed_count,
    traffic.error_count::bigint as error_count,
    traffic.duration_seconds::numeric(20, 3) as duration_seconds,
    traffic.talk_seconds::numeric(20, 3) as talk_seconds,
    traffic.billed_seconds::bigint as billed_seconds,
    traffic.sell_amount::numeric(28, 14) as sell_amount,
    traffic.buy_amount::numeric(28, 14) as buy_amount,
    case
        when
            traffic.currency_code = traffic.cost_currency_code
            or traffic.currency_code is null
            or traffic.cost_currency_code is null
            then traffic.sell_amount - traffic.buy_amount
    end::numeric(28, 14) as margin_amount
{%- endmacro %}
