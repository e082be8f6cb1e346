"""All cases of a file in one dry run on a scratch database."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from loaders.database import connect, migrate
from loaders.files.landing import Received
from loaders.files.sources import Sources
from loaders.files.trial import land_in_transaction
from loaders.reference import ReferenceRefused, load_reference
from loaders.runs.dry import DryModels, dry_run
from orchestration.lib.dry_models import dry_models
from tests.cases.book import Case, NotSupported, same
from tests.cases.results import Ask, Results
from tests.cases.translate import translate
from tests.cases.world import BILL_GROUP, Bench, Catalogue, World
from tests.servers import drop_database, execute, with_database

_FIRST_FILE = 1


@dataclass
class Outcome:
    """What became of one case."""

    case: Case
    status: str = "passed"
    # Failed: key, expected, got.
    differences: list[tuple[str, Any, Any]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.status == "failed":
            told = "; ".join(
                f"{key}: expected {_shown(expected)}, got {_shown(got)}"
                for key, expected, got in self.differences
            )
            return f"{self.case.id}: failed ({told})"
        if self.status == "not supported":
            return f"{self.case.id}: not supported ({'; '.join(self.reasons)})"
        return f"{self.case.id}: passed"


@contextlib.contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """A migrated database that is dropped afterwards: its URL."""
    name = f"ratehouse_cases_{secrets.token_hex(4)}"
    execute(server_url, "create database {}", name)
    url = with_database(server_url, name)
    try:
        migrate(url)
        yield url
    finally:
        drop_database(server_url, url)


def run_cases(cases: Sequence[Case], url: str, reference: Sequence[Path]) -> list[Outcome]:
    """Rate all cases in the database of this URL; only reference data stays behind."""
    with tempfile.TemporaryDirectory(prefix="ratehouse-cases-") as folder:
        return Prepared(cases, url, reference, Path(folder)).run(dry_models(url))


class Prepared:
    """Cases whose reference data is loaded: they can be rated again and again.

    ``folder`` takes the files; it must stay as long as they are needed.
    """

    def __init__(
        self, cases: Sequence[Case], url: str, reference: Sequence[Path], folder: Path
    ) -> None:
        self._cases = cases
        self._url = url
        self._folder = folder
        self._asks: dict[str, dict[str, Ask]] = {}
        self._refused: dict[str, list[str]] = {case.id: [] for case in cases}
        with contextlib.closing(connect(url=url)) as connection:
            with connection, connection.cursor() as cursor:
                self._world = World(Catalogue(cursor), reference)
            for number, case in enumerate(cases, start=1):
                self._translate(case, number)
            refused = _load_reference(connection, self._world, folder)
            refused |= self._world.import_sheets(connection, folder)
        for case_id, reason in refused.items():
            self._refused[case_id].append(reason)
            self._asks.pop(case_id, None)

    def _translate(self, case: Case, number: int) -> None:
        try:
            self._asks[case.id] = translate(case, Bench(self._world, case, number))
        except NotSupported as reason:
            self._refused[case.id].append(str(reason))
            self._world.forget([case.id])
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            self._refused[case.id].append(f"needs inputs of another form ({error!r})")
            self._world.forget([case.id])

    def run(self, models: DryModels) -> list[Outcome]:
        """Rate all cases and judge the answers."""
        outcomes = {
            case.id: Outcome(case, reasons=list(self._refused[case.id])) for case in self._cases
        }
        with contextlib.closing(connect(url=self._url)) as connection:
            results = rate_world(connection, models, self._world, self._folder)
        for case_id, answers in self._asks.items():
            _judge(outcomes[case_id], answers, results)
        for outcome in outcomes.values():
            if outcome.differences:
                outcome.status = "failed"
            elif outcome.reasons:
                outcome.status = "not supported"
        return list(outcomes.values())


def _load_reference(connection: Connection, world: World, folder: Path) -> dict[str, str]:
    """Load all reference files; a case whose rows are refused is left out, the rest goes on."""
    refused: dict[str, str] = {}
    while True:
        try:
            for kind, path in world.write_reference(folder):
                load_reference(connection, kind, path)
        except ReferenceRefused as error:
            owners = {
                world.case_of_line(error.kind, refusal.line): str(refusal)
                for refusal in error.refusals
                if refusal.line is not None and refusal.line > 1
            }
            if not owners or not owners.keys().isdisjoint(refused):
                raise
            refused |= {
                case: f"its reference data is refused: {why}" for case, why in owners.items()
            }
            world.forget(owners)
            continue
        return refused


def rate_world(connection: Connection, models: DryModels, world: World, folder: Path) -> Results:
    """Rate the records of a world whose reference data is loaded, and draft its invoices."""
    with dry_run(connection, models) as run:
        sources = Sources(run.cursor)
        file_ids: dict[str, int] = {}
        for number, (source_code, path) in enumerate(world.write_files(folder)):
            file_id = _FIRST_FILE + number
            result = land_in_transaction(
                run.cursor, Received(path), sources, sources.named(source_code),
                file_id=file_id, ignore_holds=True,
            )  # fmt: skip
            if result.status != "landed":
                raise RuntimeError(f"{path.name}: {result}")
            file_ids[source_code] = file_id
        # Cases may lie in the future, which a real file cannot know.
        run.cursor.execute("update control.file set received_at = '2200-01-01'")
        run.file_ids = list(file_ids.values())
        run.rate()
        results = Results(run.cursor, file_ids)
        for month in sorted(world.months):
            with run.invoice(month, BILL_GROUP):
                results.read_invoices(run.cursor, month)
        return results


def _judge(outcome: Outcome, answers: dict[str, Ask], results: Results) -> None:
    for key, expected in outcome.case.expected.items():
        if key not in answers:
            outcome.reasons.append(f"needs an answer '{key}'")
            continue
        try:
            got = answers[key](results)
        except NotSupported as reason:
            outcome.reasons.append(str(reason))
            continue
        except (LookupError, TypeError) as error:
            got = f"({error})"
        if not same(expected, got):
            outcome.differences.append((key, expected, got))


def _shown(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
