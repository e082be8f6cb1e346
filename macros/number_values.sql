{#- Telephone numbers as they stand in files, in steps so that each expression is worked out
    once per record: plain_nanp_number (the common case, done), else clean_number (text without
    wrapping), e164_candidate (digits with country code), e164_number (checked); then number_class. See docs/rules.md section 3. -#}
{% macro plain_digits(raw) -%}
    {#- Ten or eleven digits and nothing else as a number, else null: most numbers in most files. The
        comparison keeps out signs, spaces and 0x, which the cast would take. No regular expression:
        counted repetitions cost ten times as much. -#}
    case
        when
            octet_length({{ raw }}) between 10 and 11
            and {{ raw }} >= '12'
            and pg_input_is_valid({{ raw }}, 'bigint')
            then {{ raw }}::bigint
    end
{%- endmacro %}

{% macro plain_nanp_number(digits, plan) -%}
    {#- E.164 number where plain digits are a possible NANP number on a source with that plan, else
        null. What it takes, the steps below would give the same. -#}
    case
        when {{ plan }}.number_plan <> 'nanp' then null
        when
            {{ digits }} between 2000000000 and 9999999999
            and {{ digits }} / 10000000 % 100 <> 11
            and {{ digits }} / 1000000 % 10 >= 2
            then {{ digits }} + 10000000000
        when
            {{ digits }} between 12000000000 and 19999999999
            and {{ digits }} / 10000000 % 100 <> 11
            and {{ digits }} / 1000000 % 10 >= 2
            then {{ digits }}
    end
{%- endmacro %}

{% macro clean_number(raw) -%}
    case
        when {{ raw }} ~ '^[+]?[0-9]+$' then {{ raw }}
        when {{ raw }} is null then null
        else {{ _strip_number(raw) }}
    end
{%- endmacro %}

{% macro _strip_number(raw) -%}
    -- spreadsheet wrapping, then scheme and host, then (0) behind a plus, then punctuation
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    btrim({{ raw }}, E' \t\r\n'), '^(=?"(.*)"|''(.*))$', '\2\3'
                ),
                '^(sips?|tel):|[@;].*$', '', 'gi'
            ),
            '^([+].*)[(]0[)]', '\1'
        ),
        '[ ()./-]', '', 'g'
    )
{%- endmacro %}

{% macro e164_candidate(clean, plan) -%}
    {#- Digits with country code as text, not yet checked. -#}
    case
        when {{ clean }} !~ '^[+]?[0-9]+$' then null
        when left({{ clean }}, 1) = '+' then substr({{ clean }}, 2)
        when length({{ clean }}) <= 6 then null
        when
            {{ plan }}.international_prefix <> ''
            and starts_with({{ clean }}, {{ plan }}.international_prefix)
            and length({{ clean }}) >= length({{ plan }}.international_prefix) + 7
            then substr({{ clean }}, length({{ plan }}.international_prefix) + 1)
        when {{ plan }}.number_plan = 'nanp' then
            case
                when length({{ clean }}) = 10 then '1' || {{ clean }}
                -- operator assisted: 0 + ten digits, 01 + country code
                when length({{ clean }}) = 11 and {{ clean }} ~ '^0[2-9]'
                    then '1' || substr({{ clean }}, 2)
                when length({{ clean }}) >= 9 and {{ clean }} ~ '^01[2-9]'
                    then substr({{ clean }}, 3)
                when length({{ clean }}) = 11 and left({{ clean }}, 1) = '1' then {{ clean }}
                when length({{ clean }}) between 12 and 15 then {{ clean }}
            end
        when {{ plan }}.country_code = '' then {{ clean }}
        when
            starts_with({{ clean }}, {{ plan }}.national_prefix)
            and length({{ clean }}) - length({{ plan }}.national_prefix)
            between {{ plan }}.national_length_min and {{ plan }}.national_length_max
            then
                {{ plan }}.country_code
                || substr({{ clean }}, length({{ plan }}.national_prefix) + 1)
        when
            length({{ clean }})
            between {{ plan }}.national_length_min and {{ plan }}.national_length_max
            and not starts_with({{ clean }}, {{ plan }}.national_prefix)
            then {{ plan }}.country_code || {{ clean }}
        when
            starts_with({{ clean }}, {{ plan }}.country_code)
            and length({{ clean }}) - length({{ plan }}.country_code)
            between {{ plan }}.national_length_min and {{ plan }}.national_length_max
            then {{ clean }}
        when length({{ clean }}) between 12 and 15 then {{ clean }}
    end
{%- endmacro %}

{% macro e164_number(candidate, raw, clean) -%}
    {#- The candidate as a number where it can be an E.164 number, else null: 7 to 15 digits, no
        leading zero; with country code 1 eleven digits, area code and exchange starting with 2 to
        9 and an area code that is not N11. A withheld caller has no number, whatever is shown. -#}
    case
        when {{ raw }} <> {{ clean }} and {{ _is_withheld(raw) }} then null
        when octet_length({{ candidate }}) not between 7 and 15 or {{ candidate }} < '1' then null
        when {{ candidate }} >= '2' then {{ candidate }}::bigint
        when
            {{ candidate }}::bigint between 12000000000 and 19999999999
            and {{ candidate }}::bigint / 10000000 % 100 <> 11
            and {{ candidate }}::bigint / 1000000 % 10 >= 2
            then {{ candidate }}::bigint
    end
{%- endmacro %}

{% macro without_carrier_code(clean, plan) -%}
    {#- The number behind 101XXXX, by which a caller chooses a carrier for one call. Nothing else of
        North America starts so. -#}
    case
        when {{ plan }}.number_plan = 'nanp'
            then regexp_replace({{ clean }}, '^101[0-9]{4}([0-9])', '\1')
        else {{ clean }}
    end
{%- endmacro %}

{% macro carrier_access_code(raw, clean, plan) -%}
    {#- XXXX of 101XXXX or 950-XXXX. What cannot have one is told from the raw text alone. -#}
    case
        when {{ plan }}.number_plan <> 'nanp' then null
        when strpos({{ raw }}, '101') > 0 or strpos({{ raw }}, '950') > 0
            then
                coalesce(
                    substring({{ clean }}, '^101([0-9]{4})'),
                    substring({{ clean }}, '^950([0-9]{4})$')
                )
    end
{%- endmacro %}

{% macro dialling(clean, plan) -%}
    {#- How a number was dialled, where not direct. -#}
    case
        when {{ plan }}.number_plan <> 'nanp' then null
        when {{ clean }} ~ '^0[2-9][0-9]{9}$' or {{ clean }} ~ '^01[2-9][0-9]{6,}$'
            then 'operator_assisted'
        when {{ clean }} = '0' then 'local_operator'
        when {{ clean }} = '00' then 'long_distance_operator'
        when {{ clean }} ~ '^11[0-9]{2}$' then 'vertical_service'
    end
{%- endmacro %}

{% macro local_number(clean, calling, plan) -%}
    {#- Seven digits belong to the area code of the caller. -#}
    case
        when
            octet_length({{ clean }}) = 7
            and {{ plan }}.number_plan = 'nanp'
            and {{ calling }} between 12000000000 and 19999999999
            and {{ clean }} ~ '^[2-9]'
            and {{ clean }} !~ '^950|[^0-9]'
            then {{ calling }} / 10000000 * 10000000 + {{ clean }}::bigint
    end
{%- endmacro %}

{% macro number_class(raw, clean, number, plan) -%}
    case
        when {{ number }} is not null then 'e164'
        when {{ raw }} is null or btrim({{ raw }}) = '' then 'missing'
        when {{ _is_withheld(raw) }} then 'anonymous'
        when btrim({{ raw }}) ~* '^''?[0-9]+([.,][0-9]+)?E[+]?[0-9]+$' then 'scientific'
        when {{ clean }} = '' then 'missing'
        when {{ clean }} ~ '^[*#]' then 'service_code'
        -- digits masked by the supplier: a number all the same
        when {{ clean }} ~* '^[+]?[0-9]{2,}X{2,}$' then 'invalid'
        when {{ clean }} !~ '^[+]?[0-9]+$' then 'name'
        when {{ clean }} ~ '^(101|950)[0-9]{4}$' and {{ plan }}.number_plan = 'nanp'
            then 'service_code'
        when {{ clean }} in ('911', '933', '988') and {{ plan }}.number_plan = 'nanp'
            then 'emergency'
        when {{ clean }} in ('112', '999') and {{ plan }}.number_plan <> 'nanp' then 'emergency'
        when {{ clean }} ~ '^[2-9]11$' and {{ plan }}.number_plan = 'nanp' then 'n11'
        when {{ clean }} ~ '^[0-9]{1,6}$' then 'extension'
        else 'invalid'
    end
{%- endmacro %}

{% macro _is_withheld(raw) -%}
    {{ raw }} ~* 'anonymous|restricted|unavailable|unknown|private|withheld'
{%- endmacro %}
