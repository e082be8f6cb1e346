"""The harness itself: made-up cases of every kind pass, and nothing else does."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cases.__main__ import REFERENCE, main, report
from tests.cases.book import BadFile, Case, read_cases, same
from tests.cases.running import Outcome, run_cases

MADE_UP = Path(__file__).parent / "made_up.csv"
# A collection of worked cases, where one is at hand.
SHARED = [path for path in (REFERENCE / "worked_cases.csv",) if path.is_file()]

_NPA_HEADER = (
    "NPA_ID,USE,LOCATION,COUNTRY,IN_SERVICE,SERVICE,TIME_ZONE\n"
    "212,G,NY,US,Y,,E\n315,G,NY,US,Y,,E\n224,G,IL,US,Y,,C\n800,N,,,Y,Toll-Free,\n833,N,,,Y,Toll-Free,\n"
)
_CODES = (
    "State\tNPA-NXX\tOCN\tCompany\tRateCenter\tUse\tIn Service\tFile Updated 07/06/2026\n"
    + "".join(
        f"{state}\t{code}\t1234\tSOME CARRIER\tCENTRE\tAS\tYes\n"
        for state, code in (("NY", "212-555"), ("NY", "315-555"), ("IL", "224-555"))
    )
)
_DECK = (
    "Destination,Prefix,First Interval,Sub Interval,Rate\n"
    "Nowhere,+44,60,60,0.5\nSomewhere,+4420,30,6,0.1\nPremium,+449,60,60,\n"
)
_US_DECK = (
    "prefix,interstate_rate,intrastate_rate,indeterminate_rate,initial_increment,increment\n"
    "1315555,0.01,0.02,0.03,6,6\n"
)


def write_reports(folder: Path) -> Path:
    """Decks and reports that cases name, made up."""
    (folder / "npa_report_tiny.csv").write_text("File Date,08/17/2026\n" + _NPA_HEADER)
    (folder / "co_codes_tiny.txt").write_text(_CODES)
    (folder / "tiny_deck.csv").write_text(_DECK)
    (folder / "tiny_us_deck.csv").write_text(_US_DECK)
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of those."""
    return write_reports(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module")
def outcomes(make_database: Callable[[], str], reference: Path) -> dict[str, Outcome]:
    """The made-up cases as they stand, each with wrong answers, and cases nobody can run."""
    cases = read_cases(MADE_UP)
    wrong = [
        Case(f"{case.id}-wrong", case.area, case.rule, case.inputs, _wrong(case.expected))
        for case in cases
    ]
    odd = [
        Case("odd-input", "increments", "", {"duration_s": 5, "moon": "full"}, {"billed_s": 5}),
        Case("odd-key", "increments", "", {"duration_s": 5}, {"billed_s": 5, "moon": "full"}),
        Case("odd-area", "astrology", "", {"moon": "full"}, {"charge": "1"}),
        Case(
            "odd-setting",
            "increments",
            "",
            {"duration_s": 5, "increment_base": "x"},
            {"billed_s": 5},
        ),
        Case(
            "odd-row", "increments", "", {"duration_s": 5, "rate_per_min": "free"}, {"billed_s": 5}
        ),
        Case(
            "odd-method",
            "proration",
            "",
            {"monthly_fee": "30", "days": 5, "method": "the moon"},
            {"amount": "5"},
        ),
        Case(
            "odd-steps",
            "time_bands",
            "",
            {
                "units": 5,
                "steps": [
                    {"from": 0, "inc": 1, "price": "1"},
                    {"from": 1, "inc": 1, "price": "2"},
                ],
            },
            {"charge": "9"},
        ),
        Case("odd-deck", "prefix", "", {"deck": "no_such", "destination": "44"}, {"prefix": "44"}),
    ]
    found = run_cases([*cases, *wrong, *odd], make_database(), [reference])
    return {outcome.case.id: outcome for outcome in found}


def _wrong(expected: dict[str, Any]) -> dict[str, Any]:
    """Other answers to the same questions."""
    return {key: _other(value) for key, value in expected.items()}


def _other(value: Any) -> Any:
    try:
        return str(Decimal(str(value)) + Decimal("0.0001"))
    except ArithmeticError:
        return f"not {value}"


@pytest.mark.parametrize("case", read_cases(MADE_UP), ids=lambda case: case.id)
def test_a_made_up_case_passes_and_its_opposite_fails(
    case: Case, outcomes: dict[str, Outcome]
) -> None:
    assert str(outcomes[case.id]) == f"{case.id}: passed"
    opposite = outcomes[f"{case.id}-wrong"]
    assert opposite.status == "failed"
    assert [key for key, _, _ in opposite.differences] == list(case.expected)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("odd-input", "needs a meaning for the input moon"),
        ("odd-key", "needs an answer 'moon'"),
        ("odd-area", "needs a translation of the inputs moon"),
        ("odd-setting", "needs plan.increment_base = x"),
        ("odd-row", "its reference data is refused: line"),
        ("odd-method", "needs proration by the moon"),
        ("odd-steps", "needs price steps of messages and data"),
        ("odd-deck", "needs the deck no_such in the reference folder"),
    ],
)
def test_what_cannot_be_run_says_why_and_disturbs_nobody(
    case: str, words: str, outcomes: dict[str, Outcome]
) -> None:
    assert outcomes[case].status == "not supported"
    assert words in str(outcomes[case])


def test_values_are_compared_as_numbers_where_they_are() -> None:
    assert same("0.30", Decimal("0.3"))
    assert not same("0.30", Decimal("0.3000000001"))
    assert not same("0256", "256")
    assert not same("0", None)
    assert same(["a", "1"], ["a", 1])


def test_the_report_says_what_failed_and_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Case("X-1", "fees", "", {}, {"charge": "1"})
    report(
        [
            Outcome(case, "failed", [("charge", "1", Decimal("2.50"))]),
            Outcome(Case("X-2", "fees", "", {}, {}), "not supported", reasons=["needs more"]),
            Outcome(Case("X-3", "fees", "", {}, {})),
        ]
    )
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "X-1: failed (charge: expected 1, got 2.5)"
    assert told[1] == "X-2: not supported (needs more)"
    assert "    1  needs more: X-2" in told
    assert told[-1] == "1 passed, 1 failed, 1 not supported"


def test_a_file_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cases.csv"
    for text, words in (
        ("id,area\nA,b\n", "line 1: there is no column inputs_json, expected_json"),
        ("id,area,inputs_json,expected_json\nA,b,{},[1]\n", "line 2, expected_json: must be"),
        ("id,area,inputs_json,expected_json\nA,b,{,{}\n", "line 2, inputs_json: "),
        ("id,area,inputs_json,expected_json\nA,b,{},{}\nA,b,{},{}\n", "twice: A"),
    ):
        path.write_text(text)
        with pytest.raises(BadFile, match=words):
            read_cases(path)
    assert main([str(tmp_path / "none.csv")]) == 2
    assert "none.csv cannot be read" in capsys.readouterr().err


def test_the_command_exits_with_one_if_a_case_fails(
    tmp_path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_TEST_DATABASE_URL", server_url)
    path = tmp_path / "cases.csv"
    for expected, code in ((5, 0), (6, 1)):
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows(
                [
                    ["id", "area", "inputs_json", "expected_json"],
                    ["A", "increments", '{"duration_s":5}', json.dumps({"billed_s": expected})],
                ]
            )
        assert main([str(path)]) == code


def test_no_case_fails(make_database: Callable[[], str]) -> None:
    """The made-up cases, and the shared ones where they are at hand."""
    for path in (MADE_UP, *SHARED):
        found = run_cases(read_cases(path), make_database(), [path.parent])
        assert [str(outcome) for outcome in found if outcome.status == "failed"] == []
