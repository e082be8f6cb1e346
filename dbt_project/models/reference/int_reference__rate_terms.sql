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

-- rate rows with prices of their own in a time band
banded as (
    select distinct band_rate.rate_id
    from {{ ref('int_reference__band_rates') }} as band_rate
),

-- the steps in force where the row starts; the row itself is the one from 0, unless there is one
bounds as (
    select
        rates.rate_id,
        rates.deck_code,
        rate_steps.from_second,
        rate_steps.increment_seconds,
        rate_steps.price_per_minute
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
),

first_bounds as (
    select
        bounds.rate_id,
        min(bounds.from_second) as from_second
    from bounds
    group by bounds.rate_id
),

stepped as (
    select
        listed.rate_id,
        listed.deck_valid_from,
        jsonb_agg(
            jsonb_build_object(
                'from_second', listed.from_second,
                'to_second', listed.to_second,
                'increment', listed.increment_seconds,
                'price', listed.price_per_minute
            )
            order by listed.from_second
        ) as steps
    from (
        select
            joined.*,
            lead(joined.from_second) over (
                partition by joined.rate_id, joined.deck_valid_from order by joined.from_second
            ) as to_second
        from (
            select
                bounds.rate_id,
                decks.valid_from as deck_valid_from,
                bounds.from_second,
                bounds.increment_seconds,
                bounds.price_per_minute
            from bounds
            inner join decks on bounds.deck_code = decks.deck_code
            union all
            select
                rates.rate_id,
                decks.valid_from as deck_valid_from,
                0 as from_second,
                coalesce(rates.increment_seconds, decks.increment_seconds) as increment_seconds,
                rates.price_per_minute
            from rates
            inner join first_bounds on rates.rate_id = first_bounds.rate_id
            inner join decks on rates.deck_code = decks.deck_code
            where first_bounds.from_second > 0
        ) as joined
    ) as listed
    group by listed.rate_id, listed.deck_valid_from
),

settings as (
    select
        rates.rate_id,
        decks.valid_from as deck_valid_from,
        case decks.usage_type
            when 'voice' then coalesce(rates.minute_seconds, decks.minute_seconds)
            when 'data' then decks.unit_bytes
            else 1
        end as minute_seconds,
        decks.usage_type,
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
        case
            when decks.data_rounding <> 'record'
                then jsonb_build_object(
                    'by', decks.data_rounding,
                    'minimum', coalesce(rates.minimum_seconds, decks.minimum_seconds),
                    'increment', coalesce(rates.increment_seconds, decks.increment_seconds),
                    'unit_bytes', decks.unit_bytes
                )
        end as rounding_group,
        case when decks.usage_type = 'voice' then decks.increment_amount_decimals end
            as increment_decimals,
        case
            when decks.usage_type = 'voice' and decks.increment_amount_decimals is not null
                then decks.increment_amount_mode
        end as increment_mode,
        -- a call is cut by its steps or by the clock, not by both
        case
            when stepped.steps is not null then null
            when banded.rate_id is not null then decks.deck_id
            when decks.price_change_policy = 'split' and decks.usage_type = 'voice'
                then decks.deck_id
        end as cut_deck_id,
        decks.calendar_code,
        decks.straddle_policy,
        decks.part_rounding,
        decks.price_change_policy = 'split' and decks.usage_type = 'voice'
            as is_split_at_changes,
        stepped.steps
    from rates
    inner join decks on rates.deck_code = decks.deck_code
    left join stepped
        on
            rates.rate_id = stepped.rate_id
            and decks.valid_from = stepped.deck_valid_from
    left join banded on rates.rate_id = banded.rate_id
    where
        rates.status = 'open'
        and {{ known_at_cutoff('rates') }}
)

select
    settings.*,
    dense_rank() over (
        order by
            settings.minute_seconds,
            settings.usage_type,
            settings.grace_seconds,
            settings.included_seconds,
            settings.additional_seconds,
            settings.minimum_charge,
            settings.maximum_charge,
            settings.cap_period_seconds,
            settings.price_per_call,
            settings.rounding_group,
            settings.increment_decimals,
            settings.increment_mode,
            settings.cut_deck_id,
            settings.calendar_code,
            settings.straddle_policy,
            settings.part_rounding,
            settings.is_split_at_changes,
            settings.steps
    )::integer as terms_id
from settings
where
    settings.minute_seconds <> 60
    or settings.usage_type <> 'voice'
    or settings.grace_seconds > 0
    or settings.included_seconds > 0
    or settings.additional_seconds > 0
    or settings.minimum_charge is not null
    or settings.maximum_charge is not null
    or settings.price_per_call is not null
    or settings.increment_decimals is not null
    or settings.cut_deck_id is not null
    or settings.steps is not null
