{#- RADIUS accounting in both of its files: blocks of attributes and CSV rows. An access server
    tells of a session when it starts, at intervals and when it stops; the counters are cumulative,
    so the last record carries the session. docs/layouts/radius.md -#}
{% macro radius_events(layout) -%}
    {#- The events of a layout in common columns. session_id is written as the index of the landing
        table has it, so that look-ups by it find the index. -#}
    {%- set columns = _radius_columns(layout) -%}
    (
        select
            landed.*,
            {{ columns.session_id }} as session_id,
            {{ columns.server }} as server,
            {{ columns.user_name }} as user_name,
            {{ columns.station }} as calling_station,
            {{ columns.called }} as called_station,
            {{ columns.port }} as server_port,
            {{ columns.cause }} as ended_because,
            {{ columns.realm }} as user_realm,
            {{ columns.table_start }} as table_start,
            {{ columns.table_stop }} as table_stop,
            case lower(btrim({{ columns.status }}))
                when 'start' then 'start'
                when '1' then 'start'
                when 'stop' then 'stop'
                when '2' then 'stop'
                when 'interim-update' then 'interim'
                when 'interim' then 'interim'
                when 'alive' then 'interim'
                when '3' then 'interim'
                when null then null
                else case when {{ columns.status }} <> '' then 'server' end
            end as event_kind,
            case
                when {{ columns.event_time }} ~ '^[0-9]{9,10}$'
                    then ({{ columns.event_time }})::numeric
                when {{ columns.received_time }} ~ '^[0-9]{9,10}$'
                    then ({{ columns.received_time }})::numeric
                        - {{ _radius_number(columns.delay) }}
            end as event_at,
            case
                when pg_input_is_valid({{ columns.local_time }}, 'timestamp')
                    then extract(epoch from ({{ columns.local_time }})::timestamp)
                        - {{ columns.local_delay }}
            end as local_event_at,
            {{ _radius_number(columns.seconds, 'null') }} as session_seconds,
            {{ _radius_number(columns.input, 'null') }}
            + {{ _radius_number(columns.input_gigawords) }} * 4294967296 as bytes_up,
            {{ _radius_number(columns.output, 'null') }}
            + {{ _radius_number(columns.output_gigawords) }} * 4294967296 as bytes_down
        from {{ source('landing', layout) }} as landed
    )
{%- endmacro %}

{% macro _radius_number(text, absent='0') -%}
    case when {{ text }} ~ '^[0-9]{1,20}$' then ({{ text }})::numeric else {{ absent }} end
{%- endmacro %}

{% macro _radius_columns(layout) -%}
    {%- if layout == 'radius_detail' -%}
        {%- set columns = {} -%}
        {%- for name, attribute in {
            'session_id': 'Acct-Session-Id', 'user_name': 'User-Name',
            'station': 'Calling-Station-Id', 'called': 'Called-Station-Id',
            'cause': 'Acct-Terminate-Cause', 'realm': 'Realm', 'status': 'Acct-Status-Type',
            'event_time': 'Event-Timestamp', 'received_time': 'Timestamp',
            'delay': 'Acct-Delay-Time', 'seconds': 'Acct-Session-Time',
            'input': 'Acct-Input-Octets', 'input_gigawords': 'Acct-Input-Gigawords',
            'output': 'Acct-Output-Octets', 'output_gigawords': 'Acct-Output-Gigawords'
        }.items() -%}
            {%- do columns.update({name: "(landed.attributes::jsonb ->> '" ~ attribute ~ "')"}) -%}
        {%- endfor -%}
        {%- do columns.update({
            'server': "coalesce(landed.attributes::jsonb ->> 'NAS-IP-Address',"
                " landed.attributes::jsonb ->> 'NAS-IPv6-Address',"
                " landed.attributes::jsonb ->> 'NAS-Identifier')",
            'port': "coalesce(landed.attributes::jsonb ->> 'NAS-Port-Id',"
                " landed.attributes::jsonb ->> 'NAS-Port')",
            'local_time': 'landed.received_line',
            'local_delay': _radius_number(columns.delay),
            'table_start': 'null::text',
            'table_stop': 'null::text',
        }) -%}
    {%- else -%}
        {%- set columns = {} -%}
        {%- for name, column in {
            'user_name': 'username', 'station': 'callingstationid', 'called': 'calledstationid',
            'cause': 'acctterminatecause', 'realm': 'realm', 'status': 'acctstatustype',
            'event_time': 'eventtimestamp', 'received_time': 'receipttimestamp',
            'delay': 'acctdelaytime', 'seconds': 'acctsessiontime', 'input': 'acctinputoctets',
            'input_gigawords': 'acctinputgigawords', 'output': 'acctoutputoctets',
            'output_gigawords': 'acctoutputgigawords', 'port': 'nasportid',
            'table_start': 'acctstarttime', 'table_stop': 'acctstoptime'
        }.items() -%}
            {%- do columns.update({name: _radius_text('landed.' ~ column)}) -%}
        {%- endfor -%}
        {%- do columns.update({
            'session_id': 'landed.acctsessionid',
            'server': 'coalesce(' ~ _radius_text('landed.nasipaddress') ~ ', '
                ~ _radius_text('landed.nasidentifier') ~ ')',
            'local_time': 'coalesce(' ~ _radius_text('landed.eventtimestamp') ~ ', '
                ~ _radius_text('landed.receipttimestamp') ~ ')',
            'local_delay': '0',
        }) -%}
    {%- endif -%}
    {{ return(columns) }}
{%- endmacro %}

{% macro _radius_text(column) -%}
    {#- Exports of the table write NULL, \N or a zero date for nothing. -#}
    nullif(nullif(nullif(nullif(btrim({{ column }}), ''), 'NULL'), '\N'), '0000-00-00 00:00:00')
{%- endmacro %}

{% macro radius_usage(layout) -%}
    {#- The staging model of a RADIUS layout. -#}
with files as (
    select * from {{ source('control', 'file') }}
),

sessions as (
    select
        events.*,
        files.source_code,
        coalesce(events.event_at, events.local_event_at) as moment,
        -- only then is the instant known whatever the zone of the source
        events.event_at is not null as is_instant
    from {{ radius_events(layout) }} as events
    left join files on events.file_id = files.file_id
),

judged as (
    select
        sessions.*,
        -- a stop without its length: from the start that was received
        case
            when sessions.session_seconds is not null then sessions.session_seconds
            when sessions.event_kind = 'stop' then (
                select min(sessions.moment - began.moment)
                from {{ _radius_others(layout, 'sessions') }} as began
                where began.event_kind = 'start' and began.moment <= sessions.moment
            )
        end as length_seconds,
        case
            when sessions.event_kind in ('start', 'interim') then exists (
                select 1
                from {{ _radius_others(layout, 'sessions') }} as later
                where
                    -- ids are used again after a restart: the later record's session must have
                    -- begun before this record
                    later.moment - coalesce(later.session_seconds, 0) <= sessions.moment + 60
                    and (
                        (later.event_kind = 'stop' and later.moment >= sessions.moment - 60)
                        or (
                            later.event_kind = 'interim'
                            and (
                                sessions.event_kind = 'start'
                                or (later.moment, later.session_seconds)
                                > (sessions.moment, sessions.session_seconds)
                            )
                        )
                    )
            )
        end as is_replaced
    from sessions
),

timed as (
    select
        judged.*,
        case
            when judged.event_kind is null then judged.table_start
            else {{ _radius_time(
                'judged.moment - case when judged.event_kind = \'start\' then 0'
                ' else coalesce(judged.length_seconds, 0) end',
                'judged.is_instant'
            ) }}
        end as start_text,
        case
            when judged.event_kind is null then judged.table_stop
            when judged.event_kind = 'stop'
                then {{ _radius_time('judged.moment', 'judged.is_instant') }}
        end as end_text
    from judged
)

select
    timed.file_id,
    timed.line_no,
    case when timed.event_kind = 'server' then 'other' else 'data' end as usage_type,
    {{ _radius_key('timed') }} as record_id,
    concat_ws('|', timed.server, timed.session_id) as call_group_id,
    timed.start_text as start_raw,
    timed.end_text as end_raw,
    coalesce(
        timed.length_seconds::text,
        case
            when timed.event_kind is null
                then {{ seconds_between('timed.table_start', 'timed.table_stop') }}
        end
    ) as duration_raw,
    coalesce(
        timed.length_seconds::text,
        case
            when timed.event_kind is null
                then {{ seconds_between('timed.table_start', 'timed.table_stop') }}
        end
    ) as billable_raw,
    timed.bytes_up::text as bytes_up_raw,
    timed.bytes_down::text as bytes_down_raw,
    timed.calling_station as calling_raw,
    timed.called_station as called_raw,
    timed.ended_because as cause_text,
    timed.user_realm as account_key,
    timed.user_name as service_key_1,
    timed.calling_station as service_key_2,
    timed.server as trunk,
    timed.server_port as route,
    case
        when timed.event_kind in ('start', 'interim')
            then case when timed.is_replaced then 'interim_record' else 'open_session' end
        when timed.event_kind = 'server' then 'server_event'
        when timed.event_kind is null and timed.table_stop is null then 'in_progress'
    end as set_aside_rule,
    {{ record_key_hash('timed', layout, _radius_key('timed')) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'end_raw', 'duration_raw',
        'billable_raw', 'bytes_up_raw', 'bytes_down_raw', 'calling_raw', 'called_raw', 'cause_text',
        'account_key', 'service_key_1', 'service_key_2', 'trunk', 'route', 'set_aside_rule'
    ]) }}
from timed
{%- endmacro %}

{% macro _radius_others(layout, event) -%}
    {#- All events of the session that were received, in whatever file: one index look-up. -#}
    (
        select
            other.event_kind,
            other.session_seconds,
            coalesce(other.event_at, other.local_event_at) as moment
        from {{ radius_events(layout) }} as other
        inner join {{ source('control', 'file') }} as other_file
            on
                other.file_id = other_file.file_id
                and {{ counts_for_pairing('other_file', event) }}
        where
            other.session_id = {{ event }}.session_id
            and other.server is not distinct from {{ event }}.server
            and other.user_name is not distinct from {{ event }}.user_name
    )
{%- endmacro %}

{% macro _radius_time(number, is_instant) -%}
    to_char(to_timestamp({{ number }}) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
            || case when {{ is_instant }} then '+00' else '' end
{%- endmacro %}

{% macro _radius_key(event) -%}
    {#- Access server and session id name the session; what only tells of it on the way says which
        telling it is. A session still in the table under way is not yet the session. -#}
    case
        when {{ event }}.event_kind = 'stop' or {{ event }}.table_stop is not null
            then concat_ws('|', {{ event }}.server, {{ event }}.session_id)
        when {{ event }}.event_kind in ('start', 'interim')
            then concat_ws(
                '|', {{ event }}.server, {{ event }}.session_id, {{ event }}.event_kind,
                {{ event }}.session_seconds, {{ event }}.bytes_up, {{ event }}.bytes_down
            )
    end
{%- endmacro %}
