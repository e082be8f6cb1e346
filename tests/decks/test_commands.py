"""The commands and the job: they show, and only with --yes (preview off) they change."""

from __future__ import annotations

import json

import dagster as dg
import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app
from tests.decks.conftest import SAMPLES, Warehouse

NOTICE = str(SAMPLES / "notice.csv")
GIVEN = [NOTICE, "--deck", "NOTICE", "--effective", "2026-10-01", "--partial"]


@pytest.fixture
def here(noticed: Warehouse, module_database: str, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", module_database)
    return noticed


def test_preview_and_import(here: Warehouse) -> None:
    run = CliRunner().invoke
    before = here.everything()
    shown = run(app, ["deck", "preview", *GIVEN])
    # Increases without notice: a person should look.
    assert shown.exit_code == 3, shown.output
    assert "10 rows, 15 codes" in shown.output and "increased" in shown.output
    assert "Nothing was changed" in shown.output
    assert run(app, ["deck", "import", *GIVEN]).exit_code == 3
    assert here.everything() == before
    done = run(app, ["deck", "import", *GIVEN, "--yes", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["changed"] is True
    assert found["difference"]["new"] == 6
    assert here.prices("NOTICE", "2026-10-10")["336"] == "0.031"


def test_the_command_asks_for_what_the_sheet_does_not_say(here: Warehouse) -> None:
    result = CliRunner().invoke(app, ["deck", "preview", NOTICE, "--deck", "NOTICE"])
    assert "row 14, Effective 'ASAP'" in str(result.exception)
    given = [*GIVEN[:-1], "--increment", "Mexico"]
    result = CliRunner().invoke(app, ["deck", "preview", *given])
    assert "write DESTINATION=60/60" in str(result.exception)


def test_the_job_shows_before_it_changes(here: Warehouse) -> None:
    from orchestration.defs.reference.decks import import_deck

    config = {
        "path": NOTICE, "deck": "NOTICE", "effective": "2026-10-01", "scope": "partial",
    }  # fmt: skip
    before = here.everything()

    def run(**more: object) -> dg.ExecuteInProcessResult:
        return import_deck.execute_in_process(
            run_config={"ops": {"import_rate_sheet": {"config": config | more}}}
        )

    (event,) = run().get_asset_observation_events()
    assert "increased" in str(event.asset_observation_data.asset_observation.metadata["difference"])
    assert here.everything() == before
    result = run(preview=False)
    (event,) = result.get_asset_materialization_events()
    assert "new" in str(event.materialization.metadata["difference"])
    assert here.prices("NOTICE", "2026-10-10")["336"] == "0.031"
