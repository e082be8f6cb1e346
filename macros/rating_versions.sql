{#- Which version of the rating models rates which billing periods: reference.rating_version pins
    months, all others are rated by the newest. A run that meets one version only reads that one. -#}
{% macro rating_versions() -%}
    {{ return([1, 2]) }}
{%- endmacro %}

{% macro rating_versions_of_run() -%}
    {#- The versions that the current run's usage may need. Periods are worked out later: the days
        of the run say which they can be, give or take a day for zones and a month where accounts
        have anchor days. A dry run is compiled before it is known; there all are (see
        int_rating__priced_by_period). Asked without ref and source: unit tests would have to give both. -#}
    {%- if is_dry() -%}
        {{ return(rating_versions()) }}
    {%- endif -%}
    {#- a re-rating may name the version for all its records -#}
    {%- set only = current_run()['config'].get('rating_version') -%}
    {%- if only -%}{{ return([only]) }}{%- endif -%}
    {%- set newest = rating_versions() | last -%}
    {%- if
        not execute or flags.WHICH not in ('build', 'run')
        or not run_query('select exists (select from reference.rating_version)').rows[0][0]
    -%}
        {{ return([newest]) }}
    {%- endif -%}
    {%- set usage = api.Relation.create(
        database=target.database,
        schema=generate_schema_name('usage', none) | trim,
        identifier='int_usage__normalised'
    ) -%}
    {%- set needed = run_query(
        "select distinct coalesce(pin.rating_version, " ~ newest ~ ")"
        ~ " from (select min(started_at) at time zone 'UTC' - interval '1 day' - case"
        ~ "   when exists (select from reference.account where anchor_day > 1)"
        ~ "   then interval '1 month' else interval '0' end as first_at,"
        ~ "   max(started_at + case when exists ("
        ~ "     select from reference.account where call_period = 'end'"
        ~ "   ) then make_interval(secs => coalesce(duration_seconds, 0)::double precision)"
        ~ "   else interval '0' end) at time zone 'UTC' + interval '1 day' as last_at"
        ~ "   from " ~ usage ~ ") as days"
        ~ " cross join lateral generate_series("
        ~ "   date_trunc('month', days.first_at), days.last_at, interval '1 month') as months (month)"
        ~ " left join reference.rating_version as pin"
        ~ "   on months.month at time zone 'UTC' >= pin.valid_from"
        ~ "   and months.month at time zone 'UTC' < pin.valid_to"
        ~ "   and " ~ known_at_cutoff('pin')
        ~ " order by 1"
    ).rows | map(attribute=0) | list -%}
    {{ return(needed or [newest]) }}
{%- endmacro %}

{% macro legs_of_version(legs, rating_version) -%}
    {#- The rows of a relation of legs whose billing period a version rates. -#}
    {%- if rating_versions_of_run() | length == 1 -%}
    select * from {{ legs }}
    {%- else -%}
    select legs.*
    from {{ legs }} as legs
    left join {{ source('reference', 'rating_version') }} as pins
        on
            {{ utc_day(period_month('legs.period_at', 'legs.account_zone', 'legs.anchor_day')) }}
            >= pins.valid_from
            and {{ utc_day(
                period_month('legs.period_at', 'legs.account_zone', 'legs.anchor_day')
            ) }} < pins.valid_to
            and {{ known_at_cutoff('pins') }}
    where coalesce(
        {%- if is_dry() %}nullif('DRY RUN ONLY VERSION', '')::smallint, {% endif -%}
        pins.rating_version, {{ rating_versions() | last }}
    ) = {{ rating_version }}
    {%- endif -%}
{%- endmacro %}
