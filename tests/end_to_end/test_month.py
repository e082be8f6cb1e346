"""A month in the life of a billing operator, all of it through the API of Dagster's pages.

A web server and a daemon run; every step is a run that is started with options and read by its
report. After each step every record is accounted for, and the marts say what the ledger says.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from loaders.settings import DATABASE_URL_VARIABLE, HOME_VARIABLE
from orchestration.lib.dbt_environment import variables
from orchestration.lib.dry_models import dry_models
from orchestration.lib.manifest import ensure_manifest
from tests.collect.servers import free_port
from tests.conftest import Shared
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.dagster_server import Dagster, running_dagster
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.test_alerts import Mailbox
from tests.end_to_end.test_withdraw import _HEADER
from tests.end_to_end.warehouse import Warehouse

_WHO = {"who": "anna", "reason": "as agreed", "preview": False}
_OCTOBER = {"period": "2026-10", "bill_group": "main"}
_BY_ACCOUNT = """
    select k.account_code, sum(t.{amount})::numeric(18, 4) as total
    from {relation} as t
    inner join reference.account_key as k on t.account_id = k.account_id
    group by 1 having sum(t.{amount}) <> 0 order by 1
"""
_RATED = "select usage_id, rating_run_id, retail_amount from {} order by 1"


@dataclass
class Office:
    """The warehouse, the pages through which it is run, the drop folder and the mailbox."""

    warehouse: Warehouse
    dagster: Dagster
    drop: Path
    reference: Path
    mailbox: Mailbox
    commit: str

    def by_account(self, relation: str, amount: str) -> dict[str, Decimal]:
        query = _BY_ACCOUNT.format(relation=relation, amount=amount)
        return dict(self.warehouse.rows(query))

    def assert_in_order(self, **usage: str) -> None:
        """Everything adds up, accounts have used so much money, and the marts say no other."""
        assert_balanced(self.warehouse)
        used = {account: Decimal(amount) for account, amount in usage.items()}
        for relation in ("rating.current_rated_usage", "marts.fct_rated_usage"):
            assert self.by_account(relation, "retail_amount") == used
        posted = self.by_account("ledger.invoice_line", "line_amount")
        assert self.by_account("marts.fct_ledger_line", "line_amount") == posted
        assert self.by_account("marts.fct_ledger_invoice", "invoice_total") == posted
        assert self.by_account("marts.rpt_account_balance", "posted_amount") == posted

    def bill(self) -> str:
        """Draft, approve and post October; what was posted."""
        run = self.dagster.done
        run("billing_run", "billing_models", dry_run=False, **_OCTOBER)
        seen = run("approve_billing_run", "approve_drafts", **_OCTOBER, **_WHO)
        assert "approved by anna" in seen.summaries
        return run("post_billing_run", "post_invoices", **_OCTOBER, **_WHO).summaries


def calls(first_day: int, counts: dict[str, int], *more: str) -> str:
    """A file of calls of a minute each, one after the other, from a day of October on."""
    start = datetime(2026, 10, first_day, 10)
    keys = [key for key, count in counts.items() for _ in range(count)]
    return _HEADER + "".join(
        [
            f"{start + timedelta(minutes=n):%Y-%m-%d %H:%M:%S},12125550100,12125550123,60,{key},\n"
            for n, key in enumerate(keys)
        ]
        + list(more)
    )


def write_reference(folder: Path) -> None:
    """Two customers at 0.06 a minute, to France at 0.006; a kind the demo has none of."""
    write_small_reference(folder)
    prices = (("1", "0.06"), ("33", "0.006"))
    write_kind(
        folder,
        "rate",
        [{"deck_code": "D", "prefix": p, "price_per_minute": price} for p, price in prices],
    )
    codes = ("ACME", "BETA")
    write_kind(
        folder,
        "account",
        [{"account_code": c, "customer_name": c.title(), "plan_code": "P"} for c in codes],
    )
    write_services(folder, {"acme": "ACME", "beta": "BETA"})
    write_kind(
        folder,
        "spend_alarm",
        [{"account_code": "*", "per_period": "day", "amount": "1000"}],
    )


def write_services(folder: Path, accounts: dict[str, str]) -> None:
    """A service for each key that calls name."""
    services = [{"service_code": f"S-{k}", "account_code": a} for k, a in accounts.items()]
    identifiers = [
        {"service_code": f"S-{k}", "identifier_kind": "account_key", "identifier_value": k}
        for k in accounts
    ]
    write_kind(folder, "service", services)
    write_kind(folder, "service_identifier", identifiers)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com",
         *arguments],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


@pytest.fixture(scope="module")
def office(
    make_warehouse: Callable[[], Warehouse],
    of_all_workers: Shared,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    """An empty warehouse under a running Dagster that watches the drop folder."""
    folder = tmp_path_factory.mktemp("office")
    home, drop, reference = (folder / name for name in ("home", "drop", "reference"))
    home.mkdir()
    of_all_workers.settle(home)
    (drop / "carrier").mkdir(parents=True)
    write_reference(reference)
    warehouse = make_warehouse()
    # What the shadow compares are commits: one of a repository of its own, compiled here already.
    git(folder, "init", "-q", "code")
    git(folder / "code", "commit", "-q", "--allow-empty", "-m", "as it stands")
    commit = git(folder / "code", "rev-parse", "HEAD")
    trees = home / "shadow" / "trees"
    trees.mkdir(parents=True)
    with variables({HOME_VARIABLE: str(home), DATABASE_URL_VARIABLE: warehouse.url}):
        ensure_manifest()
        (trees / f"{commit}.json").write_text(json.dumps(asdict(dry_models(warehouse.url))))
    mailbox, port = Mailbox(), free_port()
    with ExitStack() as stack:
        mails = Controller(mailbox, hostname="127.0.0.1", port=port)
        mails.start()
        stack.callback(mails.stop)
        environment = {
            HOME_VARIABLE: str(home),
            "RATEHOUSE_DROP_DIR": str(drop),
            "RATEHOUSE_REFERENCE_DIR": str(reference),
            "RATEHOUSE_WATCH_DROP_FOLDER": "1",
            "RATEHOUSE_MAIL_SERVER": f"127.0.0.1:{port}",
            "RATEHOUSE_MAIL_SECURITY": "none",
            "RATEHOUSE_MAIL_FROM": "ratehouse@example.com",
            "RATEHOUSE_MAIL_TO": "billing@example.com",
            "GIT_DIR": str(folder / "code" / ".git"),
            "GIT_WORK_TREE": str(folder / "code"),
        }
        golden = "2026-10-05 09:00:00,12125550100,+33123456789,3600,acme,\n"
        first = calls(2, {"acme": 50, "beta": 50, "gamma": 3}, golden)
        for name in ("first.csv", "first_sent_again.csv"):
            (drop / "carrier" / name).write_text(first)
        dagster = stack.enter_context(running_dagster(warehouse.url, environment))
        yield Office(warehouse, dagster, drop / "carrier", reference, mailbox, commit)


def test_a_month(office: Office, tmp_path: Path) -> None:
    run, rows = office.dagster.done, office.warehouse.rows

    # Customers and prices; the files that lie there are taken by the sensor, once they rest.
    run("load_reference")
    landed = office.dagster.first_run_of("rate_usage")
    assert landed.status == "SUCCESS", landed.failure
    office.dagster.stop_sensor("drop_folder_sensor")
    assert "same_bytes" in landed.report("files")
    office.assert_in_order(ACME="3.36", BETA="3")

    # The file that came twice goes.
    ((copy,),) = rows("select file_id from control.file where status = 'held'")
    shown = run("show_files", "show_files_received", status="held")
    assert "first_sent_again.csv" in shown.report("files")
    twice = {"file_id": copy, "reason": "sent twice", "preview": False}
    told = run("discard_file", "discard_held_file", **twice)
    assert "first_sent_again.csv" in told.report("file_name")
    assert rows("select status from control.file order by file_id") == [("landed",), ("discarded",)]
    office.assert_in_order(ACME="3.36", BETA="3")

    # Somebody's calls wait for a service; it is loaded, and they are rated.
    write_services(office.reference, {"acme": "ACME", "beta": "BETA", "gamma": "ACME"})
    run("load_reference")
    run(
        "reprocess_suspense", "reprocess_suspended_records", preview=False,
        reasons=["service_not_found"], note="gamma belongs to Acme",
    )  # fmt: skip
    assert rows("select count(*) from marts.fct_suspense") == [(0,)]
    office.assert_in_order(ACME="3.54", BETA="3")

    # A dearer deck from the 16th on, then the second half of the month.
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("Prefix,Destination,Rate,Effective Date\n1,United States,0.09,2026-10-16\n")
    deck = {"path": str(sheet), "deck": "D", "scope": "partial"}
    assert "increased" in run("import_deck", "import_rate_sheet", **deck).report("difference")
    run("import_deck", "import_rate_sheet", preview=False, **deck)
    (office.drop / "second.csv").write_text(calls(17, {"acme": 40, "beta": 40}))
    run("rate_usage")
    office.assert_in_order(ACME="7.14", BETA="6.6")

    # Drafts; what a third price would have done to them; approval and posting.
    run("billing_run", "billing_models", dry_run=False, **_OCTOBER)
    before = rows(_RATED.format("rating.current_rated_usage"))
    proposed = write_kind(
        tmp_path, "rate",
        [{"deck_code": "D", "prefix": "33", "price_per_minute": "0.012"}],
    )  # fmt: skip
    shadow = run(
        "shadow_billing_run", "rehearse_month", period="2026-10", ref=office.commit,
        base=office.commit, reference=[f"rate={proposed}"],
    )  # fmt: skip
    assert "0.36" in shadow.report("customers")
    assert rows(_RATED.format("rating.current_rated_usage")) == before
    office.assert_in_order(ACME="7.14", BETA="6.6")
    run("approve_billing_run", "approve_drafts", **_OCTOBER, **_WHO)
    posted = run("post_billing_run", "post_invoices", **_OCTOBER, **_WHO)
    assert "2 document(s) posted (INV-000001 to INV-000002), 13.74 USD" in posted.summaries
    office.assert_in_order(ACME="7.14", BETA="6.6")

    # A file comes late: the difference is posted, the invoice stays.
    (office.drop / "late.csv").write_text(calls(20, {"acme": 5}))
    run("rate_usage")
    office.assert_in_order(ACME="7.59", BETA="6.6")
    assert "1 document(s) posted (INV-000003), 0.45 USD" in office.bill()
    kinds = rows("select invoice_kind from ledger.invoice order by invoice_number")
    assert kinds == [("invoice",), ("invoice",), ("adjustment",)]
    office.assert_in_order(ACME="7.59", BETA="6.6")

    # The trunk hung: an hour becomes a minute, is seen before it is done, and is taken back.
    before = rows(_RATED.format("rating.current_rated_usage"))
    hung = {"accounts": ["ACME"], "minimum_seconds": "3600", "new_seconds": "60"}
    seen = run("rerate", "rate_again", **hung)
    assert "| retail | USD | 0.36 | 0.006 | -0.354 |" in seen.report("money_before_and_after")
    assert rows(_RATED.format("rating.current_rated_usage")) == before
    as_of_run = int(seen.report("as_of_run"))
    done = run("rerate", "rate_again", preview=False, reason="hung", as_of_run=as_of_run, **hung)
    office.assert_in_order(ACME="7.236", BETA="6.6")
    ((run_id,),) = rows("select max(rating_run_id) from control.rating_run")
    assert f"`ratehouse undo {run_id}` takes it back" in done.summaries
    run("undo_run", "undo_one_run", run_id=run_id, reason="it was real", preview=False)
    assert rows(_RATED.format("rating.current_rated_usage")) == before
    office.assert_in_order(ACME="7.59", BETA="6.6")

    # The traffic of a day is mailed, once.
    for _ in range(2):
        run("daily_report", "report_day", day="2026-10-20", send=True)
    (mail,) = office.mailbox.mails
    assert mail["Subject"] == "Ratehouse: Traffic of 2026-10-20: 5 calls"
    office.assert_in_order(ACME="7.59", BETA="6.6")


@pytest.mark.parametrize(
    ("job", "op", "config", "words"),
    [
        ("post_billing_run", "post_invoices", {"preview": False}, "say which month (period)"),
        ("approve_billing_run", "approve_drafts", {**_OCTOBER, "preview": False}, "who you are"),
        ("undo_run", "undo_one_run", {"run_id": 99}, "there is no rating run 99"),
        ("billing_run", "billing_models", {"period": "October"}, "is not a billing period"),
    ],
)
def test_a_refusal_is_a_sentence(
    office: Office, job: str, op: str, config: dict[str, Any], words: str
) -> None:
    before = office.warehouse.rows("select count(*) from control.event")
    refused = office.dagster.run(job, op, **config)
    assert (refused.status, words in refused.failure) == ("FAILURE", True), refused.failure
    assert "Traceback" not in refused.failure and "\n  File" not in refused.failure
    assert office.warehouse.rows("select count(*) from control.event") == before
