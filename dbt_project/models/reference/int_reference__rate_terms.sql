-- Grain: one row per rate and version of its deck under which a call is charged by more than
-- price, minimum and increment. Rates with equal terms share a terms_id.
with rates as (
    select * from {{ source('reference', 'rate') }}
),

decks as (
    select * from {{ ref('int_reference__decks') }}
),

rate_steps as (
    select * from {{ source('reference', 'rate_step') }}
),

-- the steps in force where the row starts
stepped as (
    select
        rates.rate_id,
        jsonb_agg(
            jsonb_build_object(
                'from_second', rate_steps.from_second,
                'increment', rate_steps.increment_seconds,
                'price', rate_steps.price_per_minute
            )
            order by rate_steps.from_second
        ) as steps
    from rates
    inner join rate_steps
        on
            rates.deck_code = rate_steps.deck_code
            and rates.prefix = rate_steps.prefix
            and rates.jurisdiction = rate_steps.jurisdiction
            and rates.valid_from >= rate_steps.valid_from
            and rates.valid_from < rate_steps.valid_to
    where
        rates.price_per_minute is not null
        and {{ known_at_cutoff('rates') }}
        and {{ known_at_cutoff('rate_steps') }}
    group by rates.rate_id
),

settings as (
    select
        rates.rate_id,
        decks.valid_from as deck_valid_from,
        coalesce(rates.minute_seconds, decks.minute_seconds) as minute_seconds,
        coalesce(rates.grace_seconds, decks.grace_seconds) as grace_seconds,
        coalesce(rates.included_seconds, decks.included_seconds) as included_seconds,
        coalesce(rates.additional_seconds, decks.additional_seconds) as additional_seconds,
        nullif(coalesce(rates.minimum_charge, decks.minimum_charge), 0) as minimum_charge,
        case
            when decks.maximum_charge_rule <> 'call_ended'
                then coalesce(rates.maximum_charge, decks.maximum_charge)
        end as maximum_charge,
        case when decks.maximum_charge_rule = 'per_period' then decks.cap_period_seconds end
            as cap_period_seconds,
        rates.price_per_call,
        stepped.steps
    from rates
    inner join decks on rates.deck_code = decks.deck_code
    left join stepped on rates.rate_id = stepped.rate_id
    where
        rates.status = 'open'
        and {{ known_at_cutoff('rates') }}
)

select
    settings.*,
    dense_rank() over (
        order by
            settings.minute_seconds,
            settings.grace_seconds,
            settings.included_seconds,
            settings.additional_seconds,
            settings.minimum_charge,
            settings.maximum_charge,
            settings.cap_period_seconds,
            settings.price_per_call,
            settings.steps
    )::integer as terms_id
from settings
where
    settings.minute_seconds <> 60
    or settings.grace_seconds > 0
    or settings.included_seconds > 0
    or settings.additional_seconds > 0
    or settings.minimum_charge is not null
    or settings.maximum_charge is not null
    or settings.price_per_call is not null
    or settings.steps is not null
