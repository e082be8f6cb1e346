"""Every rule of docs/correctness.md names tests, and every test it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from loaders.settings import project_root

_RULES = 21


def _named() -> dict[str, list[str]]:
    text = (project_root() / "docs" / "correctness.md").read_text(encoding="utf-8")
    rules = re.split(r"^## (F\d+) ", text, flags=re.MULTILINE)[1:]
    return {
        rule: re.findall(r"^- `([^`]+::[^`]+)`$", words, flags=re.MULTILINE)
        for rule, words in zip(rules[::2], rules[1::2], strict=True)
    }


def _is_there(path: Path, name: str) -> bool:
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    pattern = {
        ".py": rf"^ *def {name}\(",
        ".yml": rf"^ *- name: {name}$",
        ".sql": rf"{{% *test {name}\(" if path.parent.name == "macros" else "select",
    }[path.suffix]
    is_named = path.suffix != ".sql" or path.stem.removeprefix("test_") == name
    return is_named and re.search(pattern, text, flags=re.MULTILINE) is not None


def test_every_rule_is_guarded_by_tests_that_exist() -> None:
    named = _named()
    assert list(named) == [f"F{number}" for number in range(1, _RULES + 1)]
    assert [rule for rule, tests in named.items() if not tests] == []
    missing = [
        f"{rule}: {test}"
        for rule, tests in named.items()
        for test in tests
        if not _is_there(project_root() / test.partition("::")[0], test.partition("::")[2])
    ]
    assert missing == []


def test_a_name_that_is_no_test_is_told() -> None:
    """What looks for the names finds them, and nothing else."""
    root = project_root()
    own = Path(__file__)
    assert _is_there(own, "test_a_name_that_is_no_test_is_told")
    assert not _is_there(own, "test_a_name_that_is_no_test")
    assert not _is_there(own.with_name("test_nothing.py"), "test_nothing")
    assert _is_there(root / "macros" / "test_known_reason.sql", "known_reason")
    assert not _is_there(root / "macros" / "round_money.sql", "round_money")
    assert not _is_there(root / "dbt_project/tests/assert_run_balances.sql", "assert_balances")
