-- Grain: one row per record of either side, of the period and as far around it as clocks may be
-- wrong. Ours: traffic that counts, once per call. Theirs: what they may bill, repeats within a
-- file too; what repeats an earlier file was only sent twice.
with usage_legs as (
    select * from {{ ref('current_rated_usage') }}
    where
        leg_no = 1
        and started_at >= {{ reconcile_setting('from', 'timestamptz') }} - {{ widest_shift() }}
        and started_at < {{ reconcile_setting('to', 'timestamptz') }} + {{ widest_shift() }}
        and source_id = any(
            {{ reconcile_setting('ours', 'integer[]') }}
            || {{ reconcile_setting('theirs', 'integer[]') }}
        )
        and (
            {{ reconcile_setting('directions', 'text') }} is null
            or direction = {{ reconcile_setting('directions', 'text') }}
            or source_id = any({{ reconcile_setting('theirs', 'integer[]') }})
        )
),

sided as (
    select
        usage_legs.*,
        case
            when usage_legs.source_id = any({{ reconcile_setting('theirs', 'integer[]') }})
                then 'theirs'
            else 'ours'
        end as side,
        case
            when usage_legs.usage_type <> 'voice' or usage_legs.disposition = 'answered'
                then coalesce(usage_legs.billable_seconds, 0)
            else 0
        end as talked_seconds,
        -- data sessions have no called number, withheld callers no calling number
        case
            when usage_legs.called_number is not null
                then usage_legs.usage_type || ' to ' || usage_legs.called_number
            when usage_legs.calling_number is not null
                then usage_legs.usage_type || ' of ' || usage_legs.calling_number
        end as pair_key
    from usage_legs
)

select
    sided.side,
    sided.usage_id,
    sided.usage_type,
    sided.pair_key,
    row_number() over (
        partition by sided.side, sided.pair_key
        order by
            sided.started_at asc, sided.talked_seconds asc, sided.calling_number asc,
            sided.supplier_amount asc, sided.cost_amount asc, sided.usage_id asc
    )::integer as ordinal,
    row_number() over (
        partition by
            sided.side, sided.pair_key, sided.started_at, sided.talked_seconds, sided.calling_number
        order by sided.supplier_amount asc, sided.cost_amount asc, sided.usage_id asc
    )::integer as twin,
    sided.started_at,
    sided.talked_seconds as seconds,
    case when sided.side = 'ours' then sided.cost_billed_seconds end as billed_seconds,
    sided.calling_number,
    sided.called_number,
    sided.called_country,
    case when sided.side = 'ours' then sided.cost_prefix end as prefix,
    case when sided.side = 'ours' then sided.cost_rate_id end as cost_rate_id,
    case
        when sided.side = 'ours' then sided.cost_amount
        else sided.supplier_amount
    end as amount,
    case
        when sided.side = 'ours' then sided.cost_currency_code
        else sided.supplier_currency_code
    end as currency_code,
    case when sided.side = 'ours' then sided.cost_status end as cost_status,
    -- whether a carrier has anything to bill
    case
        when sided.side = 'theirs' and sided.supplier_amount is not null
            then sided.supplier_amount <> 0
        when sided.reason in ('internal_call', 'service_code', 'emergency_call') then false
        else sided.usage_type <> 'voice' or sided.talked_seconds > 0
    end as is_chargeable
from sided
where
    case
        when sided.side = 'ours' then {{ is_traffic('sided') }}
        else
            coalesce(sided.reason, '') not in (
                'paired_event', 'interim_record', 'leg_without_trunk', 'in_progress',
                'access_record', 'server_event', 'open_session', 'orphan_event'
            )
            and (
                sided.state <> 'duplicate'
                or {{ file_of_key('sided.original_usage_id') }} = sided.file_id
            )
    end
