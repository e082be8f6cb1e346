{#- Longest prefix without a loop: nested prefixes are cut into disjoint intervals of a 13-digit
    number line, one line per scope, and each interval into disjoint periods of validity. Then the
    price of a number is one binary search in the sorted bounds (width_bucket) and one hash join.

    rows: name of a CTE with scope (integer), prefix (1 to 13 digits), specificity (integer, the
    higher wins at equal prefix), payload_id, valid_from, valid_to.
    Yields the CTE prefix_pieces (interval_no, lower_bound, from_number, to_number, payload_id,
    valid_from, valid_to); an interval that no row covers is there with nulls, so that the bounds
    are complete.

    The line fills numbers up with zeros, so a number may stand at the start of a prefix longer than
    itself (4420 at the start of 44200). A piece therefore says which numbers it is for:
    from_number <= number < to_number. Numbers of up to seven digits see prefixes of up to seven,
    longer ones also the longer prefixes they fill. Four-digit numbers are special: 1N11, the way
    N11 is priced, which needs a row of exactly its digits. -#}
{% macro prefix_intervals(rows) -%}
bounded as materialized (
    select
        {{ rows }}.scope,
        length({{ rows }}.prefix) as prefix_length,
        {{ rows }}.specificity,
        {{ rows }}.payload_id,
        {{ rows }}.valid_from,
        {{ rows }}.valid_to,
        {{ rows }}.scope * {{ number_line() }} + rpad({{ rows }}.prefix, 13, '0')::bigint
            as lower_bound
    from {{ rows }}
),

prefix_bounds as (
    select
        row_number() over (order by edges.bound) as interval_no,
        edges.bound as lower_bound
    from (
        select bounded.lower_bound as bound from bounded
        union
        select bounded.lower_bound + power(10::numeric, 13 - bounded.prefix_length)::bigint
        from bounded
    ) as edges
),

prefix_lengths as materialized (
    select
        bounded.scope,
        bounded.prefix_length,
        power(10::numeric, 13 - bounded.prefix_length)::bigint as width
    from bounded
    group by bounded.scope, bounded.prefix_length
),

-- each interval asks for every prefix that could cover it: its own digits, cut to each length
probes as materialized (
    select
        prefix_bounds.interval_no,
        prefix_lengths.scope,
        prefix_lengths.prefix_length,
        prefix_bounds.lower_bound - prefix_bounds.lower_bound % prefix_lengths.width
            as lower_bound
    from prefix_bounds
    inner join prefix_lengths
        on prefix_bounds.lower_bound / {{ number_line() }} = prefix_lengths.scope
),

candidates as (
    select
        probes.interval_no,
        bounded.prefix_length,
        bounded.specificity,
        bounded.payload_id,
        bounded.valid_from,
        bounded.valid_to
    from probes
    inner join bounded
        on
            probes.lower_bound = bounded.lower_bound
            and probes.prefix_length = bounded.prefix_length
            and probes.scope = bounded.scope
),

cuts as (
    select
        candidates.interval_no,
        candidates.valid_from as cut_at
    from candidates
    union
    select
        candidates.interval_no,
        candidates.valid_to as cut_at
    from candidates
),

periods as (
    select
        cuts.interval_no,
        cuts.cut_at as valid_from,
        lead(cuts.cut_at) over (partition by cuts.interval_no order by cuts.cut_at) as valid_to
    from cuts
),

lengths as (
    -- 4: exactly that prefix; 7: every prefix of up to seven digits; then each longer prefix
    select
        candidates.interval_no,
        case
            when candidates.prefix_length <= 7 then 7
            else candidates.prefix_length
        end as number_length
    from candidates
    union
    select
        candidates.interval_no,
        4 as number_length
    from candidates
    where candidates.prefix_length = 4
),

number_ranges as (
    select
        lengths.interval_no,
        lengths.number_length,
        case lengths.number_length
            when 4 then 1000
            when 7 then 1000000
            else power(10::numeric, lengths.number_length - 1)
        end::bigint as from_number,
        case lengths.number_length
            when 4 then 10000
            else coalesce(
                power(10::numeric, lead(lengths.number_length) over (
                    partition by lengths.interval_no order by lengths.number_length
                ) - 1),
                power(10::numeric, 15)
            )
        end::bigint as to_number
    from lengths
),

winners as (
    select distinct on (periods.interval_no, number_ranges.from_number, periods.valid_from)
        periods.interval_no,
        number_ranges.from_number,
        number_ranges.to_number,
        candidates.payload_id,
        periods.valid_from,
        periods.valid_to
    from periods
    inner join number_ranges on periods.interval_no = number_ranges.interval_no
    inner join candidates
        on
            periods.interval_no = candidates.interval_no
            and periods.valid_from >= candidates.valid_from
            and periods.valid_from < candidates.valid_to
            and candidates.prefix_length <= number_ranges.number_length
            and (number_ranges.number_length <> 4 or candidates.prefix_length = 4)
    where periods.valid_to is not null
    order by
        periods.interval_no,
        number_ranges.from_number,
        periods.valid_from,
        candidates.prefix_length desc,
        candidates.specificity desc
),

prefix_pieces as (
    select
        prefix_bounds.interval_no::integer as interval_no,
        prefix_bounds.lower_bound,
        winners.from_number,
        winners.to_number,
        winners.payload_id,
        winners.valid_from,
        winners.valid_to
    from prefix_bounds
    left join winners on prefix_bounds.interval_no = winners.interval_no
)
{%- endmacro %}

{% macro number_line() -%} 10000000000000::bigint {%- endmacro %}

{% macro number_line_key(scope, digits) -%}
    {#- Place of a number (bigint, at most 15 digits) on the line of its scope: its first thirteen
        digits, filled up with zeros. By arithmetic: text functions cost ten times as much. -#}
    {{ scope }} * {{ number_line() }} + case
        when {{ digits }} between 10000000000 and 99999999999 then {{ digits }} * 100
        when {{ digits }} between 100000000000 and 999999999999 then {{ digits }} * 10
        when {{ digits }} between 1000000000 and 9999999999 then {{ digits }} * 1000
        {%- for length in [13, 9, 8, 7, 6, 5, 4, 3, 2, 1] %}
        when {{ digits }} between {{ 10 ** (length - 1) }} and {{ 10 ** length - 1 }}
            then {{ digits }} * {{ 10 ** (13 - length) }}
        {%- endfor %}
        when {{ digits }} between 10000000000000 and 99999999999999 then {{ digits }} / 10
        when {{ digits }} between 100000000000000 and 999999999999999 then {{ digits }} / 100
    end
{%- endmacro %}

{% macro interval_of(lookup, scope, digits) -%}
    {#- Number of the prefix interval that holds digits in scope; 0 or null: none. lookup is
        service_pattern or rate. The bounds are a scalar sub-select, worked out once per query; the
        empty array appended makes it a copy in memory: the stored array itself would be unpacked
        again for every record (measured: 200 microseconds each at 13,000 bounds). -#}
    width_bucket(
        {{ number_line_key(scope, digits) }},
        (
            select lookup_bounds.bounds || array[]::bigint []
            from {{ ref('int_reference__' ~ lookup ~ '_bounds') }} as lookup_bounds
        )
    )
{%- endmacro %}
