{% macro counts_for_pairing(file, own) -%}
    {#- Whether the events of a file may complete those of one's own: it is of the same source, and
        the current run or one before it has taken it. A file that landed since waits for its own
        run, so a run repeated later gives what it gave; and a file withdrawn counts no more. -#}
    {%- set run = current_run() -%}
    {{ file }}.source_code = {{ own }}.source_code
                and exists (
                    select 1
                    from {{ source('control', 'rating_run_file') }} as taken
                    where
                        taken.file_id = {{ file }}.file_id
                        and taken.is_initial
                        and taken.build_schema
                        {%- if run['kind'] == 'dry' %} in ('', 'dry')
                        {%- else %} = '{{ build_schema() }}'{% endif %}
                )
                and not exists (
                    select 1
                    from {{ source('control', 'rating_run_file') }} as given_back
                    inner join {{ source('control', 'rating_run') }} as withdrawal
                        on given_back.rating_run_id = withdrawal.rating_run_id
                    where
                        given_back.file_id = {{ file }}.file_id
                        and given_back.is_withdrawal
                        and withdrawal.run_kind = 'withdraw'
                        and withdrawal.status = 'closed'
                        and withdrawal.build_schema
                        = '{{ '' if run['kind'] == 'dry' else build_schema() }}'
                        {%- if run.get('undoes') %}
                        and withdrawal.rating_run_id <> {{ run['undoes'] }}
                        {%- endif %}
                )
{%- endmacro %}
