{#- Which rows of a deck are considered for a call: 0 the rows for any jurisdiction, 1 to 3 also
    those of the call's own, as the deck reads it. See int_reference__rate_rows. -#}
{% macro jurisdiction_scope(leg, deck) -%}
    case
        when not {{ deck }}.is_jurisdictional then 0
        when {{ leg }}.jurisdiction_basis = 'canada' then {{ deck }}.canada_scope
        when {{ leg }}.jurisdiction_basis = 'foreign_origin' then {{ deck }}.foreign_origin_scope
        when
            {{ leg }}.jurisdiction_basis = 'territory'
            and {{ deck }}.territory_scope is not null
            then {{ deck }}.territory_scope
        else
            case
                case
                    when {{ deck }}.is_placed_by_lrn then {{ leg }}.lrn_jurisdiction
                    else {{ leg }}.jurisdiction
                end
                when 'intrastate' then 1
                when 'interstate' then 2
                when 'international' then 0
                else {{ deck }}.indeterminate_scope
            end
    end
{%- endmacro %}

{% macro policy_scope(policy) -%}
    {#- The scope of calls that a deck may read as calls between states. -#}
    case {{ policy }}
        when 'interstate' then 2
        when 'indeterminate'
            then
                case decks.indeterminate_policy
                    when 'intrastate' then 1
                    when 'interstate' then 2
                    else 3
                end
        else 0
    end
{%- endmacro %}

{% macro deck_scope(leg, deck, deck_id, local_pair) -%}
    {#- Deck and jurisdiction in one number, as the look-up of rates takes it. -#}
    case
        -- an operator assisted call is never priced as one dialled directly
        when {{ leg }}.is_operator then coalesce({{ deck }}.operator_deck_id, 0) * 4
        {%- if local_pair %}
        when {{ local_pair }}.calling_area_code is not null and {{ deck }}.local_deck_id is not null
            then {{ deck }}.local_deck_id * 4
        {%- endif %}
        else {{ deck_id }} * 4 + {{ jurisdiction_scope(leg, deck) }}
    end
{%- endmacro %}

{% macro number_for_deck(leg, deck, with_lrn) -%}
    {#- The number whose prefix is looked up: a deck may go by the location routing number, and one
        without prices for directory assistance goes by the number dialled. -#}
    case
        when {{ leg }}.rated_number = 1411 and not {{ deck }}.has_directory_rows
            then {{ leg }}.called_number
        {%- if with_lrn %}
        when
            {{ deck }}.is_rated_by_lrn
            and {{ leg }}.lrn_number is not null
            and {{ leg }}.rated_number = {{ leg }}.called_number
            and {{ leg }}.called_class = 'domestic'
            then {{ leg }}.lrn_number
        {%- endif %}
        else {{ leg }}.rated_number
    end
{%- endmacro %}

{% macro read_jurisdiction(side) -%}
    {#- The jurisdiction as the deck read it, in words; null where another deck was looked in. -#}
    case
        when {{ side }}_is_jurisdictional and {{ side }}_scope / 4 = {{ side }}_deck_id then
            case {{ side }}_scope % 4
                when 1 then 'intrastate'
                when 2 then 'interstate'
                when 3 then 'indeterminate'
                else 'international'
            end
    end
{%- endmacro %}

{% macro dearness(rate) -%}
    {#- For comparing two rates: no price is dearer than any. -#}
    (
        {{ rate }}.status = 'blocked',
        coalesce({{ rate }}.price_per_minute, 0),
        {{ rate }}.connection_fee
    )
{%- endmacro %}
