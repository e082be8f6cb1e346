{#- How a decision is told: the versions that held, and numbers and settings in plain words. -#}
{% macro held_at(versions, instant, run) -%}
    {#- The version valid at an instant, as known to a rating run. -#}
    {{ instant }} >= {{ versions }}.valid_from
    and {{ instant }} < {{ versions }}.valid_to
    and {{ run }}.reference_cutoff >= {{ versions }}.recorded_from
    and {{ run }}.reference_cutoff < {{ versions }}.recorded_to
{%- endmacro %}

{% macro reasons_in_words() -%}
    {#- Every reason a record may have: reason_code, field_name, description, what_to_do. -#}
    select
        record_reasons.reason_code,
        record_reasons.field_name,
        record_reasons.description,
        record_reasons.what_to_do
    from {{ ref('record_reasons') }} as record_reasons
    union all
    select
        not_billable_rules.rule_code as reason_code,
        null as field_name,
        not_billable_rules.description,
        'Nothing: it is not to be charged. To charge such records, switch the rule off and reprocess'
            as what_to_do
    from {{ ref('not_billable_rules') }} as not_billable_rules
{%- endmacro %}

{% macro plain(number) -%}
    {#- A number without the zeros that say nothing. -#}
    trim_scale({{ number }})::text
{%- endmacro %}

{% macro instant_in_words(instant) -%}
    {#- In UTC, whatever the zone of the session; the ends of time are no instants. -#}
    case
        when isfinite({{ instant }})
            then to_char({{ instant }} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    end
{%- endmacro %}

{% macro span_in_words(valid_from, valid_to) -%}
    case
        when {{ valid_from }} is not null
            then coalesce(
                nullif(concat_ws(
                    ' ',
                    'from ' || {{ instant_in_words(valid_from) }},
                    'until ' || {{ instant_in_words(valid_to) }}
                ), ''),
                'always'
            )
    end
{%- endmacro %}

{% macro rounding_in_words(decimals, unit, mode) -%}
    'rounded ' || replace({{ mode }}, '_', ' ') || ' to '
    || coalesce(
        'a multiple of ' || {{ plain(unit) }},
        {{ decimals }}::text || case when {{ decimals }} = 1 then ' decimal' else ' decimals' end
    )
{%- endmacro %}

{% macro units_in_words(leg, side) -%}
    {#- "61 s billed as 66 s (6/6) at 0.0103 per minute". -#}
    {%- set ns = leg ~ '.' ~ side -%}
    case
        when {{ ns }}_unrounded_amount is null then null
        {%- if side == 'retail' %}
        when {{ leg }}.price_basis = 'supplier'
            then concat(
                'the supplier''s price of ', {{ plain(leg ~ '.supplier_amount') }},
                ' x ' || nullif({{ leg }}.supplier_terms ->> 'charge_multiplier', '1'),
                ' with ' || nullif({{ leg }}.supplier_terms ->> 'markup_percent', '0') || ' %',
                ', at least ' || nullif({{ leg }}.supplier_terms ->> 'markup_floor', '0') || ',',
                case
                    when
                        {{ leg }}.supplier_terms ->> 'markup_percent' <> '0'
                        or {{ leg }}.supplier_terms ->> 'markup_floor' <> '0'
                        then ' on top'
                end
            )
        {%- endif %}
        when
            {{ leg }}.usage_type = 'voice'
            and {{ leg }}.billable_seconds <= nullif({{ ns }}_grace_seconds, 0)
            then concat(
                {{ plain(leg ~ '.billable_seconds') }}, ' s, free: calls of at most ',
                {{ ns }}_grace_seconds, ' s cost nothing'
            )
        when {{ leg }}.usage_type = 'voice'
            then concat(
                {{ plain(leg ~ '.billable_seconds') }}, ' s billed as ',
                {{ plain(
                    '(' ~ ns ~ '_billed_seconds - coalesce(' ~ ns ~ '_unbilled_fraction, 0))'
                ) }},
                ' s (', {{ ns }}_minimum_seconds, '/', {{ ns }}_increment_seconds, ')',
                case
                    when jsonb_array_length({{ ns }}_parts) > 1
                        then concat(' in ', jsonb_array_length({{ ns }}_parts), ' parts')
                    when {{ ns }}_unit_price is not null
                        then concat(' at ', {{ plain(ns ~ '_unit_price') }}, ' per call')
                    else concat(
                        ' at ', {{ plain(ns ~ '_price_per_minute') }}, ' per minute',
                        ' of ' || nullif({{ ns }}_minute_seconds, 60) || ' s'
                    )
                end
            )
        when {{ ns }}_is_per_call
            then concat(
                {{ ns }}_billed_units, ' ', {{ units_named(leg) }}, ' at ',
                {{ plain(ns ~ '_unit_price') }}, ' for all'
            )
        else concat(
            {{ ns }}_billed_units, ' ', {{ units_named(leg) }}, ' at ',
            {{ plain(ns ~ '_unit_price') }}, ' per ',
            case
                when {{ leg }}.usage_type = 'data' then {{ ns }}_unit_bytes || ' bytes'
                else 'message'
            end
        )
    end
{%- endmacro %}

{% macro units_named(leg) -%}
    case when {{ leg }}.usage_type = 'data' then 'bytes' else 'messages' end
{%- endmacro %}

{% macro charge_in_words(leg, side) -%}
    {#- From the units to the rounded amount in one sentence; null where there is no amount. -#}
    {%- set ns = leg ~ '.' ~ side -%}
    {%- set currency = leg ~ ('.currency_code' if side == 'retail' else '.cost_currency_code') -%}
    {{ units_in_words(leg, side) }} || ' = ' || {{ plain(ns ~ '_usage_amount') }}
    || concat(
        {%- if side == 'retail' %}
        case when {{ leg }}.price_basis = 'supplier' then '; fee ' else '; connection fee ' end
        {%- else %}
        '; connection fee '
        {%- endif %}
        || {{ plain('nullif(' ~ ns ~ '_connection_fee, 0)') }},
        '; the minimum charge of ' || {{ plain(ns ~ '_minimum_charge') }} || ' adds '
        || {{ plain('nullif(' ~ ns ~ '_minimum_top_up, 0)') }},
        '; the maximum charge of ' || {{ plain(ns ~ '_maximum_charge') }}
        || case
            when {{ ns }}_maximum_charge_rule = 'per_period'
                then ' in ' || {{ ns }}_cap_period_seconds || ' s'
            else ''
        end
        || ' takes off ' || {{ plain('-nullif(' ~ ns ~ '_maximum_reduction, 0)') }},
        {%- if side == 'retail' %}
        '; ' || {{ plain(leg ~ '.discount_percent') }} || ' % discount takes off '
        || {{ plain('-nullif(' ~ ns ~ '_discount_amount, 0)') }},
        {%- endif %}
        '; together '
        || {{ plain(
            'nullif(' ~ ns ~ '_unrounded_amount, ' ~ ns ~ '_usage_amount)'
        ) }},
        {%- if side == 'retail' %}
        case
            when {{ leg }}.rounding_level <> 'call'
                then concat('; not rounded here but on the ', {{ leg }}.rounding_level, ': ')
            else concat(
                '; ',
                {{ rounding_in_words(
                    leg ~ '.rounding_decimals', leg ~ '.rounding_unit', leg ~ '.rounding_mode'
                ) }},
                case
                    when
                        {{ leg }}.discount_percent > 0
                        and {{ leg }}.rounding_place = 'before_discount'
                        then ' before the discount'
                end,
                ': '
            )
        end,
        {%- else %}
        '; ',
        {{ rounding_in_words(
            ns ~ '_rounding_decimals', ns ~ '_rounding_unit', ns ~ '_rounding_mode'
        ) }},
        ': ',
        {%- endif %}
        {{ plain(ns ~ '_amount') }}, ' ', {{ currency }}
    )
{%- endmacro %}

{% macro run_items(row, has_version=false) -%}
    {#- The run that decided, as items of section `Rated by`. -#}
    (80, 'Rated by', 1, 'rating run', concat(
        {{ row }}.rating_run_id, ' (', {{ row }}.run_kind, '), attempt ', {{ row }}.attempt
    )),
    {%- if has_version %}
    (80, 'Rated by', 7, 'rules', 'version ' || {{ row }}.rating_version),
    {%- endif %}
    (80, 'Rated by', 2, 'reason', {{ row }}.run_reason),
    (80, 'Rated by', 3, 'closed', {{ instant_in_words(row ~ '.closed_at') }}),
    (80, 'Rated by', 4, 'reference known until', {{ instant_in_words(row ~ '.reference_cutoff') }}),
    (80, 'Rated by', 5, 'code', {{ row }}.code_commit || case
        when {{ row }}.code_is_dirty then ' (changed since)' else ''
    end),
    (80, 'Rated by', 6, 'asked for by', {{ row }}.requested_by)
{%- endmacro %}

{% macro landed_rows(layouts) -%}
    {#- Union of landed rows as they came: file_id, line_no and the row as JSON, whose keys keep the
        order of the columns. -#}
    {%- for layout in layouts | unique %}
    select
        {{ layout }}.file_id,
        {{ layout }}.line_no,
        to_json({{ layout }}) as landed_row
    from {{ source('landing', layout) }} as {{ layout }}
    {%- if not loop.last %}
    union all
    {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro earlier_decisions(fact, supersession, key, amount) -%}
    {#- What was decided about a record before, and which closed run replaced it and why. -#}
    select
        rated.file_id,
        rated.line_no,
        {{ 'rated.leg_no::integer' if fact == 'rated_usage' else '0' }} as leg_no,
        rated.{{ key }} as record_id,
        supersession.superseded_run_id,
        concat(
            rated.state,
            ' (' || rated.reason || ')',
            ', ' || {{ plain('rated.' ~ amount) }} || ' ' || rated.currency_code,
            ', rated ' || {{ instant_in_words('earlier_runs.closed_at') }},
            ' with code ' || earlier_runs.code_commit,
            '; replaced by run ', supersession.rating_run_id,
            ' (', later_runs.run_kind, ': ' || nullif(later_runs.reason, ''), ')'
        ) as value
    from {{ ref(fact) }} as rated
    inner join {{ ref(supersession) }} as supersession
        on
            rated.account_id = supersession.account_id
            and rated.{{ key }} = supersession.{{ key }}
            and rated.rating_run_id = supersession.superseded_run_id
    inner join {{ source('control', 'rating_run') }} as earlier_runs
        on rated.rating_run_id = earlier_runs.rating_run_id
    inner join {{ source('control', 'rating_run') }} as later_runs
        on supersession.rating_run_id = later_runs.rating_run_id
    where later_runs.status = 'closed' and earlier_runs.status = 'closed'
{%- endmacro %}

{% macro outcome_in_words(row, amount) -%}
    case {{ row }}.state
        when 'billed'
            then concat(
                'Billed to ', {{ row }}.customer_name, ' (account ', {{ row }}.account_code, '): ',
                {{ plain(row ~ '.' ~ amount) }}, ' ', {{ row }}.currency_code
            )
        when 'duplicate'
            then concat(
                'Not billed again: it repeats line ', {{ row }}.original_line_no, ' of ',
                {{ row }}.original_file_name
            )
        when 'not_billable'
            then concat(
                'Not billed: ', {{ row }}.reason_in_words, ' (rule ', {{ row }}.reason, ')'
            )
        else concat(
            'Not billed yet, an error: ', {{ row }}.reason_in_words, ' (', {{ row }}.reason, ')'
        )
    end
{%- endmacro %}

{% macro part_in_words(part) -%}
    {#- A part of a call: a step of its length, a time band, or what follows a price change. -#}
    concat(
        'from second ', {{ part }} ->> 'from_second',
        ' (' || ({{ part }} ->> 'from_local') || ')',
        ', band ' || ({{ part }} ->> 'band'),
        ': ', {{ part }} ->> 'seconds', ' s at ',
        coalesce(
            {{ plain('(' ~ part ~ " ->> 'price_per_call')::numeric") }} || ' per call',
            {{ plain('(' ~ part ~ " ->> 'price_per_minute')::numeric") }} || ' per minute'
        ),
        ' = ', {{ plain('(' ~ part ~ " ->> 'amount')::numeric") }}
    )
{%- endmacro %}
