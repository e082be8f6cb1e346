"""The mutation check itself: the list fits the code, a mutant dies, and a survivor is told of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loaders.settings import project_root
from tests.mutation.catalogue import BadList, read_mutants
from tests.mutation.worlds import NAMES
from tests.servers import TEST_DATABASE_VARIABLE

_LIST = """
[[mutant]]
name = "dies"
file = "macros/round_money.sql"
text = "% 2 = 0"
becomes = "% 2 = 1"
breaks = "half_even takes the odd neighbour"

[[mutant]]
name = "lives"
file = "macros/round_money.sql"
text = "when 'half_up' then"
becomes = "when 'half_up'::text then"
breaks = "nothing"

[[mutant]]
name = "does_not_run"
file = "macros/round_money.sql"
text = "when 'down' then trunc("
becomes = "when 'down' then no_such_function("
breaks = "everything"
"""


def test_every_mutant_still_fits_the_code() -> None:
    """Text by text; and every test that one names is there."""
    mutants = read_mutants()
    assert len(mutants) >= 60
    for mutant in mutants:
        assert mutant.ask is None or mutant.ask in NAMES, mutant.name
        for test in mutant.tests:
            assert (project_root() / test.partition("::")[0]).is_file(), mutant.name


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("% 2 = 0", "% 3 = 0", "dies: its text stands 0 times in macros/round_money.sql, not 1"),
        ("round_money", "no_such", "dies: macros/no_such.sql is no longer there"),
        ('"lives"', '"dies"', "dies: listed twice"),
        ("breaks =", "brakes =", "dies: has no breaks"),
        ('"% 2 = 1"', '"% 2 = 0"', "dies: changes nothing"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "mutants.toml"
    path.write_text(_LIST.replace(old, new))
    with pytest.raises(BadList, match=words.replace(".", r"\.")):
        read_mutants(path)


def test_a_survivor_fails_the_check(tmp_path: Path, server_url: str) -> None:
    """In a process of its own: dbt inside this one would keep its settings."""
    path = tmp_path / "mutants.toml"
    path.write_text(_LIST)
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--list", str(path), "--world", "cases"],
        cwd=project_root(),
        env={**os.environ, TEST_DATABASE_VARIABLE: server_url},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    told = done.stdout.splitlines()
    assert [line.split()[0] for line in told[:3]] == ["killed", "SURVIVED", "killed"], (
        done.stdout + done.stderr
    )
    assert "dies: by cases: 1 wrong answers: M-ROUN-3: failed" in told[0]
    assert "lives (macros/round_money.sql): nothing; asked: cases" in told[1]
    assert "does_not_run: by cases: does not run: function no_such_function" in told[2]
    assert told[-1] == "3 mutants: 2 killed, 1 survived"
    assert done.returncode == 1
