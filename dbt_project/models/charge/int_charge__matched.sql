-- Grain: one row per charge line of the current run, with the service that owned its circuit,
-- number or key on the first day of the charge. Ordered keys, first hit wins, the hit is recorded;
-- two services found by keys of one order are no hit. Where nobody owns them, the service that last
-- did is named.
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
        coalesce(charges.from_instant, charges.period_from::timestamp at time zone 'UTC')
            as charged_at
    from charges
    left join repeats
        on
            charges.file_id = repeats.file_id
            and charges.line_no = repeats.line_no
),

-- owners until now, the present one among them
owners as (
    select
        instants.file_id,
        instants.line_no,
        instants.charged_at,
        2 as hit_order,
        'number' as match_method,
        numbers.service_id,
        numbers.valid_to
    from instants
    inner join numbers
        on
            instants.service_number = numbers.number
            and instants.charged_at >= numbers.valid_from
    union all
    select
        instants.file_id,
        instants.line_no,
        instants.charged_at,
        3 as hit_order,
        'pattern' as match_method,
        pattern_pieces.payload_id as service_id,
        pattern_pieces.valid_to
    from instants
    cross join (values (1), (2)) as sides (side)
    inner join pattern_pieces
        on
            {{ interval_of('service_pattern', 'sides.side', 'instants.service_number') }}
            = pattern_pieces.interval_no
            and instants.charged_at >= pattern_pieces.valid_from
            and instants.service_number >= pattern_pieces.from_number
            and instants.service_number < pattern_pieces.to_number
    union all
    select
        instants.file_id,
        instants.line_no,
        instants.charged_at,
        candidates.hit_order,
        keys.identifier_kind as match_method,
        keys.service_id,
        keys.valid_to
    from instants
    cross join
        lateral unnest(
            array[1, 4, 5, 6, 7],
            array['circuit', 'account_product', 'account_key', 'account_key', 'customer_reference'],
            array[
                instants.service_key,
                instants.account_key || '/' || instants.product_code,
                instants.service_key,
                instants.account_key,
                instants.order_ref
            ]
        ) as candidates (hit_order, identifier_kind, identifier_value)
    inner join keys
        on
            candidates.identifier_kind = keys.identifier_kind
            and candidates.identifier_value = keys.account_key
            and instants.charged_at >= keys.valid_from
),

ranked as (
    select
        owners.*,
        min(owners.hit_order) over (partition by owners.file_id, owners.line_no) as best_order
    from owners
    where owners.charged_at < owners.valid_to
),

best as (
    select
        ranked.file_id,
        ranked.line_no,
        min(ranked.match_method) as match_method,
        case when count(distinct ranked.service_id) = 1 then min(ranked.service_id) end
            as service_id
    from ranked
    where ranked.hit_order = ranked.best_order
    group by ranked.file_id, ranked.line_no
),

ceased as (
    select distinct on (owners.file_id, owners.line_no)
        owners.file_id,
        owners.line_no,
        owners.service_id
    from owners
    order by
        owners.file_id asc, owners.line_no asc, owners.valid_to desc, owners.service_id asc
)

select
    instants.*,
    best.service_id,
    best.match_method,
    best.match_method is not null and best.service_id is null as is_ambiguous,
    case when best.match_method is null then ceased.service_id end as ceased_service_id
from instants
left join best
    on
        instants.file_id = best.file_id
        and instants.line_no = best.line_no
left join ceased
    on
        instants.file_id = ceased.file_id
        and instants.line_no = ceased.line_no
