-- Grain: one row per usage leg of the current run, with jurisdiction and charge class.
-- Rules: docs/rules.md section 6. jurisdiction_basis names the calls that decks read differently.
{{ config(post_hook="{{ evaluate_once() }}") }}

with placed as (
    select * from {{ ref('int_usage__placed') }}
),

class_words as (
    select * from {{ ref('class_words') }}
),

addressed_services as (
    select * from {{ ref('int_reference__services') }}
    where state_code is not null
),

ended as (
    select
        placed.*,
        class_words.jurisdiction as stated_jurisdiction,
        -- a toll-free number has no place; an inbound call to one ends where the service is
        coalesce(placed.called_state, addressed_services.state_code) as end_state,
        placed.called_class = 'domestic' or addressed_services.state_code is not null as is_domestic
    from placed
    left join class_words
        on
            case
                when placed.classify_mode = 'pre_classified'
                    then lower(btrim(placed.stated_class))
            end = class_words.word
    left join addressed_services
        on
            case
                when placed.called_class = 'toll_free' and placed.direction = 'inbound'
                    then placed.service_id
            end = addressed_services.service_id
            and placed.started_at >= addressed_services.valid_from
            and placed.started_at < addressed_services.valid_to
),

judged as (
    select
        ended.*,
        case
            when ended.classify_mode = 'none' then null
            when ended.stated_jurisdiction is not null then ended.stated_jurisdiction
            when ended.called_class = 'international' then 'international'
            when not ended.is_domestic then 'indeterminate'
            when ended.calling_kind = 'foreign' then 'international'
            when ended.calling_state = ended.end_state then 'intrastate'
            when ended.calling_state <> ended.end_state then 'interstate'
            else 'indeterminate'
        end as jurisdiction,
        case
            when ended.classify_mode = 'none' or ended.stated_jurisdiction is not null then null
            when
                ended.number_class in ('canada', 'canada_non_geographic')
                and ended.calling_kind = 'us'
                then 'canada'
            when not ended.is_domestic then null
            when ended.calling_number_class in ('canada', 'canada_non_geographic') then 'canada'
            when ended.calling_kind = 'foreign' then 'foreign_origin'
            when
                ended.calling_number_class = 'us_territory'
                or ended.number_class = 'us_territory'
                or ended.end_state in ({{ territories() }})
                then 'territory'
        end as jurisdiction_basis,
        case
            when ended.calling_lata = ended.called_lata then 'intralata'
            when ended.calling_lata <> ended.called_lata then 'interlata'
        end as lata_scope,
        ended.direction = 'outbound' and {{ is_operator('ended') }} as is_operator
    from ended
)

select
    judged.*,
    -- the same comparison with the number that the call was routed by
    case
        when
            judged.lrn_state is not null
            and judged.classify_mode <> 'pre_classified'
            and judged.jurisdiction in ('intrastate', 'interstate')
            then {{ compared_states('judged.calling_state', 'judged.lrn_state') }}
        else judged.jurisdiction
    end as lrn_jurisdiction,
    case
        when judged.usage_type in ('sms', 'mms') then 'messages'
        when judged.usage_type = 'data' then 'data'
        when judged.direction = 'inbound' then 'inbound'
        when judged.is_operator then 'operator'
        when judged.called_class in ('toll_free', 'premium') then judged.called_class
        when judged.called_class = 'n11' or judged.number_class = 'directory_assistance'
            then 'directory'
        else coalesce(judged.jurisdiction, 'indeterminate')
    end as charge_class,
    -- outbound: the called number; N11 as 1N11, which no area code can be, NPA-555-1212 as 1411 and
    -- the operators as 1000 and 1001; toll-free inbound is priced by its origin; an extension is no
    -- number that a deck could price; a data session goes nowhere and is looked up as 1002
    case
        when judged.usage_type = 'data' then 1002
        when judged.usage_type in ('sms', 'mms') then judged.called_number
        when judged.usage_type <> 'voice' then null
        when judged.direction = 'inbound' and judged.called_class = 'toll_free'
            then judged.calling_number
        when judged.called_number_class = 'n11' then 1000 + judged.called_short_number
        when
            judged.number_class = 'directory_assistance'
            and judged.direction = 'outbound'
            and coalesce(judged.classify_mode, '') <> 'none'
            then 1411
        when judged.called_number is not null then judged.called_number
        when judged.dialling = 'local_operator' then 1000
        when judged.dialling = 'long_distance_operator' then 1001
    end as rated_number
from judged
