-- Grain: one row per usage leg of the current run, with jurisdiction and charge class.
-- Rules: docs/rules.md section 6.
{{ config(post_hook="{{ evaluate_once() }}") }}

with placed as (
    select * from {{ ref('int_usage__placed') }}
),

judged as (
    select
        placed.*,
        case
            when placed.classify_mode = 'none' then null
            when placed.called_class = 'international' then 'international'
            when placed.called_class = 'domestic' and placed.calling_kind = 'foreign'
                then 'international'
            when
                placed.called_class = 'domestic'
                and placed.calling_state = placed.called_state
                then 'intrastate'
            when
                placed.called_class = 'domestic'
                and placed.calling_state <> placed.called_state
                then 'interstate'
            else 'indeterminate'
        end as jurisdiction
    from placed
)

select
    judged.*,
    case
        when judged.usage_type in ('sms', 'mms') then 'messages'
        when judged.usage_type = 'data' then 'data'
        when judged.direction = 'inbound' then 'inbound'
        when judged.called_class in ('toll_free', 'premium') then judged.called_class
        when judged.called_class = 'n11' then 'directory'
        else coalesce(judged.jurisdiction, 'indeterminate')
    end as charge_class,
    -- outbound: the called number; N11 as 1N11, which no area code can be; toll-free inbound is
    -- priced by its origin; an extension is no number that a deck could price, and
    -- decks price nothing but calls
    case
        when judged.usage_type <> 'voice' then null
        when judged.direction = 'inbound' and judged.called_class = 'toll_free'
            then judged.calling_number
        when judged.called_number_class = 'n11' then 1000 + judged.called_short_number
        else judged.called_number
    end as rated_number
from judged
