-- Grain: one row per item of what is known of a line as such: its file, and its text as received or
-- why it is no record. See rpt_explain__record.
with landed as (
    {{ landed_rows(usage_layouts() + charge_layouts()) }}
),

quarantined as (
    select * from {{ source('landing', 'quarantine') }}
),

other_lines as (
    select * from {{ source('landing', 'non_data_line') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

lines as (
    select
        landed.file_id,
        landed.line_no,
        landed.landed_row,
        null::text as outcome,
        null::text as field_name,
        null::text as line_text
    from landed
    union all
    select
        quarantined.file_id,
        quarantined.line_no,
        null as landed_row,
        concat('It could not be read: ', quarantined.reason, ' (', quarantined.reason_code, ')')
            as outcome,
        quarantined.field_name,
        encode(quarantined.raw_bytes, 'escape') as line_text
    from quarantined
    union all
    select
        other_lines.file_id,
        other_lines.line_no,
        null as landed_row,
        'No record but a line of the kind ' || replace(other_lines.kind, '_', ' ') as outcome,
        null as field_name,
        other_lines.raw_line as line_text
    from other_lines
)

select
    lines.file_id,
    lines.line_no,
    items.section_no,
    items.section,
    items.item_no,
    items.item,
    items.value
from lines
inner join files on lines.file_id = files.file_id
cross join
    lateral (
        values
        (10, 'File', 1, 'file', concat(
            files.file_name, ' (file ', files.file_id, '), line ', lines.line_no
        )),
        (10, 'File', 2, 'source', files.source_code),
        (10, 'File', 3, 'layout', concat_ws(' ', files.layout_code, files.layout_variant)),
        (10, 'File', 4, 'status', concat_ws(': ', files.status, files.status_reason)),
        (10, 'File', 5, 'received', {{ instant_in_words('files.received_at') }}),
        (10, 'File', 6, 'sha256', files.sha256),
        (20, 'As received', 1, 'what it is', lines.outcome),
        (20, 'As received', 2, 'field', lines.field_name),
        (20, 'As received', 3, 'line', coalesce(lines.line_text, (
            select rtrim(string_agg(coalesce(fields.value, ''), ',' order by fields.position), ',')
            from json_each_text(lines.landed_row) with ordinality as fields (name, value, position)
            where fields.name not in ('file_id', 'line_no')
        )))
        union all
        select
            20 as section_no,
            'As received' as section,
            3 + fields.position::integer as item_no,
            fields.name as item,
            nullif(fields.value, '') as value
        from json_each_text(lines.landed_row) with ordinality as fields (name, value, position)
        where fields.name not in ('file_id', 'line_no')
    ) as items (section_no, section, item_no, item, value)
where items.value is not null
