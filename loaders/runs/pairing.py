"""Records whose other half came with a later file: the start of a call here, its end there.

A layout with pairs looks up the other events of a call in SQL (its staging model). When a run has
taken new files, or given some back, the records of earlier files that share a call or session with
theirs are looked at once more: those whose staging model now says something else are rated again,
by a reprocess run of their own and without anybody asking for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2 import sql

from loaders.database.landing_tables import key_expression
from loaders.layouts import LAYOUTS, Layout
from loaders.runs.rating import RatingRun, open_run
from loaders.runs.schemas import build_relation, relation_exists

# Kinds of runs after which other files may be complete, or complete no more.
_KINDS = ("initial", "withdraw", "restore")
# Reasons that the staging model of a layout gives (macros/layouts.sql, set_aside_rule).
_REASONS_OF_PAIRS = ("open_session", "orphan_event", "paired_event", "interim_record")
# Reasons that come before those: such a record ends the same, whatever its other half.
_REASONS_BEFORE = (
    "missing_start_time", "invalid_start_time", "implausible_start_time", "key_conflict",
)  # fmt: skip

_RUNS_TO_CHECK = """
    select r.rating_run_id
    from control.rating_run as r
    where r.pairing_checked_at is null and r.build_schema = %(build_schema)s
        and r.status = 'closed' and r.run_kind = any(%(kinds)s)
    order by r.rating_run_id
"""
_FILES_OF_RUNS = """
    select f.layout_code, array_agg(distinct f.file_id)
    from control.rating_run_file as w
    inner join control.file as f on w.file_id = f.file_id
    where w.rating_run_id = any(%(runs)s) and (w.is_initial or w.is_withdrawal)
        and f.layout_code = any(%(layouts)s)
    group by f.layout_code
"""
# Records of other files that share a call with the new ones: mostly of the file before.
_CANDIDATES = """
    select array_agg(c.file_id), array_agg(c.line_no)
    from (
        select distinct other.file_id, other.line_no
        from {landed} as new
        inner join control.file as new_file on new.file_id = new_file.file_id
        inner join {landed} as other on {same_call}
        inner join control.file as other_file
            on other.file_id = other_file.file_id and other_file.status = 'landed'
            and other_file.source_code = new_file.source_code
        where new.file_id = any(%(files)s) and other.file_id <> all(%(files)s)
    ) as c
"""
# Files and lines are given as lists besides: so the staging model looks up the calls of these lines
# only, and neither landing nor facts are read but for their files.
_CHANGED = """
    with candidates as (
        select c.file_id, c.line_no
        from unnest(%(files)s::bigint[], %(lines)s::bigint[]) as c (file_id, line_no)
    ),
    rated as materialized (
        select r.file_id, r.line_no, r.state, r.reason
        from {rated} as r
        inner join candidates as c on r.file_id = c.file_id and r.line_no = c.line_no
        where r.file_id = any(%(distinct_files)s) and r.leg_no = 1 and r.state <> 'duplicate'
            and r.rating_run_id = any(array(
                select w.rating_run_id from control.rating_run_file as w
                where w.file_id = any(%(distinct_files)s)
            ))
    )
    select rated.file_id, rated.line_no
    from rated
    inner join {staged} as staged
        on rated.file_id = staged.file_id and rated.line_no = staged.line_no
    -- + 0: through the BRIN index every line would be held against every range of the history
    where staged.file_id = any(%(distinct_files)s) and staged.line_no + 0 = any(%(lines)s)
        and case
            when rated.reason = 'missing_start_time' then staged.start_raw is not null
            when rated.reason = any(%(before)s) then false
            when staged.set_aside_rule is null then rated.reason = any(%(of_pairs)s)
            else rated.reason is distinct from staged.set_aside_rule
        end
"""


def open_pairing_run(
    connection: Any,
    *,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
) -> RatingRun | None:
    """Rate the records once more whose other half came, or went, with the runs closed so far.

    An unfinished run comes first, whatever it was. Returns None when there are none.
    """

    def add_completed_records(cursor: Any, run_id: int) -> int:
        return _insert_completed_records(cursor, run_id, build_schema)

    run = open_run(
        connection,
        "reprocess",
        add_completed_records,
        requested_by=requested_by,
        reason="their other half arrived with a later file, or was withdrawn",
        config={"pairing": True},
        code_commit=code_commit,
        code_is_dirty=code_is_dirty,
        orchestrator_run_id=orchestrator_run_id,
        build_schema=build_schema,
    )
    if run is None:
        with connection, connection.cursor() as cursor:
            _mark_checked(cursor, build_schema)
    return run


def records_to_retry(cursor: Any, build_schema: str = "") -> list[tuple[int, int]]:
    """File and line of the records whose layout says something else than when they were rated."""
    found: list[tuple[int, int]] = []
    cursor.execute(_RUNS_TO_CHECK, {"build_schema": build_schema, "kinds": list(_KINDS)})
    run_ids = [run_id for (run_id,) in cursor.fetchall()]
    layouts = {code: layout for code, layout in LAYOUTS.items() if layout.indexes}
    if not run_ids or not relation_exists(cursor, build_schema, "rating", "current_rated_usage"):
        return found
    cursor.execute(_FILES_OF_RUNS, {"runs": run_ids, "layouts": list(layouts)})
    for layout_code, files in cursor.fetchall():
        found += _changed_records(cursor, build_schema, layouts[layout_code], files)
    return found


def _changed_records(
    cursor: Any, build_schema: str, layout: Layout, files: list[int]
) -> list[tuple[int, int]]:
    relations: Mapping[str, sql.Composable] = {
        "landed": sql.Identifier("landing", layout.code),
        "staged": build_relation(build_schema, "staging", f"stg_{layout.code}__usage"),
        "rated": build_relation(build_schema, "rating", "current_rated_usage"),
        "same_call": sql.SQL(" or ").join(
            sql.SQL("({})").format(
                sql.SQL(" and ").join(
                    sql.SQL("{0} = {1} and {1} <> ''").format(
                        key_expression(name, "other"), key_expression(name, "new")
                    )
                    for name in columns
                )
            )
            for columns in layout.indexes
        ),
    }
    cursor.execute(sql.SQL(_CANDIDATES).format(**relations), {"files": files})
    candidate_files, lines = cursor.fetchone()
    if not lines:
        return []
    cursor.execute(
        sql.SQL(_CHANGED).format(**relations),
        {
            "files": candidate_files,
            "distinct_files": sorted(set(candidate_files)),
            "lines": lines,
            "before": list(_REASONS_BEFORE),
            "of_pairs": list(_REASONS_OF_PAIRS),
        },
    )
    return cursor.fetchall()


def _insert_completed_records(cursor: Any, run_id: int, build_schema: str) -> int:
    """Write the work set and remember that the runs were looked at; the number of files."""
    records = records_to_retry(cursor, build_schema)
    if not records:
        return 0
    _mark_checked(cursor, build_schema)
    cursor.execute(
        "insert into control.rating_run_record (rating_run_id, file_id, line_no) "
        "select distinct %s::bigint, r.file_id, r.line_no "
        "from unnest(%s::bigint[], %s::bigint[]) as r (file_id, line_no)",
        (run_id, [file for file, _ in records], [line for _, line in records]),
    )
    files = sorted({file for file, _ in records})
    cursor.execute(
        "insert into control.rating_run_file (rating_run_id, file_id, build_schema, is_initial) "
        "select %s, unnest(%s::bigint[]), %s, false",
        (run_id, files, build_schema),
    )
    return len(files)


def _mark_checked(cursor: Any, build_schema: str) -> None:
    cursor.execute(
        "update control.rating_run set pairing_checked_at = clock_timestamp() "
        "where rating_run_id in (" + _RUNS_TO_CHECK + ")",
        {"build_schema": build_schema, "kinds": list(_KINDS)},
    )
