-- Grain: one row per item of the explanation of a usage leg that counts. See rpt_explain__record.
with legs as (
    select * from {{ ref('int_rating__worded') }}
)

select
    legs.file_id,
    legs.line_no,
    legs.leg_no,
    legs.usage_id,
    items.section_no,
    items.section,
    items.item_no,
    items.item,
    items.value
from legs
cross join
    lateral (
        values
        (30, 'In plain words', 1, 'record', legs.record_words),
        (30, 'In plain words', 2, 'outcome', legs.outcome_words),
        (30, 'In plain words', 3, 'what would have to change', case
            when legs.state <> 'billed' then legs.what_to_do
        end),
        (30, 'In plain words', 4, 'service', legs.service_words),
        (30, 'In plain words', 5, 'plan', legs.plan_words),
        (30, 'In plain words', 6, 'price', legs.price_words),
        (30, 'In plain words', 7, 'charge', legs.charge_words),
        (30, 'In plain words', 8, 'cost', legs.cost_words),
        (30, 'In plain words', 9, 'margin', legs.margin_words),
        (30, 'In plain words', 10, 'compared', legs.compared_words),
        (40, 'Values', 1, 'usage number', legs.usage_id::text),
        (40, 'Values', 2, 'leg', legs.leg_no::text),
        (40, 'Values', 3, 'usage type', legs.usage_type),
        (40, 'Values', 4, 'direction', legs.direction),
        (40, 'Values', 5, 'started', {{ instant_in_words('legs.started_at') }}),
        (40, 'Values', 6, 'time quality', legs.time_quality),
        (40, 'Values', 7, 'duration seconds', {{ plain('legs.duration_seconds') }}),
        (40, 'Values', 8, 'billable seconds', {{ plain('legs.billable_seconds') }}),
        (40, 'Values', 9, 'calling', legs.calling_number::text),
        (40, 'Values', 10, 'calling class', legs.calling_class),
        (40, 'Values', 11, 'called', legs.called_number::text),
        (40, 'Values', 12, 'called class', legs.called_number_class),
        (40, 'Values', 13, 'dialling', legs.dialling),
        (40, 'Values', 14, 'carrier access code', legs.carrier_access_code),
        (40, 'Values', 15, 'location routing number', legs.lrn_number::text),
        (40, 'Values', 16, 'disposition', legs.disposition),
        (40, 'Values', 17, 'visited network', legs.visited_network),
        (
            40, 'Values', 18, 'supplier''s price',
            {{ plain('legs.supplier_amount') }} || ' ' || legs.supplier_currency_code
        ),
        (50, 'Decision', 1, 'state', legs.state),
        (50, 'Decision', 2, 'reason', legs.reason),
        (50, 'Decision', 3, 'field', legs.reason_field),
        (50, 'Decision', 4, 'meaning', legs.reason_in_words),
        (50, 'Decision', 5, 'what to do', case when legs.state = 'error' then legs.what_to_do end),
        (50, 'Decision', 6, 'first received as', legs.original_usage_id || concat(
            ' (', legs.original_file_name, ', line ', legs.original_line_no, ')'
        )),
        (50, 'Decision', 7, 'service', legs.service_code),
        (50, 'Decision', 8, 'matched by', legs.match_method),
        (50, 'Decision', 9, 'account', case
            when legs.account_id <> 0 then legs.account_code || ' ' || legs.customer_name
        end),
        (50, 'Decision', 10, 'plan', legs.plan_code || ' ' || legs.plan_name),
        (50, 'Decision', 11, 'plan from', legs.plan_source),
        (50, 'Decision', 12, 'destination class', legs.called_class),
        (50, 'Decision', 13, 'number class', legs.number_class),
        (50, 'Decision', 14, 'calling state', legs.calling_state),
        (50, 'Decision', 15, 'called state', legs.called_state),
        (50, 'Decision', 16, 'state of the routing number', legs.lrn_state),
        (50, 'Decision', 17, 'jurisdiction', legs.jurisdiction),
        (50, 'Decision', 18, 'jurisdiction as the deck reads it', legs.retail_jurisdiction),
        (50, 'Decision', 19, 'LATA', legs.lata_scope),
        (50, 'Decision', 20, 'local', case legs.is_local
            when true then 'yes'
            when false then 'no'
        end),
        (50, 'Decision', 21, 'charge class', legs.charge_class),
        (50, 'Decision', 24, 'roaming zone', legs.zone_code),
        (50, 'Decision', 25, 'priced by', legs.price_basis),
        (50, 'Decision', 22, 'money at risk', {{ plain('legs.at_risk_amount') }}),
        (50, 'Decision', 23, 'billing period', to_char(legs.period_month, 'YYYY-MM')),
        {%- for side, title, section_no in [('retail', 'Price', 60), ('cost', 'Cost', 70)] %}
        {%- set ns = 'legs.' ~ side %}
        {%- set place = section_no ~ ", '" ~ title ~ "'" %}
        {%- set rounding = 'legs.' ~ ('' if side == 'retail' else 'cost_') ~ 'rounding' %}
        {%- set carrier = 'legs.' ~ ('' if side == 'retail' else 'cost_') %}
        ({{ place }}, 1, 'status', {{ 'null' if side == 'retail' else 'legs.cost_status' }}),
        (
            {{ place }}, 2, 'deck',
            concat_ws(' ', {{ ns }}_deck_code, {{ ns }}_deck_name)
        ),
        (
            {{ place }}, 3, 'deck version',
            {{ span_in_words(ns ~ '_deck_valid_from', ns ~ '_deck_valid_to') }}
        ),
        (
            {{ place }}, 4, 'deck version known since',
            {{ instant_in_words(ns ~ '_deck_recorded_from') }}
        ),
        ({{ place }}, 5, 'row', {{ ns }}_rate_id || concat(
            ': prefix ', {{ ns }}_row_prefix,
            ' ' || nullif({{ ns }}_destination_name, '')
        )),
        ({{ place }}, 6, 'row''s jurisdiction', {{ ns }}_row_jurisdiction),
        (
            {{ place }}, 7, 'row valid',
            {{ span_in_words(ns ~ '_row_valid_from', ns ~ '_row_valid_to') }}
        ),
        ({{ place }}, 8, 'row known since', {{ instant_in_words(ns ~ '_row_recorded_from') }}),
        ({{ place }}, 9, 'rated number', case
            when {{ ns }}_rate_id is not null
                then
                    legs.{{ '' if side == 'retail' else 'cost_' }}rated_number::text
        end),
        ({{ place }}, 10, 'matched prefix', {{ ns }}_prefix),
        ({{ place }}, 11, 'duration rounding', case
            when {{ ns }}_rate_id is not null
                then replace({{ carrier }}duration_rounding, '_', ' ')
        end),
        ({{ place }}, 12, 'grace', nullif({{ ns }}_grace_seconds, 0)::text),
        ({{ place }}, 13, 'additional', nullif({{ ns }}_additional_seconds, 0)::text),
        ({{ place }}, 14, 'included', nullif({{ ns }}_included_seconds, 0)::text),
        ({{ place }}, 15, 'minimum seconds', case
            when {{ ns }}_rate_id is not null then {{ ns }}_minimum_seconds::text
        end),
        ({{ place }}, 16, 'increment seconds', case
            when {{ ns }}_rate_id is not null then {{ ns }}_increment_seconds::text
        end),
        ({{ place }}, 17, 'increments count', case
            when {{ ns }}_rate_id is not null
                then replace({{ carrier }}increment_base, '_', ' ')
        end),
        ({{ place }}, 18, 'billed seconds', {{ ns }}_billed_seconds::text),
        ({{ place }}, 19, 'billed units', {{ ns }}_billed_units::text),
        ({{ place }}, 20, 'price per minute', {{ plain(ns ~ '_price_per_minute') }}),
        ({{ place }}, 21, 'seconds of a minute', case
            when legs.usage_type = 'voice' then nullif({{ ns }}_minute_seconds, 60)::text
        end),
        (
            {{ place }}, 22,
            case when {{ ns }}_is_per_call then 'price per call' else 'price per unit' end,
            {{ plain(ns ~ '_unit_price') }}
        ),
        (
            {{ place }}, 23, 'not billed of the last second',
            {{ plain(ns ~ '_unbilled_fraction') }}
        ),
        {%- if side == 'retail' %}
        ({{ place }}, 24, 'rounded up together with others by', legs.rounding_group ->> 'by'),
        ({{ place }}, 25, 'terms of pre-rated records', nullif(replace(btrim(
            legs.supplier_terms::text, '{}'
        ), '"', ''), '')),
        {%- endif %}
        ({{ place }}, 940, 'usage', {{ plain(ns ~ '_usage_amount') }}),
        ({{ place }}, 941, 'connection fee', {{ plain(ns ~ '_connection_fee') }}),
        ({{ place }}, 942, 'minimum charge', {{ plain(ns ~ '_minimum_charge') }}),
        ({{ place }}, 943, 'minimum top-up', {{ plain(ns ~ '_minimum_top_up') }}),
        ({{ place }}, 944, 'maximum charge', {{ plain(ns ~ '_maximum_charge') }}),
        ({{ place }}, 945, 'maximum reduction', {{ plain(ns ~ '_maximum_reduction') }}),
        {%- if side == 'retail' %}
        ({{ place }}, 946, 'discount percent', case
            when legs.retail_rate_id is not null
                then {{ plain('nullif(legs.discount_percent, 0)') }}
        end),
        ({{ place }}, 947, 'discount', {{ plain('legs.retail_discount_amount') }}),
        {%- endif %}
        ({{ place }}, 960, 'unrounded', {{ plain(ns ~ '_unrounded_amount') }}),
        ({{ place }}, 961, 'rounding', case
            when {{ ns }}_amount is null then null
            {%- if side == 'retail' %}
            when legs.rounding_level <> 'call'
                then 'none at the call: at the ' || legs.rounding_level
            {%- endif %}
            else
                {{ rounding_in_words(
                    rounding ~ '_decimals', rounding ~ '_unit', rounding ~ '_mode'
                ) }}
        end),
        ({{ place }}, 962, 'amount', {{ plain(ns ~ '_amount') }}),
        ({{ place }}, 963, 'currency', case
            when {{ ns }}_amount is not null then {{ carrier }}currency_code
        end),
        {%- endfor %}
        {{ run_items('legs', has_version=true) }}
        {%- for side, title, section_no in [('retail', 'Price', 60), ('cost', 'Cost', 70)] %}
        union all
        select
            {{ section_no }} as section_no,
            '{{ title }}' as section,
            25 + parts.part_no::integer as item_no,
            'part ' || parts.part_no as item,
            {{ part_in_words('parts.part') }} as value
        from jsonb_array_elements(legs.{{ side }}_parts) with ordinality as parts (part, part_no)
        {%- endfor %}
    ) as items (section_no, section, item_no, item, value)
where items.value is not null and items.value <> ''
