-- Grain: one row per landed line of a PBXware cdr table export.
-- Direction comes from trunk and did; an older export has neither column and leaves it to the
-- source. A leg with neither never left the system (conference, feature code, extension to
-- extension) and is not billed, whatever its billsec.
with cdr_lines as (
    select * from {{ source('landing', 'pbxware') }}
),

cleaned as (
    select
        cdr_lines.*,
        cdr_lines.linkedid is null and cdr_lines.sequence is null as is_old_table,
        coalesce(
            cdr_lines.dcontext = 'dynamic-meetme' or cdr_lines.lastapp = 'ConfBridge', false
        ) as is_conference,
        {{ landed_text('cdr_lines.tenant', ['NULL']) }} as tenant_text,
        {{ landed_text('cdr_lines.accountcode', ['NULL']) }} as accountcode_text,
        {{ landed_text('cdr_lines.trunk', ['NULL']) }} as trunk_text,
        {{ landed_text('cdr_lines.did', ['NULL']) }} as did_text,
        {{ landed_text('cdr_lines.dst', ['NULL']) }} as dst_text,
        {{ landed_text('cdr_lines.billsec', ['NULL']) }} as billsec_text,
        {{ landed_text('cdr_lines.duration', ['NULL']) }} as duration_text,
        {{ landed_text("replace(cdr_lines.clid, '\"', '')", ['NULL']) }} as clid_text,
        upper({{ landed_text('cdr_lines.disposition', ['NULL']) }}) as disposition_text,
        coalesce(
            {{ landed_text('cdr_lines.src', ['NULL']) }},
            substring(replace(cdr_lines.clid, '"', '') from '<([^<>]*)>')
        ) as src_text
    from cdr_lines
)

select
    cleaned.file_id,
    cleaned.line_no,
    'voice' as usage_type,
    {{ landed_text('cleaned.acct_id', ['NULL']) }} as record_id,
    {{ landed_text('cleaned.linkedid', ['NULL']) }} as call_group_id,
    {{ landed_text('cleaned.calldate', ['NULL']) }} as start_raw,
    case
        when cleaned.disposition_text = 'ANSWERED'
            then {{ shifted_time(
                'cleaned.calldate',
                whole_difference('cleaned.duration_text', 'cleaned.billsec_text')
            ) }}
    end as answer_raw,
    cleaned.duration_text as duration_raw,
    case when cleaned.disposition_text = 'ANSWERED' then cleaned.billsec_text else '0' end
        as billable_raw,
    cleaned.src_text as calling_raw,
    -- In a conference dst is the room; only a leg that dials out names a number, in its arguments.
    case
        when cleaned.is_conference
            then substring(cleaned.lastdata from '^[A-Za-z0-9]+/([+]?[0-9]{7,15})@')
        else cleaned.dst_text
    end as called_raw,
    cleaned.dst_text as dialled_raw,
    nullif(btrim(regexp_replace(cleaned.clid_text, '<[^<>]*>', '')), '') as calling_name,
    case
        when cleaned.is_old_table then null
        when cleaned.trunk_text is not null and cleaned.src_text ~ '^[0-9]{1,6}$'
            then 'outbound'
        when cleaned.did_text is not null then 'inbound'
        when cleaned.trunk_text is not null then 'outbound'
        else 'internal'
    end as direction,
    cleaned.disposition_text as disposition_raw,
    concat_ws('-', cleaned.tenant_text, cleaned.accountcode_text) as account_key,
    case
        when cleaned.did_text is not null then cleaned.did_text
        when cleaned.src_text ~ '^[0-9]{1,6}$' then cleaned.src_text
        when cleaned.dst_text ~ '^[0-9]{1,6}$' then cleaned.dst_text
    end as service_key_1,
    cleaned.trunk_text as trunk,
    case
        when cleaned.is_old_table then null
        when cleaned.trunk_text is null and cleaned.did_text is null then 'leg_without_trunk'
        -- the trunk of the call, on a leg to a local channel
        when cleaned.is_conference and cleaned.dstchannel like 'Local/%' then 'leg_without_trunk'
    end as set_aside_rule,
    {{ record_key_hash('cleaned', 'pbxware', landed_text('cleaned.acct_id', ['NULL'])) }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'duration_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw', 'calling_name', 'direction',
        'disposition_raw', 'account_key', 'service_key_1', 'trunk', 'set_aside_rule',
    ]) }}
from cleaned
