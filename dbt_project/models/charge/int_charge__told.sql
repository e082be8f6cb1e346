-- Grain: one row per item of the explanation of a charge line that counts. See rpt_explain__record.
with charges as (
    select * from {{ ref('int_charge__worded') }}
)

select
    charges.file_id,
    charges.line_no,
    charges.charge_id,
    items.section_no,
    items.section,
    items.item_no,
    items.item,
    items.value
from charges
cross join
    lateral (
        values
        (30, 'In plain words', 1, 'record', charges.record_words),
        (30, 'In plain words', 2, 'outcome', charges.outcome_words),
        (30, 'In plain words', 3, 'what would have to change', case
            when charges.state <> 'billed' then charges.what_to_do
        end),
        (30, 'In plain words', 4, 'service', charges.service_words),
        (30, 'In plain words', 5, 'price', charges.price_words),
        (30, 'In plain words', 6, 'charge', charges.charge_words),
        (30, 'In plain words', 7, 'margin', charges.margin_words),
        (40, 'Values', 1, 'charge number', charges.charge_id::text),
        (40, 'Values', 2, 'product', charges.product_code),
        (40, 'Values', 3, 'description', charges.description),
        (40, 'Values', 4, 'kind', charges.charge_type),
        (40, 'Values', 5, 'period from', charges.period_from::text),
        (40, 'Values', 6, 'period to', charges.period_to::text),
        (40, 'Values', 7, 'quantity', {{ plain('charges.quantity') }}),
        (40, 'Values', 8, 'carrier amount', {{ plain('charges.carrier_amount') }}),
        (50, 'Decision', 1, 'state', charges.state),
        (50, 'Decision', 2, 'reason', charges.reason),
        (50, 'Decision', 3, 'field', charges.reason_field),
        (50, 'Decision', 4, 'meaning', charges.reason_in_words),
        (50, 'Decision', 5, 'what to do', case
            when charges.state = 'error' then charges.what_to_do
        end),
        (50, 'Decision', 6, 'first received as', charges.original_charge_id || concat(
            ' (', charges.original_file_name, ', line ', charges.original_line_no, ')'
        )),
        (50, 'Decision', 7, 'service', charges.service_code),
        (50, 'Decision', 8, 'last owner', charges.ceased_service_code),
        (50, 'Decision', 9, 'matched by', charges.match_method),
        (50, 'Decision', 10, 'account', case
            when charges.account_id <> 0 then charges.account_code || ' ' || charges.customer_name
        end),
        (50, 'Decision', 11, 'charge class', charges.charge_class),
        (50, 'Decision', 12, 'universal service', concat_ws(
            ', ', charges.usf_category, charges.usf_jurisdiction, charges.usf_safe_harbour
        )),
        (50, 'Decision', 13, 'billing period', to_char(charges.period_month, 'YYYY-MM')),
        (60, 'Price', 1, 'price mode', charges.price_mode),
        (60, 'Price', 2, 'tariff', case
            when charges.price_mode is not null then charges.charge_tariff_code
        end),
        (60, 'Price', 3, 'tariff product', charges.tariff_product_code),
        (60, 'Price', 4, 'price of', charges.price_scope),
        (
            60, 'Price', 5, 'row valid',
            {{ span_in_words('charges.tariff_valid_from', 'charges.tariff_valid_to') }}
        ),
        (
            60, 'Price', 6, 'row known since',
            {{ instant_in_words('charges.tariff_recorded_from') }}
        ),
        (60, 'Price', 7, 'list price', {{ plain('charges.list_price') }}),
        (60, 'Price', 8, 'markup percent', {{ plain('charges.markup_percent') }}),
        (60, 'Price', 9, 'least markup', {{ plain('charges.markup_floor') }}),
        (60, 'Price', 10, 'margin percent', {{ plain('charges.margin_percent') }}),
        (60, 'Price', 11, 'added to the cost', {{ plain('charges.add_on_amount') }}),
        (60, 'Price', 12, 'minimum price', {{ plain('charges.minimum_price') }}),
        (60, 'Price', 13, 'price point', {{ plain('charges.price_point') }}),
        (60, 'Price', 14, 'unit price', {{ plain('charges.unit_price') }}),
        (60, 'Price', 15, 'proration', nullif(replace(charges.proration, '_', ' '), 'none')),
        (60, 'Price', 16, 'fee for', case
            when charges.price_mode = 'list' then charges.fee_period
        end),
        (60, 'Price', 17, 'charged from', charges.charged_from::text),
        (60, 'Price', 18, 'charged to', charges.charged_to::text),
        (60, 'Price', 19, 'days charged', charges.charged_days::text),
        (60, 'Price', 20, 'leading part', {{ plain('nullif(charges.leading_part, 0)') }}),
        (60, 'Price', 21, 'whole periods', charges.full_periods::text),
        (60, 'Price', 22, 'trailing part', {{ plain('nullif(charges.trailing_part, 0)') }}),
        (60, 'Price', 23, 'part charged', {{ plain('charges.charged_part') }}),
        (60, 'Price', 25, 'terms of events', nullif(replace(btrim(
            charges.event_terms::text, '{}'
        ), '"', ''), '')),
        (60, 'Price', 24, 'invoiced by', replace(charges.invoice_timing, '_', ' ')),
        (60, 'Price', 60, 'unrounded', {{ plain('charges.unrounded_amount') }}),
        (60, 'Price', 61, 'rounding', case
            when charges.charge_amount is not null
                then {{ rounding_in_words(
                    'charges.rounding_decimals', 'null::numeric', 'charges.rounding_mode'
                ) }} || ' per ' || charges.rounding_level
        end),
        (60, 'Price', 62, 'amount', {{ plain('charges.charge_amount') }}),
        (60, 'Price', 63, 'currency', case
            when charges.charge_amount is not null then charges.currency_code
        end),
        (70, 'Cost', 62, 'amount', {{ plain('charges.cost_amount') }}),
        (70, 'Cost', 63, 'currency', charges.cost_currency_code),
        {{ run_items('charges') }}
    ) as items (section_no, section, item_no, item, value)
where items.value is not null and items.value <> ''
