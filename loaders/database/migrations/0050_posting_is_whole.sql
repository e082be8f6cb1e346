-- ledger.check_posting as it works: a row of two columns is compared with two columns. Totals have
-- as many decimals as their currency.

set role ratehouse_owner;

alter table ledger.invoice alter column invoice_total type numeric(18, 4);

create or replace function ledger.check_posting() returns trigger
language plpgsql as $$
declare
    invoices integer;
    line_count integer;
    carried integer;
    unequal integer;
begin
    select count(*), coalesce(sum(i.line_count), 0) into invoices, line_count
    from ledger.invoice as i where i.posting_id = new.posting_id;
    select count(*) into carried
    from ledger.carried_line as c where c.posting_id = new.posting_id;
    select count(*) into unequal
    from ledger.invoice as i
    left join lateral (
        select count(*) as lines, sum(l.line_amount) as amount
        from ledger.invoice_line as l
        where l.account_id = i.account_id and l.invoice_id = i.invoice_id
            and l.currency_code = i.currency_code
    ) as found on true
    where i.posting_id = new.posting_id
        and (i.line_count <> found.lines or i.invoice_total is distinct from found.amount);
    if (invoices, line_count, carried) <> (new.invoice_count, new.line_count, new.carried_count)
        or unequal > 0
    then
        raise exception 'posting % is not whole: % invoice(s), % line(s), % carried line(s), % of '
            'them with another total than their lines', new.posting_id, invoices, line_count,
            carried, unequal using errcode = 'check_violation';
    end if;
    -- Numbers begin at 1 and only go up: as many as the last one says means none is missing.
    select count(*) into unequal
    from ledger.number_sequence as s
    cross join lateral (
        select count(*) as numbers, max(n.invoice_number) as highest
        from ledger.issued_number as n where n.sequence_code = s.sequence_code
    ) as given
    where (s.last_number <> given.numbers or s.last_number is distinct from given.highest)
        and exists (
            select from ledger.invoice as i
            where i.posting_id = new.posting_id and i.sequence_code = s.sequence_code
        );
    if unequal > 0 then
        raise exception 'posting % would leave a gap in the invoice numbers', new.posting_id
            using errcode = 'check_violation';
    end if;
    return null;
end
$$;

reset role;
