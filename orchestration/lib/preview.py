"""What files would become if they were loaded and rated now, without changing anything.

Every file is landed and rated for real, by the same code and the same SQL, in one transaction that
is rolled back. So a preview can say what only the warehouse knows: which records repeat earlier
ones, which service each belongs to and what it would cost.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from loaders.errors import RatehouseError
from loaders.files.archives import open_archive
from loaders.files.discover import find_files
from loaders.files.landing import Received
from loaders.files.originals import open_originals
from loaders.files.registry import result_of
from loaders.files.results import FileResult
from loaders.files.sources import Source, Sources
from loaders.files.stored import Hold
from loaders.files.trial import land_in_transaction
from loaders.reference import try_row
from loaders.runs.dry import DryRun, dry_run
from orchestration.lib.dry_models import dry_models

# Reasons that leave the records readable: a preview still shows them.
_READABLE = {
    "same_bytes", "same_name", "same_content", "sequence_gap", "trailer_mismatch",
    "reject_ceiling",
}  # fmt: skip
# What the loader says of bytes it knows under this name, and does not land again.
_KNOWN = ("already_loaded", "discarded")
_ROWS_AT_A_TIME = 500
# File numbers of a preview come after all real ones, in the order of the files; those of files that
# would be held come last, so that nothing is taken for a repeat of what would not land. A file
# number has 27 bits (docs/decisions/0004).
_FIRST_FILE = 100_000_000
_FIRST_HELD_FILE = 110_000_000
# Records that landed and wait for a run are rated with the preview, up to so many: what they repeat
# or are repeated by is then seen as it would be.
_WAITING_RECORDS = 200_000

_COUNTS = {
    "non_data_kinds": "select kind, count(*) from landing.non_data_line where file_id = %s "
    "group by kind order by kind",
    "quarantine_reasons": "select reason_code, count(*) from landing.quarantine "
    "where file_id = %s group by reason_code order by reason_code",
}
_WAITING = """
    select waiting.file_id
    from (
        select f.file_id, sum(f.data_count) over (order by f.file_id) as records
        from control.file as f
        where f.status = 'landed' and f.data_count > 0 and f.file_id <> all(%(shown)s)
            and not exists (
                select 1 from control.rating_run_file as w
                where w.file_id = f.file_id and w.build_schema = '' and w.is_initial
            )
    ) as waiting
    where waiting.records <= %(limit)s
"""
_STATES = """
    select
        coalesce(
            reasons.state,
            case when canonical.billable then 'billable' else 'not_billable' end
        ) as state,
        coalesce(canonical.nonbillable_reason, '') as reason,
        count(*)
    from dry_usage.{view} as canonical
    left join (
        select reason_code, state from dry_seeds.record_reasons
    ) as reasons on canonical.nonbillable_reason = reasons.reason_code
    where canonical.file_id = %s
    group by 1, 2
    order by 1, 2
"""
_OUTCOMES = """
    select rated.state, coalesce(rated.reason, '') as reason, count(*), sum(rated.{amount}),
        sum(rated.cost_amount), rated.currency_code
    from dry_rating.{fact} as rated
    where rated.file_id = %s
    group by rated.state, rated.reason, rated.currency_code
    order by rated.state, rated.reason, rated.currency_code
"""
# Numbers leave as the database writes them: exact. file:line names what a record repeats.
_REPEATS = """
    case when rated.{original} is not null then (
        select repeated.file_name || ':' || ((rated.{original} & ((1::bigint << 36) - 1)) >> 4)
        from control.file as repeated
        where repeated.file_id = rated.{original} >> 36
    ) end
"""
_RECORDS = """
    select (
        to_jsonb(canonical) - 'file_id' || jsonb_build_object(
            'start_utc', {start_utc}, 'answer_utc', {answer_utc}, 'end_utc', {end_utc},
            'outcome', coalesce(outcome.legs, '[]')
        )
    )::text as record
    from dry_usage.int_usage__canonical as canonical
    left join lateral (
        select jsonb_agg(
            jsonb_build_object(
                'leg', rated.leg_no, 'direction', rated.direction, 'state', rated.state,
                'reason', rated.reason, 'service', service_key.service_code,
                'account', account_key.account_code, 'amount', rated.retail_amount,
                'currency', rated.currency_code, 'repeats', {repeats}
            ) order by rated.leg_no
        ) as legs
        from dry_rating.rated_usage as rated
        left join reference.service_key on rated.service_id = service_key.service_id
        left join reference.account_key on rated.account_id = account_key.account_id
        where rated.file_id = canonical.file_id and rated.line_no = canonical.line_no
    ) as outcome on true
    where canonical.file_id = %s
    order by canonical.line_no
""".format(
    repeats=_REPEATS.format(original="original_usage_id"),
    **{
        name: f"""to_char(canonical.{name} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
            || rtrim(rtrim(to_char(canonical.{name}, '.US'), '0'), '.') || 'Z'"""
        for name in ("start_utc", "answer_utc", "end_utc")
    },
)
_CHARGES = """
    select (
        to_jsonb(canonical) - 'file_id' || jsonb_build_object('outcome', coalesce(outcome, '[]'))
    )::text as record
    from dry_usage.int_charge__canonical as canonical
    left join lateral (
        select jsonb_agg(
            jsonb_build_object(
                'state', rated.state, 'reason', rated.reason,
                'service', service_key.service_code, 'account', account_key.account_code,
                'amount', rated.charge_amount, 'currency', rated.currency_code,
                'repeats', {repeats}
            )
        ) as outcome
        from dry_rating.rated_charge as rated
        left join reference.service_key on rated.service_id = service_key.service_id
        left join reference.account_key on rated.account_id = account_key.account_id
        where rated.file_id = canonical.file_id and rated.line_no = canonical.line_no
    ) as outcomes on true
    where canonical.file_id = %s
    order by canonical.line_no
""".format(repeats=_REPEATS.format(original="original_charge_id"))
_BAD_LINES = """
    select jsonb_build_object(
        'line_no', line_no, 'reason_code', reason_code, 'field_name', field_name,
        'reason', reason, 'line_start', regexp_replace(
            encode(substr(raw_bytes, 1, 500), 'escape'), '[\\x01-\\x1f]', ' ', 'g'
        )
    )::text as record
    from landing.quarantine where file_id = %s order by line_no
"""
_OTHER_LINES = """
    select jsonb_build_object('line_no', line_no, 'kind', kind, 'line', left(raw_line, 500))::text
        as record
    from landing.non_data_line where file_id = %s order by line_no
"""
_PARTS = {
    "records": _RECORDS,
    "charges": _CHARGES,
    "quarantine": _BAD_LINES,
    "non_data_lines": _OTHER_LINES,
}
# Not part of the JSON: there they stand with their records.
_SUSPENDED = """
    select jsonb_build_object('line_no', line_no, 'reason', reason)::text as record
    from (
        select file_id, line_no, state, reason from dry_rating.rated_usage
        union
        select file_id, line_no, state, reason from dry_rating.rated_charge
    ) as rated
    where file_id = %s and state = 'error'
    order by line_no, reason
"""
_QUERIES = {**_PARTS, "suspended": _SUSPENDED}


@dataclass
class FilePreview:
    """One file as it would end. The lists are read from the open transaction."""

    result: FileResult
    facts: dict[str, Any]
    run: DryRun
    file_id: int | None = None

    def part(self, name: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """records, charges, quarantine, non_data_lines or suspended, in the order of the file."""
        for text in self._texts(name, limit):
            yield json.loads(text, parse_float=Decimal)

    def _texts(self, name: str, limit: int | None) -> Iterator[str]:
        if self.file_id is None:
            return
        query = _QUERIES[name] + ("" if limit is None else f" limit {int(limit)}")
        with self.run.cursor.connection.cursor(f"preview_{name}") as rows:
            rows.itersize = _ROWS_AT_A_TIME
            rows.execute(query, (self.file_id,))
            for (text,) in rows:
                yield text

    def to_json(self, limit: int | None = None) -> Iterator[str]:
        """The whole preview as JSON text, in pieces: a file may have millions of records."""
        yield json.dumps(self.facts, default=_plain, ensure_ascii=False)[:-1]
        for name in _PARTS:
            yield f', "{name}": ['
            for number, text in enumerate(self._texts(name, limit)):
                yield ("," if number else "") + "\n  " + text
            yield "]"
        yield "}"


@contextmanager
def preview_paths(
    connection: Connection,
    url: str,
    paths: Iterable[Path | str],
    *,
    source: Source | str | None = None,
) -> Iterator[list[FilePreview]]:
    """Previews of files and of the files of folders; valid while the block lasts."""
    with dry_run(connection, dry_models(url)) as run:
        sources = Sources(run.cursor)
        declared = sources.named(source) if isinstance(source, str) else source
        previews: list[FilePreview] = []
        for found in find_files(paths):
            received = Received(found.path)
            if found.refused is not None:
                previews.append(
                    _not_landed(run, received, "failed", found.refused, found.explanation)
                )
                continue
            source_of = declared or sources.of_folder(found.path.parent.name)
            previews += _land_all(run, received, sources, source_of, len(previews))
        yield _rated(run, previews)


@contextmanager
def preview_upload(
    connection: Connection,
    url: str,
    received: Received,
    *,
    source: str | None = None,
    trial_source: Mapping[str, str] | None = None,
) -> Iterator[list[FilePreview]]:
    """Previews of one file, or of the files of one archive; valid while the block lasts.

    ``trial_source`` is a row of reference.source that does not exist yet: the file is read as if
    it did. It is refused in words as `ratehouse reference load source` would refuse it.
    """
    with dry_run(connection, dry_models(url)) as run:
        if trial_source is not None:
            try_row(run.cursor, "source", trial_source)
            source = trial_source["source_code"]
        sources = Sources(run.cursor)
        declared = None if source is None else sources.named(source)
        yield _rated(run, _land_all(run, received, sources, declared, 0))


@contextmanager
def preview_received(connection: Connection, url: str, file_id: int) -> Iterator[FilePreview]:
    """What a file of the registry would become if it were released now."""
    with dry_run(connection, dry_models(url)) as run:
        run.cursor.execute(
            "select f.file_name, f.origin, f.sha256, f.source_code, f.record_count > 0 "
            "and f.status_reason = 'same_content' from control.file as f where f.file_id = %s",
            (file_id,),
        )
        row = run.cursor.fetchone()
        if row is None:
            raise RatehouseError(f"there is no file {file_id}")
        name, origin, sha256, source_code, has_landed = row
        if has_landed:
            (found,) = _rated(run, [_landed(run, result_of(run.cursor, file_id), file_id, None)])
            yield found
            return
        sources = Sources(run.cursor)
        declared = None if source_code.startswith("unassigned") else sources.named(source_code)
        with open_originals().as_file(sha256) as path:
            landed = _land(run, Received(path, name, origin), sources, declared, 0)
            (found,) = _rated(run, [landed])
            yield found


def _rated(run: DryRun, previews: list[FilePreview]) -> list[FilePreview]:
    shown = [p.file_id for p in previews if p.file_id is not None]
    if shown:
        run.cursor.execute(_WAITING, {"shown": shown, "limit": _WAITING_RECORDS})
        run.file_ids = [*shown, *(file_id for (file_id,) in run.cursor.fetchall())]
        run.rate()
    for preview in previews:
        if preview.file_id is not None:
            _count(preview)
    return previews


def _land_all(
    run: DryRun, received: Received, sources: Sources, declared: Source | None, number: int
) -> list[FilePreview]:
    """One file; each file of an archive as a file of its own. The first is that of ``number``."""
    try:
        archive = open_archive(received.path)
    except OSError:
        # Whoever reads the file itself says what is wrong with it.
        archive = None
    if archive is None:
        return [_land(run, received, sources, declared, number)]
    try:
        archive.examine()
    except Hold as hold:
        return [_not_landed(run, received, "held", hold.code, hold.explanation)]
    found: list[FilePreview] = []
    with tempfile.TemporaryDirectory(prefix="ratehouse-archive-") as folder:
        path = Path(folder) / "member"
        for name, blocks in archive.members():
            with path.open("wb") as stream:
                stream.writelines(blocks)
            member = Received(path, f"{received.name}!{name}", f"{received.origin}!{name}")
            found.append(_land(run, member, sources, declared, number + len(found)))
    return found


def _not_landed(
    run: DryRun,
    received: Received,
    status: str,
    reason: str,
    explanation: str,
    detection: Mapping[str, object] | None = None,
) -> FilePreview:
    """A file of which nothing can be shown but why."""
    result = FileResult(
        None, received.name, received.origin, status, reason, explanation=explanation
    )
    return FilePreview(result, _facts(result, {"detection": detection}), run)


def _land(
    run: DryRun, received: Received, sources: Sources, source: Source | None, number: int
) -> FilePreview:
    hold: Hold | None = None
    for ignore_holds in (False, True):
        file_id = number + (_FIRST_HELD_FILE if ignore_holds else _FIRST_FILE)
        run.cursor.execute("savepoint file")
        try:
            result = land_in_transaction(
                run.cursor,
                received,
                sources,
                source,
                file_id=file_id,
                ignore_holds=ignore_holds,
            )
        except Hold as reason:
            run.cursor.execute("rollback to savepoint file")
            hold = hold or reason
            if reason.code not in _READABLE or ignore_holds:
                break
            continue
        except OSError as error:
            run.cursor.execute("rollback to savepoint file")
            explanation = f"cannot be read: {error.strerror or error}"
            return _not_landed(run, received, "failed", "unreadable", explanation)
        if result.status in _KNOWN and not ignore_holds:
            hold = Hold(result.status, result.explanation)
            run.cursor.execute("rollback to savepoint file")
            continue
        return _landed(run, result, file_id, hold)
    assert hold is not None
    return _not_landed(run, received, "held", hold.code, hold.explanation, hold.detection)


def _landed(run: DryRun, result: FileResult, file_id: int, hold: Hold | None) -> FilePreview:
    status, reason, explanation = result.status, result.status_reason, result.explanation
    if hold is not None:
        status = hold.code if hold.code in _KNOWN else "held"
        reason, explanation = hold.code, hold.explanation
    run.cursor.execute(
        "select f.encoding, f.compression, f.delimiter, f.detection, f.byte_count, f.sha256, "
        "f.trailer_count, f.trailer_total, f.file_kind, s.time_zone, s.carrier_code "
        "from control.file as f left join reference.source as s "
        "on f.source_code = s.source_code and s.recorded_to = 'infinity' "
        "and s.valid_during @> now() where f.file_id = %s",
        (file_id,),
    )
    names = [column.name for column in run.cursor.description or ()]
    extra = dict(zip(names, run.cursor.fetchone(), strict=True))
    shown = FileResult(
        None, result.file_name, result.origin, status, reason, result.source_code,
        result.layout_code, result.layout_variant, result.record_count, result.data_count,
        result.non_data_count, result.quarantined_count, result.duplicate_of_file_id, explanation,
    )  # fmt: skip
    return FilePreview(shown, _facts(shown, extra), run, file_id)


def _facts(result: FileResult, extra: dict[str, Any]) -> dict[str, Any]:
    detection = extra.get("detection") or {}
    return {
        "file": result.file_name,
        "path": result.origin,
        "status": result.status,
        "status_reason": result.status_reason,
        "explanation": result.explanation,
        "layout": result.layout_code,
        "variant": result.layout_variant,
        "scores": detection.get("scores", {}),
        "source": result.source_code,
        "carrier": extra.get("carrier_code"),
        "file_kind": extra.get("file_kind"),
        "time_zone": extra.get("time_zone"),
        "encoding": extra.get("encoding"),
        "compression": extra.get("compression"),
        "delimiter": extra.get("delimiter"),
        "header_line": detection.get("header_line"),
        "mapping": detection.get("mapping", {}),
        "bytes": extra.get("byte_count"),
        "sha256": extra.get("sha256"),
        "trailer_count": extra.get("trailer_count"),
        "trailer_total": extra.get("trailer_total"),
        "lines": {
            "total": result.record_count,
            "data": result.data_count,
            "non_data": result.non_data_count,
            "quarantined": result.quarantined_count,
        },
    }


def _count(preview: FilePreview) -> None:
    cursor = preview.run.cursor
    for name, query in _COUNTS.items():
        cursor.execute(query, (preview.file_id,))
        preview.facts[name] = dict(cursor.fetchall())
    states: dict[str, Any] = {
        "billable": 0, "not_billable": {}, "duplicate": {}, "error": {},
    }  # fmt: skip
    for view in ("int_usage__canonical", "int_charge__canonical"):
        cursor.execute(_STATES.format(view=view), (preview.file_id,))
        for state, reason, count in cursor.fetchall():
            if state == "billable":
                states["billable"] += count
            else:
                states[state][reason] = states[state].get(reason, 0) + count
    preview.facts["states"] = states
    # An undeclared source's zone is what its file shows.
    cursor.execute(
        "select start_zone from dry_usage.int_usage__canonical "
        "where file_id = %s and start_zone is not null limit 1",
        (preview.file_id,),
    )
    for (zone,) in cursor.fetchall():
        preview.facts["time_zone"] = zone
    outcomes = []
    for kind, fact, amount in (
        ("usage", "rated_usage", "retail_amount"),
        ("charge", "rated_charge", "charge_amount"),
    ):
        cursor.execute(_OUTCOMES.format(fact=fact, amount=amount), (preview.file_id,))
        outcomes += [
            {"kind": kind, "state": state, "reason": reason or None, "records": count,
             "amount": money, "cost": cost, "currency": currency}
            for state, reason, count, money, cost, currency in cursor.fetchall()
        ]  # fmt: skip
    preview.facts["outcome_if_loaded_now"] = outcomes


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
