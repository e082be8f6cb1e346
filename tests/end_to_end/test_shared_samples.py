"""Files of real writers, where a collection of them is at hand: none is lost, none crashes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loaders.files import FileResult
from loaders.settings import project_root
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import write_small_reference
from tests.end_to_end.warehouse import Warehouse
from tests.loaders import samples

OWN = "own sample"
_COLLECTION = Path(
    os.environ.get("RATEHOUSE_SAMPLES") or project_root().parent / "shared" / "formats" / "samples"
)
FILES = {
    f"{folder}/{path.name}": path
    for folder in ("asterisk", "dirt")
    for path in sorted(_COLLECTION.glob(f"{folder}/*"))
    if path.is_file()
}


@pytest.fixture(scope="module")
def results(
    warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, FileResult]:
    """All of them loaded without being told what they are, and rated by one run."""
    folder = tmp_path_factory.mktemp("samples")
    warehouse.load_reference(write_small_reference(folder / "reference"))
    own = folder / "own.csv"
    own.write_text(samples.lines(*map(samples.cdr_csv, range(7))))
    loaded = {}
    for name, path in {OWN: own, **FILES}.items():
        (loaded[name],) = warehouse.load(path)
    assert warehouse.rate() is not None
    return loaded


@pytest.mark.parametrize("name", [OWN, *FILES])
def test_every_record_of_a_sample_is_held_or_rated(
    name: str, results: dict[str, FileResult], warehouse: Warehouse
) -> None:
    result = results[name]
    assert result.status in ("landed", "held"), result.explanation
    assert result.record_count > 0 or result.status == "held"
    rated, unexplained = warehouse.rows(
        "select count(*), count(*) filter (where state = 'error' and reason is null) "
        "from rating.current_rated_usage where file_id = %s and leg_no = 1",
        result.file_id,
    )[0]
    assert unexplained == 0
    if result.status == "held":
        assert (rated, bool(result.explanation)) == (0, True)
    elif result.layout_code != "carrier_charge":
        assert rated == result.data_count


def test_all_samples_together_balance(
    results: dict[str, FileResult], warehouse: Warehouse
) -> None:
    assert assert_balanced(warehouse) == len(results)
