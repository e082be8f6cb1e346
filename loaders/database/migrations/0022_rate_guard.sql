-- Rates are guarded set by set. The exclusion constraint compared row by row in a GiST index of
-- three ranges: a list of 196,784 codes with three prices each took a minute to insert. One look-up
-- per statement, in a plain index, refuses the same: two rows of a code that hold at one instant,
-- as known at one instant.

set role ratehouse_owner;

alter table reference.rate drop constraint rate_is_unambiguous;
create index rate_key on reference.rate (deck_code, prefix, jurisdiction);

create function reference.refuse_ambiguous_rates() returns trigger
language plpgsql
security definer
set search_path = pg_catalog
as $$
declare
    ambiguous record;
begin
    -- Two transactions may not each miss the rows of the other.
    lock table reference.rate in share row exclusive mode;
    select n.deck_code, n.prefix, n.jurisdiction, n.valid_during, r.valid_during as other
    into ambiguous
    from added as n
    inner join reference.rate as r
        on
            r.deck_code = n.deck_code
            and r.prefix = n.prefix
            and r.jurisdiction = n.jurisdiction
    where
        r.rate_id <> n.rate_id
        and r.valid_during && n.valid_during
        and r.recorded_during && n.recorded_during
    limit 1;
    if found then
        raise exclusion_violation using
            message = 'two rates of one code hold at the same time',
            detail = format(
                'Deck %s, code %s (%s): %s and %s.', ambiguous.deck_code, ambiguous.prefix,
                ambiguous.jurisdiction, ambiguous.valid_during, ambiguous.other
            ),
            constraint = 'rate_is_unambiguous', table = 'rate', schema = 'reference';
    end if;
    return null;
end
$$;

create trigger rate_is_unambiguous after insert on reference.rate
referencing new table as added
for each statement execute function reference.refuse_ambiguous_rates();

reset role;
