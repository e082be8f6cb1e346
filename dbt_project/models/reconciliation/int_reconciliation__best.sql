-- Grain: one row per two records that like each other best among the candidates left.
with candidates as (
    select * from {{ source('control', 'reconciliation_candidate') }}
),

liked as (
    select
        candidates.our_usage_id,
        candidates.their_usage_id,
        candidates.quarters,
        row_number() over (
            partition by candidates.our_usage_id
            order by {{ pair_order('candidates') }}
        ) as our_choice,
        row_number() over (
            partition by candidates.their_usage_id
            order by {{ pair_order('candidates') }}
        ) as their_choice
    from candidates
)

select
    liked.our_usage_id,
    liked.their_usage_id,
    liked.quarters
from liked
where liked.our_choice = 1 and liked.their_choice = 1
