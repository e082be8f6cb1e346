"""What stands in a pack: one query per member, each in an order that is total.

They read only what never changes after the run: files as landed, facts of the rating runs that the
billing run was made of, reference loads, approvals, events and the ledger. So a pack written years
later has the same members.
"""

from __future__ import annotations

# Versions that count when exactly these rating runs do, whatever was rated or undone since.
_USAGE = """
    select u.* from rating.rated_usage as u
    where u.rating_run_id = any(%(runs)s::bigint[]) and not exists (
        select from rating.usage_supersession as s
        where s.account_id = u.account_id and s.usage_id = u.usage_id
            and s.superseded_run_id = u.rating_run_id and s.rating_run_id = any(%(runs)s::bigint[])
    )
"""
_CHARGES = """
    select c.* from rating.rated_charge as c
    where c.rating_run_id = any(%(runs)s::bigint[]) and not exists (
        select from rating.charge_supersession as s
        where s.account_id = c.account_id and s.charge_id = c.charge_id
            and s.superseded_run_id = c.rating_run_id and s.rating_run_id = any(%(runs)s::bigint[])
    )
"""
# Usage is kept by month of its start; a period ends before the end of the next month.
_OF_PERIOD = """
    and u.period_month = %(period)s::date
    and u.started_at >= %(period)s::date - interval '1 day'
    and u.started_at < %(period)s::date + interval '62 days'
"""
_STATES = f"""
    select file_id, 'usage' as record_kind, state, coalesce(reason, '') as reason,
        count(*) as records
    from ({_USAGE} and u.file_id = any(%(files)s::bigint[]) and u.leg_no = 1) as u
    group by file_id, state, reason
    union all
    select file_id, 'charge', state, coalesce(reason, ''), count(*)
    from ({_CHARGES} and c.file_id = any(%(files)s::bigint[])) as c
    group by file_id, state, reason
"""

# Files with a record of the period.
FILES = f"""
    select distinct u.file_id from ({_USAGE} {_OF_PERIOD}) as u
    union
    select distinct c.file_id from ({_CHARGES} and c.period_month = %(period)s::date) as c
    order by 1
"""

_RUN = """
    select r.invoice_run_id, r.period_month, r.bill_group, r.round_no,
        case when r.status = 'posted' then 'posted' else 'draft' end as status,
        r.reference_cutoff, r.code_commit, r.opened_at, r.drafted_at, r.posted_at, r.rating_runs,
        r.control_totals
    from control.invoice_run as r where r.invoice_run_id = %(run_id)s
"""
_RATING_RUNS = """
    select r.rating_run_id, r.run_kind, r.requested_by, r.reason, r.reference_cutoff,
        r.code_commit, r.code_is_dirty, r.opened_at, r.closed_at, r.undoes_run_id, r.config,
        r.control_totals
    from control.rating_run as r where r.rating_run_id = any(%(runs)s::bigint[])
    order by r.rating_run_id
"""
_INPUTS = """
    select f.file_id, f.file_name, f.source_code, f.file_kind, f.layout_code, f.layout_variant,
        f.sha256, f.byte_count, f.record_count, f.data_count, f.non_data_count,
        f.quarantined_count, f.trailer_count, f.trailer_total, f.received_at,
        (
            select array_agg(t.rating_run_id order by t.rating_run_id)
            from control.rating_run_file as t
            where t.file_id = f.file_id and t.rating_run_id = any(%(runs)s::bigint[])
        ) as rating_runs
    from control.file as f where f.file_id = any(%(files)s::bigint[]) order by f.file_id
"""
_BY_STATE = f"select * from ({_STATES}) as s order by file_id, record_kind, state, reason"
_CONTROL_TOTALS = f"""
    with states as ({_STATES}),
    files as (select * from control.file where file_id = any(%(files)s::bigint[]))
    select * from (
        select 1 as part, 'files' as name, '' as detail, count(*)::numeric as value from files
        union all
        select 2, 'records received', '', coalesce(sum(record_count), 0) from files
        union all
        select 3, state, '', sum(records) from states group by state
        union all
        select 4, 'non data', '', coalesce(sum(non_data_count), 0) from files
        union all
        select 5, 'quarantined', '', coalesce(sum(quarantined_count), 0) from files
        union all
        select 6, 'not accounted for', '', (
            select coalesce(sum(record_count - non_data_count - quarantined_count), 0) from files
        ) - (select coalesce(sum(records), 0) from states)
        union all
        select 7, 'billed usage of the period', currency_code, sum(retail_amount)
        from ({_USAGE} {_OF_PERIOD} and u.state = 'billed') as u group by currency_code
        union all
        select 8, 'billed charges of the period', currency_code, sum(charge_amount)
        from ({_CHARGES} and c.period_month = %(period)s::date and c.state = 'billed') as c
        group by currency_code
        union all
        select 9, 'drafted', currency_code, sum(invoice_total) from billing.draft_invoice
        where invoice_run_id = %(run_id)s group by currency_code
        union all
        select 10, 'posted', currency_code, sum(invoice_total) from ledger.invoice
        where invoice_run_id = %(run_id)s group by currency_code
        union all
        select 11, 'carried to the next invoice', l.currency_code, sum(l.line_amount)
        from ledger.carried_line as l
        inner join ledger.posting as p on l.posting_id = p.posting_id
        where p.invoice_run_id = %(run_id)s group by l.currency_code
    ) as totals
    order by part, name, detail
"""
# What the period was billed from, by account: a fingerprint that does not depend on order.
_RECORDS = f"""
    select account_id, record_kind, currency_code, count(*) as records,
        sum(amount) as amount, sum(fingerprint) as fingerprint
    from (
        select u.account_id, 'usage' as record_kind, u.currency_code, u.retail_amount as amount,
            hashtextextended(
                concat_ws('/', u.usage_id, u.rating_run_id, u.retail_amount, u.retail_rate_id), 0
            )::numeric as fingerprint
        from ({_USAGE} {_OF_PERIOD} and u.state = 'billed') as u
        union all
        select c.account_id, 'charge', c.currency_code, c.charge_amount,
            hashtextextended(
                concat_ws('/', c.charge_id, c.rating_run_id, c.charge_amount), 0
            )::numeric
        from ({_CHARGES} and c.period_month = %(period)s::date and c.state = 'billed') as c
    ) as records
    group by account_id, record_kind, currency_code
    order by account_id, record_kind, currency_code
"""
_REFERENCE_LOADS = """
    select l.reference_load_id, l.kind, l.file_name, l.sha256, l.rows_read, l.rows_added,
        l.rows_changed, l.rows_unchanged, l.loaded_by, l.recorded_at
    from control.reference_load as l
    where l.recorded_at <= %(known_until)s::timestamptz order by l.reference_load_id
"""
# Decks that priced the period, with the rows of each as they were known.
_DECKS = f"""
    with used as (
        select deck_id, side, count(*) as records
        from (
            select u.retail_deck_id as deck_id, 'retail' as side
            from ({_USAGE} {_OF_PERIOD} and u.state = 'billed') as u
            union all
            select u.cost_deck_id, 'cost'
            from ({_USAGE} {_OF_PERIOD} and u.state = 'billed') as u
        ) as decks
        where deck_id is not null group by deck_id, side
    )
    select d.deck_code, used.side, d.deck_id, used.records, versions.rate_rows,
        versions.reference_loads, versions.fingerprint
    from used
    inner join lateral (
        select k.deck_id, k.deck_code from reference.deck_key as k where k.deck_id = used.deck_id
    ) as d on true
    left join lateral (
        select count(*) as rate_rows,
            array_agg(distinct r.reference_load_id order by r.reference_load_id)
                as reference_loads,
            sum(hashtextextended(
                concat_ws(
                    '/', r.rate_id, r.prefix, r.jurisdiction, r.price_per_minute,
                    r.connection_fee, r.price_per_call, r.price_per_unit, r.status, r.valid_from,
                    r.valid_to
                ), 0
            )::numeric) as fingerprint
        from reference.rate as r
        where r.deck_code = d.deck_code and r.recorded_from <= %(known_until)s::timestamptz
            and r.recorded_to > %(known_until)s::timestamptz
    ) as versions on true
    order by d.deck_code, used.side
"""
_APPROVALS = """
    select a.approval_id, a.approved_by, a.approved_at, a.reason, a.content_checksum,
        a.control_totals, a.overrides, a.approval_id = r.approval_id as is_in_force
    from control.invoice_approval as a
    inner join control.invoice_run as r on a.invoice_run_id = r.invoice_run_id
    where a.invoice_run_id = %(run_id)s order by a.approval_id
"""
_GATES = """
    select a.approval_id, gate ->> 'gate_code' as gate_code, gate ->> 'title' as title,
        gate ->> 'gate_status' as gate_status, gate ->> 'figures' as figures,
        a.overrides ->> (gate ->> 'gate_code') as override_reason
    from control.invoice_approval as a
    cross join lateral jsonb_array_elements(a.gates) with ordinality as g (gate, place)
    where a.invoice_run_id = %(run_id)s order by a.approval_id, g.place
"""
_EVENTS = """
    select e.event_id, e.event, e.actor, e.occurred_at, e.detail
    from control.event as e
    where e.subject = 'invoice_run' and e.subject_id = %(run_id)s order by e.event_id
"""
_POSTING = "select p.* from ledger.posting as p where p.invoice_run_id = %(run_id)s"
_INVOICES = """
    select i.invoice_label, i.invoice_kind, i.account_code, i.account_id, i.invoice_id,
        i.period_month, i.currency_code, i.line_count, i.invoice_total, i.adjusts_invoice_id,
        i.invoice_date, i.posted_at, i.posted_by, md5(to_jsonb(i)::text) as row_checksum,
        (
            select md5(string_agg(md5(to_jsonb(l)::text), '' order by l.line_no))
            from ledger.invoice_line as l
            where l.account_id = i.account_id and l.invoice_id = i.invoice_id
        ) as lines_checksum
    from ledger.invoice as i where i.invoice_run_id = %(run_id)s
    order by i.sequence_code, i.invoice_number
"""
_LINES = """
    select i.invoice_label, l.line_no, l.line_kind, l.charge_class, l.period_month,
        l.line_amount, l.currency_code, md5(to_jsonb(l)::text) as row_checksum
    from ledger.invoice as i
    inner join ledger.invoice_line as l
        on i.account_id = l.account_id and i.invoice_id = l.invoice_id
    where i.invoice_run_id = %(run_id)s
    order by i.sequence_code, i.invoice_number, l.line_no
"""
_CARRIED = """
    select l.carried_line_id, l.account_id, l.period_month, l.line_kind, l.charge_class,
        l.line_amount, l.currency_code, md5(to_jsonb(l)::text) as row_checksum
    from ledger.carried_line as l
    inner join ledger.posting as p on l.posting_id = p.posting_id
    where p.invoice_run_id = %(run_id)s order by l.carried_line_id
"""
_DRAFT = """
    select k.account_code, d.account_id, d.period_month, d.currency_code, d.line_count,
        d.invoice_total, d.hold_reason, md5(to_jsonb(d)::text) as row_checksum,
        (
            select md5(string_agg(md5(to_jsonb(l)::text), '' order by l.line_no))
            from billing.draft_invoice_line as l
            where l.invoice_run_id = d.invoice_run_id and l.account_id = d.account_id
                and l.currency_code = d.currency_code
        ) as lines_checksum
    from billing.draft_invoice as d
    inner join reference.account_key as k on d.account_id = k.account_id
    where d.invoice_run_id = %(run_id)s order by k.account_code, d.currency_code
"""

# Name of the member, what it is, its query.
MEMBERS: tuple[tuple[str, str, str], ...] = (
    ("run.csv", "the billing run", _RUN),
    ("rating_runs.csv", "rating runs it was made of, with their code", _RATING_RUNS),
    ("inputs.csv", "files with records of the period, as they arrived", _INPUTS),
    ("states.csv", "where every record of those files ended", _BY_STATE),
    ("control_totals.csv", "the balance and the money", _CONTROL_TOTALS),
    ("records.csv", "what was billed, by account", _RECORDS),
    ("reference_loads.csv", "reference files known by then", _REFERENCE_LOADS),
    ("decks.csv", "decks that priced it, as they were known", _DECKS),
    ("gates.csv", "gates of each approval, with overrides", _GATES),
    ("approvals.csv", "approvals", _APPROVALS),
    ("events.csv", "who did what to the run", _EVENTS),
    ("draft.csv", "drafts, with checksums", _DRAFT),
    ("posting.csv", "the posting", _POSTING),
    ("invoices.csv", "posted documents, with checksums", _INVOICES),
    ("invoice_lines.csv", "their lines, with checksums", _LINES),
    ("carried_lines.csv", "differences for the next invoice, with checksums", _CARRIED),
)
