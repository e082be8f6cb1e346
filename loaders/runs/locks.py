"""One writer at a time: a session advisory lock on the warehouse, per build schema.

The lock lives and dies with the connection that took it, so a killed process frees it without
anybody's help. Rating and invoice runs share it: a draft must never read what a run is writing.
"""

from __future__ import annotations

from typing import Any

from loaders.runs.errors import RunAlreadyAtWork

# First half of the advisory key; the second is the build schema. Any constant would do.
_LOCK_CLASS = 0x52415445  # "RATE"

# dbt sessions carry this name (profiles.yml), other build schemas add theirs behind a space.
DBT_APPLICATION_NAME = "ratehouse_dbt"


def dbt_application_name(build_schema: str) -> str:
    """The application_name dbt sessions of a build schema show in pg_stat_activity."""
    return f"{DBT_APPLICATION_NAME} {build_schema}".strip()


def take_lock(connection: Any, build_schema: str) -> bool:
    """Take the writer's lock for the life of the connection; say what is at work if refused.

    Returns False when this connection holds it already, so that nothing is taken twice.
    """
    with connection, connection.cursor() as cursor:
        if _is_held_here(cursor, build_schema):
            return False
        cursor.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK_CLASS, build_schema))
        if cursor.fetchone()[0]:
            return True
        raise RunAlreadyAtWork(_describe_holder(cursor, build_schema))


def release_lock(connection: Any, build_schema: str) -> None:
    """Let the next run begin. Closing the connection does the same."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock(%s, hashtext(%s))", (_LOCK_CLASS, build_schema))


def holds_lock(connection: Any, build_schema: str) -> bool:
    """Whether this very connection holds the writer's lock."""
    with connection, connection.cursor() as cursor:
        return _is_held_here(cursor, build_schema)


def _is_held_here(cursor: Any, build_schema: str) -> bool:
    cursor.execute(
        """
        select exists (
            select from pg_catalog.pg_locks
            where locktype = 'advisory' and granted and pid = pg_backend_pid()
                and classid = %s::bigint::oid
                and objid = (hashtext(%s)::bigint & 4294967295)::oid
        )
        """,
        (_LOCK_CLASS, build_schema),
    )
    return cursor.fetchone()[0]


def _describe_holder(cursor: Any, build_schema: str) -> str:
    cursor.execute(
        """
        select a.pid, coalesce(
            (
                select 'rating run ' || r.rating_run_id || ' is at work since '
                    || to_char(r.opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
                from control.rating_run as r
                where r.status = 'running' and r.build_schema = %(build_schema)s
            ),
            (
                select 'the draft of ' || to_char(i.period_month, 'YYYY-MM') || ', bill group '
                    || i.bill_group || ', is being built since '
                    || to_char(i.opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
                from control.invoice_run as i
                where i.is_building and i.build_schema = %(build_schema)s
            ),
            'a run is at work since '
            || to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
        )
        from pg_catalog.pg_locks as l
        inner join pg_catalog.pg_stat_activity as a on l.pid = a.pid
        where l.locktype = 'advisory' and l.granted
            and l.database = (select oid from pg_database where datname = current_database())
            and l.classid = %(lock_class)s::bigint::oid
            and l.objid = (hashtext(%(build_schema)s)::bigint & 4294967295)::oid
        """,
        {"build_schema": build_schema, "lock_class": _LOCK_CLASS},
    )
    row = cursor.fetchone()
    if row is None:
        return "another rating run was at work a moment ago; start again"
    return (
        f"another rating run or draft is at work: {row[1]} (database session {row[0]}). "
        "Wait for it to finish, or stop it, then start again"
    )


def end_abandoned_dbt_sessions(connection: Any, build_schema: str) -> int:
    """Stop dbt processes a killed attempt left behind; the caller holds the lock.

    A dbt process outlives a killed parent. Its token is stale, so it stops before its next model,
    but the statement it is in would still write. Whoever holds the lock is the only rightful
    writer, so every dbt session older than this moment is a leftover.
    """
    with connection, connection.cursor() as cursor:
        # Ending another session is the login user's right, not the loader's.
        cursor.execute("set local role none")
        cursor.execute(
            """
            select count(*) filter (where pg_terminate_backend(pid, 10000))
            from pg_catalog.pg_stat_activity
            where datname = current_database() and application_name = %s
                and pid <> pg_backend_pid()
            """,
            (dbt_application_name(build_schema),),
        )
        return cursor.fetchone()[0]
