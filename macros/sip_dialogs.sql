{% macro sip_dialog(event, own_file) -%}
    {#- What is known of the call an accounting event belongs to, from all events received of it, in
        whatever file: events with its Call-ID and both tags, which a request from the other side
        carries the other way round. A CANCEL has no tag of the other side yet. One index look-up
        per event, so its cost does not grow with history. -#}
    (
        select
            bool_or(upper(other.method) = 'INVITE' and other.sip_code ~ '^2') as is_set_up,
            bool_or(upper(other.method) = 'INVITE') as has_invite,
            bool_or(upper(other.method) = 'ACK' and coalesce(other.sip_code, '2') ~ '^2')
                as is_confirmed,
            min({{ clock_number('other.event_time') }}) filter (
                where upper(other.method) = 'INVITE' and other.sip_code ~ '^2'
            ) as set_up_at,
            min({{ clock_number('other.event_time') }}) filter (where upper(other.method) = 'ACK')
                as confirmed_at,
            min(other.event_time) filter (where upper(other.method) = 'ACK') as confirmed_raw,
            min({{ clock_number('other.event_time') }}) filter (where upper(other.method) = 'BYE')
                as ended_at,
            min(other.event_time) filter (where upper(other.method) = 'BYE') as ended_raw
        from {{ source('landing', 'sip_accounting') }} as other
        inner join {{ source('control', 'file') }} as other_file
            on
                other.file_id = other_file.file_id
                and {{ counts_for_pairing('other_file', own_file) }}
        where
            other.callid = {{ event }}.callid
            and (
                (
                    coalesce(other.from_tag, '') = coalesce({{ event }}.from_tag, '')
                    and coalesce(other.to_tag, '') = coalesce({{ event }}.to_tag, '')
                )
                or (
                    coalesce(other.from_tag, '') = coalesce({{ event }}.to_tag, '')
                    and coalesce(other.to_tag, '') = coalesce({{ event }}.from_tag, '')
                )
                or (upper({{ event }}.method) = 'CANCEL' and other.from_tag = {{ event }}.from_tag)
            )
    )
{%- endmacro %}
