"""Shadow billing run: what a change of rules or prices would do to a month, and whether it may."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from loaders import database, runs
from loaders.errors import RatehouseError
from loaders.runs import shadow as engine
from loaders.runs import shadow_result
from loaders.runs.schemas import relation_exists
from loaders.runs.shadow_plan import Plan, make_plan
from loaders.runs.shadow_result import Outcome, Thresholds
from loaders.settings import home, project_root
from orchestration.lib import code_trees, impact_report, paths, progress
from orchestration.lib.code_trees import WORKING_TREE

THRESHOLD_FILE = "impact.toml"
_CODE = ("dbt_project/", "macros/", "seeds/", "loaders/", "orchestration/")
_MODELS = ("dbt_project/", "macros/", "seeds/")


@dataclass(frozen=True)
class Request:
    """What is rehearsed, over what, and how it is judged."""

    # Empty: the last month that was drafted, else rated.
    period: str = ""
    # A git ref; empty: the working tree.
    proposed: str = WORKING_TREE
    # What production runs; empty: the commit its last run recorded, else the last commit.
    base: str = ""
    # Reference files as kind and path; applied only inside the shadow.
    reference: tuple[tuple[str, Path], ...] = ()
    # The files are everything there is of their kinds.
    full: bool = False
    bill_groups: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    every: int = 1
    # With the reference data of now, and not as of the month's last rating run.
    known_now: bool = False
    keep: bool = False
    out: Path | None = None
    top: int = shadow_result.TOP
    threshold_file: Path | None = None
    thresholds: tuple[str, ...] = ()

    def to_config(self) -> dict[str, Any]:
        """As control.shadow_run keeps it."""
        return {
            "period": self.period,
            "proposed": self.proposed or "working tree",
            "base": self.base,
            "reference": [[kind, str(path)] for kind, path in self.reference],
            "full": self.full,
            "bill_groups": list(self.bill_groups),
            "accounts": list(self.accounts),
            "every": self.every,
            "known_now": self.known_now,
            "thresholds": list(self.thresholds),
        }


@dataclass(frozen=True)
class Result:
    """What a shadow came to."""

    verdict: str
    sentences: list[str]
    outcome: Outcome | None
    plan: Plan
    shadow_run_id: int | None = None
    facts: tuple[tuple[str, str], ...] = ()
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def report(self) -> impact_report.Report:
        """What the pages show."""
        return impact_report.Report(
            "Impact of a change", self.verdict, self.facts, self.sentences, self.outcome
        )

    @property
    def headline(self) -> str:
        """The verdict in words."""
        return self.report.headline

    @property
    def passes(self) -> bool:
        """Whether the gate lets it through: a change somebody should look at is no failure."""
        return self.verdict != shadow_result.FAIL

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "verdict": self.verdict,
            "shadow_run_id": self.shadow_run_id,
            "said": self.sentences,
            "changed_models": list(self.plan.changed),
            "removed_models": list(self.plan.removed),
            "counts": {} if self.outcome is None else self.outcome.counts,
            "checks": _records(
                shadow_result.CHECK_COLUMNS, [] if self.outcome is None else self.outcome.checks
            ),
            "tables": {}
            if self.outcome is None
            else {t.title: _records(t.columns, t.rows) for t in self.outcome.tables},
            "files": {name: str(path) for name, path in self.files.items()},
        }


def _records(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def parse_reference(texts: Sequence[str]) -> tuple[tuple[str, Path], ...]:
    """`rate=new_prices.csv`, or a file that bears the name of its kind."""
    found = []
    for text in texts:
        kind, equals, name = text.partition("=")
        path = Path(name if equals else text).expanduser()
        kind = kind if equals else path.name.split(".")[0]
        if kind not in engine.KINDS:
            raise RatehouseError(
                f"'{text}' does not say what it holds: write it as rate={path.name}; there are: "
                + ", ".join(engine.KINDS)
            )
        if not path.is_file():
            raise RatehouseError(f"{path} is not a file")
        found.append((kind, path))
    return tuple(found)


def rehearse(request: Request, *, requested_by: str) -> Result:
    """Build what changed beside production over a month, compare, judge, and clean up."""
    if paths.build_schema():
        raise RatehouseError(
            f"a shadow is set beside production, and RATEHOUSE_BUILD_SCHEMA is "
            f"'{paths.build_schema()}': unset it"
        )
    if request.every < 1:
        raise RatehouseError("a sample is every n-th account, n from 1 on")
    thresholds = _thresholds(request)
    url = database.database_url()
    if not request.period:
        request = replace(request, period=last_period(url))
    period_month = runs.parse_period(request.period)
    base = base_commit(url, request.base)
    progress.say(f"comparing {request.proposed or 'the working tree'} with {base[:12]}")
    before = code_trees.models_at(url, base)
    after = code_trees.models_at(url, request.proposed)
    with closing(database.connect(url=url)) as connection:
        proposal = engine.propose_reference(connection, request.reference, full=request.full)
        plan = make_plan(before, after, tuple(proposal.tables))
        said = [*_about_code(request, base, plan), *proposal.said]
        if plan.is_empty:
            nothing = "No amount can come out differently: nothing was built."
            return _write(
                Result(shadow_result.PASS, [*said, nothing], None, plan), request, base, None
            )
        scope = _scope(connection, request, period_month)
        cutoff = engine.known_when(connection, period_month)
        if cutoff is None:
            raise RatehouseError(
                f"nothing of {period_month:%Y-%m} was rated yet: there is nothing to compare with"
            )
        job = engine.begin(
            connection,
            scope,
            config=request.to_config(),
            base_code=base,
            proposed_code=code_trees.commit_of(request.proposed) if request.proposed else "",
            requested_by=requested_by,
            is_kept=request.keep,
        )
        try:
            said += _built(plan, job)
            folder = request.out or home() / "shadow" / f"run_{job.shadow_run_id}"
            folder.mkdir(parents=True, exist_ok=True)
            outcome, notes = _work(url, job, after, plan, proposal, scope, request, base,
                                   thresholds, cutoff, folder)  # fmt: skip
            result = Result(outcome.verdict, [*said, *notes], outcome, plan, job.shadow_run_id)
            result = _write(result, request, base, folder)
            kept = json.loads(json.dumps(result.to_json(), default=str))
            engine.end(connection, job, outcome.verdict, kept)
        except BaseException as error:
            engine.fail(connection, job, str(error) or "interrupted")
            raise
    return result


def last_period(url: str) -> str:
    """The last month with drafts or posted invoices, else the last one with rated usage."""
    with closing(database.connect(url=url)) as session, session, session.cursor() as cursor:
        cursor.execute(
            "select max(period_month) from control.invoice_run "
            "where build_schema = '' and drafted_at is not null"
        )
        (found,) = cursor.fetchone()
        if found is None and relation_exists(cursor, "", "rating", "usage_total"):
            cursor.execute("select max(period_month) from rating.usage_total")
            (found,) = cursor.fetchone()
    if found is None:
        raise RatehouseError(
            "nothing was rated yet, so there is nothing to compare with: a demo month comes with "
            "`make demo`"
        )
    return f"{found:%Y-%m}"


def _thresholds(request: Request) -> Thresholds:
    path = request.threshold_file
    default = project_root() / THRESHOLD_FILE
    if path is None and default.is_file():
        path = default
    return shadow_result.read_thresholds(path, request.thresholds)


def base_commit(url: str, asked: str) -> str:
    """The commit to compare with: the one asked for, else that of production's last run."""
    if asked:
        return code_trees.commit_of(asked)
    with closing(database.connect(url=url)) as session, session, session.cursor() as cursor:
        cursor.execute(
            "select code_commit from control.rating_run "
            "where build_schema = '' and status = 'closed' order by rating_run_id desc limit 1"
        )
        row = cursor.fetchone()
    with suppress(RatehouseError):
        if row is not None and row[0]:
            return code_trees.commit_of(row[0])
    return code_trees.commit_of("HEAD")


def _scope(connection: Any, request: Request, period_month: date) -> engine.Scope:
    known = runs.bill_groups(connection)
    for group in request.bill_groups:
        if group not in known:
            raise RatehouseError(
                f"no account belongs to bill group '{group}' (known: {', '.join(known)})"
            )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select c.code from unnest(%s::text[]) as c (code) where not exists ("
            "select from reference.account_key as k where k.account_code = c.code)",
            (list(request.accounts),),
        )
        if missing := [row[0] for row in cursor.fetchall()]:
            raise RatehouseError(f"there is no account {', '.join(missing)}")
    return engine.Scope(
        period_month, request.bill_groups or tuple(known), request.accounts, request.every
    )


def _about_code(request: Request, base: str, plan: Plan) -> list[str]:
    files = [name for name in code_trees.changed_files(base, request.proposed)
             if name.startswith(_CODE)]  # fmt: skip
    said = []
    if plan.changed or plan.removed:
        said.append(f"Changed models and seeds: {_few([*plan.changed, *plan.removed])}.")
    else:
        said.append("No model that rates or bills is different.")
    if plan.touched:
        said.append(f"Models that read the proposed data: {_few(plan.touched)}.")
    others = [name for name in files if not name.startswith(_MODELS)]
    if others:
        said.append(
            f"Not rehearsed, because it is no SQL of the models: {_few(others)}. Lines stay as "
            "they were landed."
        )
    return said


def _built(plan: Plan, job: engine.Job) -> list[str]:
    count = len(plan.rating) + len(plan.billing)
    words = {
        (True, True): "usage and charges are rated again",
        (True, False): "usage is rated again, charges stand",
        (False, True): "charges are rated again, usage stands",
        (False, False): "what was rated stands, invoices are drafted again",
    }[plan.rates_usage, plan.rates_charges]
    said = (
        f"{count} models built in {job.build_schema}_*, {len(plan.deferred)} left as production "
        f"has them: {words}."
    )
    progress.say(said)
    return [said]


def _work(
    url: str,
    job: engine.Job,
    models: Any,
    plan: Plan,
    proposal: engine.Proposal,
    scope: engine.Scope,
    request: Request,
    base: str,
    thresholds: Thresholds,
    cutoff: Any,
    folder: Path,
) -> tuple[Outcome, list[str]]:
    tables = tuple(proposal.tables)
    with closing(
        database.connect(url=url, application_name=f"ratehouse {job.build_schema}")
    ) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("set role ratehouse_transformer")
            cursor.execute("set timezone = 'UTC'")
            cursor.execute("select clock_timestamp()")
            (now,) = cursor.fetchone()
            is_now = request.known_now or bool(tables)
            shadow = engine.Shadow(
                cursor,
                engine.shadow_models(models, plan, job.build_schema, tables),
                prefix=job.build_schema,
                scope=scope,
                plan=plan,
                chain=models,
                reference_tables=tables,
                say=progress.say,
            )
            shadow.prepare(proposal, now if is_now else cutoff)
            progress.say(f"{scope.period_month:%Y-%m} copied: {len(shadow.file_ids):,} file(s)")
            shadow.rate_month()
            counts = shadow_result.compare_rating(shadow)
            notes, is_billed = _bill(shadow, plan, scope, counts)
            shadow_result.compare_invoices(shadow, is_billed)
            outcome = shadow_result.outcome(shadow, counts, thresholds, top=request.top)
            shadow_result.write_csv(shadow, folder)
            notes += _notes(cursor, scope, base, is_now, cutoff)
    return outcome, notes


def _bill(
    shadow: engine.Shadow, plan: Plan, scope: engine.Scope, counts: Mapping[str, int]
) -> tuple[list[str], bool]:
    if not relation_exists(shadow.cursor, "", "billing", "draft_invoice"):
        return ["Invoices are not compared: nothing was ever drafted."], False
    drafts = shadow.take_production_invoices()
    if not drafts:
        return [f"Invoices are not compared: {scope.period_month:%Y-%m} has no drafts yet."], False
    if not counts["changed_records"] and not plan.changes_billing:
        return ["Nothing rated changes, so invoices stay as they are."], False
    shadow.take_balances()
    for group, _, _ in drafts:
        shadow.bill(group)
        progress.say(f"invoices of {group} drafted in the shadow")
    said = []
    missing = sorted(set(scope.bill_groups) - {row[0] for row in drafts})
    if missing:
        said.append(f"Invoices of {_few(missing)} are not compared: they have no drafts.")
    stale = sorted(row[0] for row in drafts if row[2])
    if stale:
        said.append(
            f"Drafts of {_few(stale)} are older than the last run: their invoices may differ for "
            "that alone. Draft them again for a plain comparison."
        )
    return said, True


_OTHER_CODE = """
    select array_agg(r.rating_run_id order by r.rating_run_id)
    from control.rating_run as r
    where r.build_schema = '' and r.status = 'closed'
        and (r.code_commit is distinct from %(base)s or r.code_is_dirty)
        and r.rating_run_id in (
            select u.rating_run_id from rating.usage_total as u where u.period_month = %(month)s
        )
"""


def _notes(cursor: Any, scope: engine.Scope, base: str, is_now: bool, cutoff: Any) -> list[str]:
    said = []
    cursor.execute(_OTHER_CODE, {"base": base, "month": scope.period_month})
    (others,) = cursor.fetchone()
    if others:
        said.append(
            f"Run {_few([str(number) for number in others])} of the month was made by other code "
            f"than {base[:12]}, or by code that was changed and not committed: a difference may "
            "come from that."
        )
    if is_now:
        cursor.execute(
            "select count(*) from control.reference_load where recorded_at > %s", (cutoff,)
        )
        (loads,) = cursor.fetchone()
        if loads:
            said.append(
                f"{loads} reference file(s) were loaded since the month was rated: what they "
                "changed is in the difference too."
            )
    if scope.every > 1:
        said.append(
            f"A sample: every account whose number is a multiple of {scope.every}. Suspense is "
            "left out."
        )
    elif scope.accounts:
        said.append(f"Only {_few(list(scope.accounts))}; suspense is left out.")
    return said


def _few(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _write(result: Result, request: Request, base: str, folder: Path | None) -> Result:
    """The report as Markdown, HTML and JSON."""
    folder = folder or request.out or home() / "shadow" / "last"
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"report.{name}" for name in ("md", "html", "json")}
    if result.outcome is not None:
        files |= {f"{name}.csv": folder / f"{name}.csv" for name in ("calls", "charges", "lines")}
    facts = (
        ("Month", request.period),
        ("Proposed", request.proposed or "working tree"),
        ("Compared with", base[:12]),
        ("Shadow run", str(result.shadow_run_id or "none was needed")),
    )
    written = replace(result, facts=facts, files=files)
    report = written.report
    files["md"].write_text(impact_report.markdown(report), encoding="utf-8")
    files["html"].write_text(impact_report.html_page(report), encoding="utf-8")
    files["json"].write_text(
        json.dumps(written.to_json(), indent=2, default=str, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    return written
