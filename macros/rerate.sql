{#- What a re-rating changes about single records: durations that were put right, decks chosen for
    one run. Without any, the SQL of a run does not name them. Asked by name and not by source: unit
    tests would have to give them. -#}
{% macro has_changes(change) -%}
    {#- Whether a record of the run is changed so. A dry run is compiled before it is known. -#}
    {%- if is_dry() -%}{{ return(true) }}{%- endif -%}
    {%- if not execute or flags.WHICH not in ('build', 'run') -%}{{ return(false) }}{%- endif -%}
    {%- set run = current_run() -%}
    {%- if run['kind'] == 'initial' -%}{{ return(false) }}{%- endif -%}
    {%- if change == 'duration' -%}
        {%- set query -%}
            select exists (
                select from control.duration_correction
                where file_id = any('{ {{- work_files(run) | join(',') -}} }'::bigint [])
            )
        {%- endset -%}
    {%- elif change == 'deck' -%}
        {%- set query -%}
            select exists (
                select from control.deck_choice where rating_run_id = {{ run['id'] }}
            )
        {%- endset -%}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "has_changes: change must be duration or deck, not '" ~ change ~ "'"
        ) }}
    {%- endif -%}
    {{ return(run_query(query).rows[0][0]) }}
{%- endmacro %}

{% macro durations_in_force() -%}
    {#- Of each line of the run's files the duration that was put right: by this run, else by the
        latest that counts. new_seconds null: that of the line again. -#}
    {%- set run = current_run() -%}
    select distinct on (correction.file_id, correction.line_no)
        correction.file_id,
        correction.line_no,
        correction.new_seconds
    from control.duration_correction as correction
    inner join {{ source('control', 'rating_run') }} as corrected_by
        on correction.rating_run_id = corrected_by.rating_run_id
    where
        correction.file_id = any('{ {{- work_files(run) | join(',') -}} }'::bigint [])
        and (
            corrected_by.rating_run_id = {{ run['id'] }}
            or (
                corrected_by.status = 'closed'
                and corrected_by.build_schema = '{{ '' if is_dry() else build_schema() }}'
            )
        )
    order by
        correction.file_id asc,
        correction.line_no asc,
        corrected_by.rating_run_id = {{ run['id'] }} desc,
        corrected_by.rating_run_id desc
{%- endmacro %}

{% macro join_deck_choice(legs) -%}
    left join control.deck_choice as choice
        on
            choice.rating_run_id = {{ run_id() }}
            and {{ legs }}.file_id = choice.file_id
            and {{ legs }}.line_no = choice.line_no
            and {{ legs }}.leg_no = choice.leg_no
{%- endmacro %}

{% macro compared_columns() -%}
    {#- What two versions of a usage leg are compared by. -#}
    {{ return([
        'account_id', 'state', 'reason', 'billable_seconds', 'period_month', 'charge_class',
        'plan_id', 'rating_version', 'retail_deck_id', 'retail_rate_id', 'retail_prefix',
        'retail_billed_seconds', 'retail_billed_units', 'retail_price_per_minute',
        'retail_unit_price', 'retail_connection_fee', 'retail_amount', 'currency_code',
        'cost_deck_id', 'cost_rate_id', 'cost_prefix', 'cost_billed_seconds',
        'cost_price_per_minute', 'cost_amount', 'cost_currency_code',
    ]) }}
{%- endmacro %}

{% macro differs(column) -%}
    pair.newer_{{ column }} is distinct from pair.older_{{ column }}
{%- endmacro %}

{% macro causes_of_difference() -%}
    {#- Why a leg of `pair` comes to something else than before, the nearest cause first. -#}
    {%- set plain = 'pair.newer_state = pair.older_state' -%}
    array_remove(array[
        case when pair.older_state is null then 'new leg' end,
        case when pair.newer_state is null then 'leg is gone' end,
        case
            when pair.newer_state = 'billed' and pair.older_state <> 'billed'
                then concat('now billed (was ', coalesce(pair.older_reason, pair.older_state), ')')
            when pair.older_state = 'billed' and pair.newer_state <> 'billed'
                then concat('no longer billed: ', coalesce(pair.newer_reason, pair.newer_state))
            when
                pair.newer_state <> pair.older_state
                or ({{ plain }} and {{ differs('reason') }})
                then concat(
                    'now ', coalesce(pair.newer_reason, pair.newer_state), ' (was ',
                    coalesce(pair.older_reason, pair.older_state), ')'
                )
        end,
        case when {{ plain }} and {{ differs('billable_seconds') }} then 'duration adjusted' end,
        case when {{ plain }} and {{ differs('account_id') }} then 'other account' end,
        case when {{ plain }} and {{ differs('period_month') }} then 'other period' end,
        case when {{ plain }} and {{ differs('charge_class') }} then 'other class' end,
        case when {{ plain }} and {{ differs('plan_id') }} then 'other plan' end,
        case when {{ plain }} and {{ differs('currency_code') }} then 'other currency' end,
        {%- for side in ('retail', 'cost') %}
        {%- set cost = 'cost: ' if side == 'cost' else '' %}
        case
            when not {{ plain }} then null
            when {{ differs(side ~ '_deck_id') }} then '{{ cost }}other deck'
            when {{ differs(side ~ '_prefix') }} then '{{ cost }}other prefix'
            when
                {{ differs(side ~ '_price_per_minute') }}
                {%- if side == 'retail' %}
                or {{ differs('retail_unit_price') }}
                or {{ differs('retail_connection_fee') }}
                {%- endif %}
                then '{{ cost }}other price'
        end,
        case
            when
                {{ plain }}
                and not {{ differs('billable_seconds') }}
                and pair.newer_{{ side }}_billed_seconds <> pair.older_{{ side }}_billed_seconds
                then '{{ cost }}other increment'
        end,
        {%- endfor %}
        case
            when {{ plain }} and pair.newer_cost_currency_code <> pair.older_cost_currency_code
                then 'cost: other currency'
        end,
        case
            when {{ plain }} and {{ differs('rating_version') }} then 'other version of the rules'
        end
    ], null)
{%- endmacro %}
