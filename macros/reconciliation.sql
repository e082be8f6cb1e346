{#- What a reconciliation is asked for, set by loaders/reconcile for its transaction: views cannot take
    parameters, and settings reach the scans of the facts. Without them there is nothing to see. -#}
{% macro reconcile_setting(name, type) -%}
    {%- set known = [
        'from', 'to', 'ours', 'theirs', 'charges', 'directions', 'start_tolerance', 'seconds_tolerance',
        'amount_tolerance', 'match_callers'
    ] -%}
    {%- if name not in known -%}
        {{ exceptions.raise_compiler_error(
            "reconcile_setting: '" ~ name ~ "' is none of " ~ (known | join(', '))
        ) }}
    {%- endif -%}
    nullif(current_setting('ratehouse.reconcile_{{ name }}', true), '')::{{ type }}
{%- endmacro %}

{#- A clock may be wrong by up to the widest difference between two zones in use, and what drifts. -#}
{% macro widest_shift() -%}
    interval '14 hours 30 minutes'
{%- endmacro %}

{#- How far their start is behind ours, in seconds. -#}
{% macro seconds_apart(ours, theirs) -%}
    extract(epoch from ({{ theirs }}) - ({{ ours }}))
{%- endmacro %}

{#- The order in which records prefer each other; the same from both sides, with no two alike, so that
    pairing the best of each other, again and again, comes to one result whatever the order of rows.
    Candidates have a key in common, and within a key an ordinal names a record. -#}
{% macro pair_order(candidate) -%}
    {{ candidate }}.clock_rank asc,
    {{ candidate }}.caller_rank asc,
    {{ candidate }}.distance asc,
    {{ candidate }}.twin_distance asc,
    {{ candidate }}.our_ordinal asc,
    {{ candidate }}.their_ordinal asc
{%- endmacro %}

{#- Of our seconds and those we expect to be billed, what is nearest to theirs. -#}
{% macro nearest_seconds(seconds, billed, theirs) -%}
    case
        when abs({{ theirs }} - {{ billed }}) < abs({{ theirs }} - {{ seconds }}) then {{ billed }}
        else {{ seconds }}
    end
{%- endmacro %}
