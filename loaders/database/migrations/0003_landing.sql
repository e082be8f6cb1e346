-- landing: one table per record layout, every value text, exactly as received.
-- No primary key: (file_id, line_no) is unique because a file lands in one transaction, and a
-- BRIN index keeps reading one file flat with history at no cost to COPY.

set role ratehouse_owner;

create table landing.asterisk_cdr (
    file_id bigint not null,
    line_no bigint not null,
    accountcode text,
    src text,
    dst text,
    dcontext text,
    clid text,
    channel text,
    dstchannel text,
    lastapp text,
    lastdata text,
    start_time text,
    answer_time text,
    end_time text,
    duration text,
    billsec text,
    disposition text,
    amaflags text,
    uniqueid text,
    userfield text,
    peeraccount text,
    linkedid text,
    sequence text,
    did text,
    recordingfile text,
    cnum text,
    cnam text,
    outbound_cnum text,
    outbound_cnam text,
    dst_cnam text,
    extra_columns text
);
comment on table landing.asterisk_cdr is
'Asterisk CDR lines of every variant: cdr_csv (16 to 21 columns), cdr_custom, FreePBX exports.
start_time holds start or calldate. Columns a variant lacks are null.';

create table landing.mapped_usage (
    file_id bigint not null,
    line_no bigint not null,
    record_id text,
    call_group text,
    usage_type text,
    start_time text,
    start_date text,
    start_clock text,
    answer_time text,
    end_time text,
    duration text,
    billable_duration text,
    quantity text,
    bytes_up text,
    bytes_down text,
    calling_number text,
    called_number text,
    calling_name text,
    direction text,
    disposition text,
    cause_code text,
    account_key text,
    service_key text,
    trunk text,
    lrn text,
    carrier_amount text,
    currency_code text,
    category text,
    extra_01 text,
    extra_02 text,
    extra_03 text,
    extra_04 text,
    extra_05 text,
    extra_06 text,
    extra_07 text,
    extra_08 text,
    extra_09 text,
    extra_10 text,
    extra_11 text,
    extra_12 text,
    extra_13 text,
    extra_14 text,
    extra_15 text,
    extra_16 text,
    extra_17 text,
    extra_18 text,
    extra_19 text,
    extra_20 text
);
comment on table landing.mapped_usage is
'Usage files whose columns a user assigned to meanings (the Base handler). Columns without a
meaning are kept in extra_nn in file order; control.file.columns names what stood where.';

create table landing.carrier_charge (
    file_id bigint not null,
    line_no bigint not null,
    record_id text,
    account_key text,
    service_key text,
    product_code text,
    description text,
    charge_type text,
    period_from text,
    period_to text,
    event_date text,
    quantity text,
    unit_price text,
    net_amount text,
    tax_code text,
    tax_amount text,
    gross_amount text,
    currency_code text,
    order_ref text,
    extra_01 text,
    extra_02 text,
    extra_03 text,
    extra_04 text,
    extra_05 text,
    extra_06 text,
    extra_07 text,
    extra_08 text,
    extra_09 text,
    extra_10 text
);
comment on table landing.carrier_charge is 'SDR: fixed-fee charge lines of carriers.';

create table landing.non_data_line (
    file_id bigint not null,
    line_no bigint not null,
    kind text not null check (
        kind in ('header', 'repeated_header', 'blank', 'comment', 'marker', 'trailer', 'total')
    ),
    raw_line text not null
);
comment on table landing.non_data_line is 'Lines that are not records: headers, blanks, totals.';

create table landing.quarantine (
    file_id bigint not null,
    line_no bigint not null,
    reason_code text not null,
    field_name text,
    reason text not null,
    raw_bytes bytea not null,
    raw_length bigint not null
);
comment on table landing.quarantine is
'Lines that could not be read as a record of their layout, with the reason in words. raw_bytes
holds at most the first 64 KiB; raw_length is the true length.';

do $$
declare
    table_name text;
begin
    foreach table_name in array array[
        'asterisk_cdr', 'mapped_usage', 'carrier_charge', 'non_data_line', 'quarantine'
    ]
    loop
        execute format(
            'create index %I on landing.%I using brin (file_id, line_no) '
            'with (pages_per_range = 32, autosummarize = on)',
            table_name || '_by_file', table_name
        );
        execute format(
            'create trigger %I before update or delete or truncate on landing.%I '
            'for each statement execute function control.refuse_change()',
            table_name || '_is_immutable', table_name
        );
    end loop;
end
$$;

grant select, insert on all tables in schema landing to ratehouse_loader;
grant select on all tables in schema landing to ratehouse_transformer;

reset role;
