"""What a change reaches, what is built for it, and how the verdict is found."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from loaders.errors import RatehouseError
from loaders.runs.dry import DryModels, Model, Seed
from loaders.runs.shadow import own_names
from loaders.runs.shadow_plan import Plan, essence, make_plan
from loaders.runs.shadow_result import (
    CUSTOMER_COLUMNS,
    Limit,
    Thresholds,
    judge,
    read_thresholds,
    worst,
)
from orchestration.lib import code_trees
from orchestration.lib.impact_report import Report, html_page, readable

# name, layer and what it reads, as the real chain in small
_RATING = {
    "prices": ("lookup", 'select * from "reference"."rate"'),
    "legs": ("usage", 'select * from "dry_seeds"."rules"'),
    "rated_usage": (
        "rating", 'select * from "dry_usage"."legs" join "dry_lookup"."prices" using (prefix)'
    ),
    "rated_charge": ("rating", 'select * from "reference"."charge_tariff"'),
}  # fmt: skip
_BILLING = {
    "current_rated_usage": ("rating", 'select * from "dry_rating"."rated_usage"'),
    "usage_total": ("rating", 'select sum(a) as a from "dry_rating"."rated_usage"'),
    "current_rated_charge": ("rating", 'select * from "dry_rating"."rated_charge"'),
    "charge_total": ("rating", 'select sum(a) as a from "dry_rating"."rated_charge"'),
    "usage_lines": ("billing", 'select * from "dry_rating"."usage_total", "reference"."discount"'),
    "charge_lines": ("billing", 'select * from "dry_rating"."charge_total"'),
    "draft_invoice_line": (
        "billing",
        'select * from "dry_billing"."usage_lines" union all '
        'select * from "dry_billing"."charge_lines"',
    ),
    "draft_invoice": ("billing", 'select sum(a) from "dry_billing"."draft_invoice_line"'),
    "fct_charge": ("marts", 'select * from "dry_rating"."current_rated_charge"'),
}


def models(rule: str = "1", **changed: str) -> DryModels:
    def part(given: dict[str, tuple[str, str]]) -> tuple[Model, ...]:
        return tuple(
            Model(name, f"dry_{layer}", False, False, changed.get(name, sql))
            for name, (layer, sql) in given.items()
        )

    seed = Seed("rules", "dry_seeds", ("code",), ("text",), ((rule,),))
    return DryModels((seed,), part(_RATING), part(_BILLING))


def plan(*reference: str, rule: str = "1", **changed: str) -> Plan:
    return make_plan(models(), models(rule, **changed), reference)


def names(built: tuple[Model, ...]) -> list[str]:
    return [model.name for model in built]


def test_comments_and_white_space_are_no_content() -> None:
    assert essence("select  1 -- one\n  + /* two */ 1") == essence("select 1 + 1\n")
    for one, other in (
        ("select '--a'", "select '--b'"),
        ("select 'a  b'", "select 'a b'"),
        ("select 'it''s  -- a'", "select 'it''s -- a'"),
        ('select "a  b"', 'select "a b"'),
        ("select $$a  b$$", "select $$a b$$"),
    ):
        assert essence(one) != essence(other)
    assert plan(legs='-- why\nselect *   from "dry_seeds"."rules"').is_empty


def test_a_change_of_usage_leaves_the_charges_to_production() -> None:
    found = plan(legs='select 2 from "dry_seeds"."rules"')
    assert found.changed == ("legs",)
    assert names(found.rating) == ["prices", "legs", "rated_usage", "usage_total"]
    assert names(found.billing) == [
        "usage_lines", "charge_lines", "draft_invoice_line", "draft_invoice"
    ]  # fmt: skip
    assert found.deferred == ("rated_charge",)
    assert (found.rates_usage, found.rates_charges, found.changes_billing) == (True, False, False)


def test_a_seed_and_proposed_data_reach_what_reads_them() -> None:
    assert plan(rule="2").rates_usage and plan(rule="2").changed == ("rules",)
    proposed = plan("rate")
    assert (proposed.changed, proposed.touched) == ((), ("prices",))
    assert proposed.rates_usage and not proposed.rates_charges
    assert plan("charge_tariff").rates_charges and not plan("charge_tariff").rates_usage
    assert plan("discount").changes_billing and not plan("discount").rates
    assert plan("tax_rate").is_empty


def test_a_change_of_billing_rates_nothing() -> None:
    found = plan(usage_lines='select 2 from "dry_rating"."usage_total"')
    assert found.rating == () and found.changes_billing and not found.is_empty
    assert "usage_lines" in names(found.billing)


def test_what_carries_no_amount_builds_nothing() -> None:
    found = plan(fct_charge='select 2 from "dry_rating"."current_rated_charge"')
    assert found.changed == ("fct_charge",) and found.is_empty


def test_a_shadow_reads_its_own_names() -> None:
    text = (
        'select * from "dry_usage"."legs" join "control"."rating_run" r on true '
        "join control.rating_run_record on true join control.file on true "
        'join "reference"."rate" on true join "reference"."rate_step" on true '
        'join "dry_lookup"."int_reference__rates" on true'
    )
    assert own_names(text, "shadow_7", ("rate",)) == (
        'select * from "shadow_7_usage"."legs" join "shadow_7_control"."rating_run" r on true '
        'join "shadow_7_control"."rating_run_record" on true join control.file on true '
        'join "shadow_7_reference"."rate" on true join "reference"."rate_step" on true '
        'join "shadow_7_lookup"."int_reference__rates" on true'
    )


def customer(rated: str, before: str | None, after: str | None, percent: str) -> tuple:
    facts = dict.fromkeys(CUSTOMER_COLUMNS) | {
        "rated_before": Decimal(10), "rated_difference": Decimal(rated),
        "percent": Decimal(percent), "currency": "USD",
    }  # fmt: skip
    if before is not None and after is not None:
        facts["invoice_before"] = Decimal(before)
        facts["invoice_difference"] = Decimal(after) - Decimal(before)
    return tuple(facts[name] for name in CUSTOMER_COLUMNS)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (customer("0.5", "10", "10.5", "5"), "look"),
        (customer("2", "20", "22", "10"), "fail"),
        (customer("-2", "20", "18", "-10"), "fail"),
        # small change: no percentage of it
        (customer("0.9", "1", "1.9", "90"), "look"),
        (customer("101", None, None, "1"), "fail"),
    ],
)
def test_a_customer_decides(row: tuple, verdict: str) -> None:
    counts = {"changed_records": 1, "no_longer_billed": 0, "new_errors": 0}
    assert worst(check[-1] for check in judge(Thresholds(), [row], [], counts)) == verdict


def test_nothing_passes_and_a_new_error_fails() -> None:
    counts = {"changed_records": 0, "no_longer_billed": 0, "new_errors": 0}
    assert worst(row[-1] for row in judge(Thresholds(), [], [], counts)) == "pass"
    counts["new_errors"] = 1
    assert worst(row[-1] for row in judge(Thresholds(), [], [], counts)) == "fail"


def test_thresholds_come_from_the_file_and_the_command(tmp_path: Path) -> None:
    path = tmp_path / "impact.toml"
    path.write_text('percent_from = 2\n[total_amount]\nfail = "never"\n[new_errors]\nfail = 3\n')
    found = read_thresholds(path, ["new_errors.fail=4", "customer_amount.look=1"])
    assert found.percent_from == 2
    assert found.total_amount == Limit(Decimal(0), None)
    assert found.new_errors == Limit(Decimal(0), Decimal(4))
    assert found.customer_amount == Limit(Decimal(1), Decimal(100))
    # what is committed says what is documented
    root = Path(__file__).parents[2]
    assert read_thresholds(root / "impact.toml") == Thresholds()
    for wrong in ("new_errors", "new_errors.worst=1", "new_errors.fail=-1", "new_errors.fail=x"):
        with pytest.raises(RatehouseError):
            read_thresholds(None, [wrong])


def test_nothing_from_a_file_becomes_markup() -> None:
    page = html_page(Report("<i>", "pass", [("a", "<b>")], ["<script>"], None))
    assert "<script>" not in page and "&lt;script&gt;" in page and "<i>" not in page
    assert readable([[Decimal("1.23456"), Decimal("0.00001"), "x"]]) == [
        [Decimal("1.2346"), Decimal("0.00001"), "x"]
    ]


def test_a_commit_is_taken_out_of_git_without_touching_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        done = code_trees._git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments)
        assert done.returncode == 0, done.stderr

    git("init", "-q")
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros" / "one.sql").write_text("first")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    (tmp_path / "macros" / "one.sql").write_text("second")
    (tmp_path / "new.sql").write_text("new")
    monkeypatch.setattr(code_trees.settings, "project_root", lambda: tmp_path)
    commit = code_trees.commit_of("HEAD")
    assert code_trees.changed_files(commit, "") == ["macros/one.sql", "new.sql"]
    out = tmp_path.with_name(f"{tmp_path.name}_out")
    code_trees._check_out(commit, out)
    assert (out / "macros" / "one.sql").read_text() == "first"
    assert (tmp_path / "macros" / "one.sql").read_text() == "second"
    with pytest.raises(RatehouseError, match="is no commit"):
        code_trees.commit_of("nowhere")
