-- Grain: one row per charge line of the current run, with the service that owned its number,
-- circuit or key on the first day of the charge. Ordered keys, first hit wins, the hit is recorded.
with charges as (
    select * from {{ ref('int_charge__normalised') }}
),

repeats as (
    select * from {{ ref('int_charge__repeats') }}
),

numbers as (
    select * from {{ ref('int_reference__service_numbers') }}
),

pattern_pieces as (
    select * from {{ ref('int_reference__service_pattern_pieces') }}
    where payload_id is not null
),

keys as (
    select * from {{ ref('int_reference__service_keys') }}
),

instants as (
    select
        charges.*,
        repeats.original_charge_id,
        charges.period_from::timestamp at time zone 'UTC' as charged_at
    from charges
    left join repeats
        on
            charges.file_id = repeats.file_id
            and charges.line_no = repeats.line_no
),

hits as (
    select
        instants.file_id,
        instants.line_no,
        1 as hit_order,
        'number' as match_method,
        numbers.service_id
    from instants
    inner join numbers
        on
            instants.service_number = numbers.number
            and instants.charged_at >= numbers.valid_from
            and instants.charged_at < numbers.valid_to
    union all
    select
        instants.file_id,
        instants.line_no,
        2 as hit_order,
        'pattern' as match_method,
        pattern_pieces.payload_id as service_id
    from instants
    cross join (values (1), (2)) as sides (side)
    inner join pattern_pieces
        on
            {{ interval_of('service_pattern', 'sides.side', 'instants.service_number') }}
            = pattern_pieces.interval_no
            and instants.charged_at >= pattern_pieces.valid_from
            and instants.charged_at < pattern_pieces.valid_to
            and instants.service_number >= pattern_pieces.from_number
            and instants.service_number < pattern_pieces.to_number
    union all
    select
        instants.file_id,
        instants.line_no,
        case
            when keys.identifier_kind = 'circuit' then 3
            when keys.account_key = instants.service_key then 4
            else 5
        end as hit_order,
        keys.identifier_kind as match_method,
        keys.service_id
    from instants
    inner join keys
        on
            keys.account_key in (instants.service_key, instants.account_key)
            and (
                keys.identifier_kind = 'account_key'
                or instants.service_key = keys.account_key
            )
            and instants.charged_at >= keys.valid_from
            and instants.charged_at < keys.valid_to
),

best as (
    select distinct on (hits.file_id, hits.line_no)
        hits.file_id,
        hits.line_no,
        hits.match_method,
        hits.service_id
    from hits
    order by hits.file_id, hits.line_no, hits.hit_order, hits.service_id
)

select
    instants.*,
    best.service_id,
    best.match_method
from instants
left join best
    on
        instants.file_id = best.file_id
        and instants.line_no = best.line_no
