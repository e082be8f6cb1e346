"""A call starts in one file and ends in another; nobody has to ask for it to be billed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import source, write_kind, write_small_reference
from tests.end_to_end.warehouse import Warehouse

NOON = 1717243200
STATES = """
    select f.file_name, r.line_no, r.state, r.reason, r.billable_seconds, r.retail_amount
    from rating.current_rated_usage as r
    inner join control.file as f using (file_id)
    where r.leg_no = 1
"""


def sip(method: str, call: str, second: int, *, swapped: bool = False) -> str:
    tags = (f"{call}-b", f"{call}-a") if swapped else (f"{call}-a", f"{call}-b")
    who = "*postpaid|acme|+442079460202" if method == "INVITE" else "||"
    return "|".join(
        [method, *tags, f"{call}@192.0.2.1", "200", "OK", str(NOON + second), who, "", "1:1"]
    )


def radius(status: str, second: int, octets: int) -> str:
    attributes = {
        "Acct-Session-Id": '"S1"', "User-Name": '"acme"', "Acct-Status-Type": status,
        "Acct-Session-Time": str(second), "Acct-Input-Octets": str(octets),
        "Acct-Output-Octets": "1", "NAS-IP-Address": "192.0.2.40",
        "Timestamp": str(NOON + second),
    }  # fmt: skip
    lines = [f"\t{name} = {value}" for name, value in attributes.items()]
    return "\n".join(["Sat Jun  1 12:00:00 2024", *lines, "\n"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairing")


@pytest.fixture(scope="module")
def proxy(warehouse: Warehouse, folder: Path) -> Warehouse:
    """A warehouse that has rated the first file of a proxy and of an access server."""
    warehouse.load_reference(write_small_reference(folder / "reference"))
    warehouse.load_reference(
        write_kind(
            folder, "source",
            [
                source("proxy", "sip_accounting", number_plan="e164"),
                source("access", "radius_detail", number_plan="e164"),
            ],
        ),
        "source",
    )  # fmt: skip
    # the call of an earlier file, one that ends here, one that began before
    calls = folder / "acc_1.log"
    calls.write_text(
        "\n".join(
            [
                sip("INVITE", "whole", 0), sip("BYE", "whole", 60),
                sip("INVITE", "open", 100),
                sip("BYE", "late", 260),
                sip("INVITE", "lost", 300),
            ]
        )
    )  # fmt: skip
    sessions = folder / "detail_1"
    sessions.write_text(radius("Start", 0, 0) + radius("Interim-Update", 3600, 1000))
    warehouse.load(calls, source_code="proxy")
    warehouse.load(sessions, source_code="access")
    assert warehouse.rate() is not None
    return warehouse


def states(warehouse: Warehouse) -> dict[tuple[str, int], tuple[object, ...]]:
    return {(name, line): tuple(rest) for name, line, *rest in warehouse.rows(STATES)}


def reason(warehouse: Warehouse, name: str, line: int) -> str | None:
    return states(warehouse)[name, line][1]  # type: ignore[return-value]


def test_what_is_not_whole_waits(proxy: Warehouse) -> None:
    found = states(proxy)
    assert found["acc_1.log", 1][0] == "billed"
    assert [found["acc_1.log", line][1] for line in (2, 3, 4, 5)] == [
        "paired_event", "open_session", "orphan_event", "open_session",
    ]  # fmt: skip
    assert [found["detail_1", line][1] for line in (1, 11)] == ["interim_record", "open_session"]
    assert proxy.pair() is None, "no later file has come"


def test_the_other_half_comes_with_the_next_file(proxy: Warehouse, folder: Path) -> None:
    # the end from the other side, the start of the end that came first, and the start once more
    calls = folder / "acc_2.log"
    calls.write_text(
        "\n".join(
            [sip("BYE", "open", 190, swapped=True), sip("INVITE", "late", 200),
             sip("INVITE", "open", 100)]
        )
    )  # fmt: skip
    sessions = folder / "detail_2"
    sessions.write_text(radius("Stop", 7200, 3000))
    proxy.load(calls, source_code="proxy")
    proxy.load(sessions, source_code="access")
    assert proxy.rate() is not None
    assert reason(proxy, "acc_1.log", 3) == "open_session", "its own run has not come yet"

    # killed as soon as it was opened: whoever rates next takes it up
    proxy.pair(killed=True)
    assert proxy.rate() is not None

    found = states(proxy)
    # 90 seconds at 0.12 a minute
    assert found["acc_1.log", 3] == ("billed", None, 90, Decimal("0.18"))
    assert found["acc_1.log", 4][1] == "paired_event"
    assert found["acc_1.log", 5][1] == "open_session"
    assert found["acc_2.log", 1][1] == "paired_event"
    assert found["acc_2.log", 2][:3] == ("billed", None, 60)
    assert found["acc_2.log", 3][1] == "repeated_record"
    assert found["detail_1", 11][1] == "interim_record"
    assert found["detail_2", 1][1] not in ("open_session", "interim_record")
    assert_balanced(proxy)


def test_nothing_is_rated_twice(proxy: Warehouse) -> None:
    before = states(proxy)
    assert proxy.pair() is None
    assert proxy.rate() is None
    assert states(proxy) == before


def test_an_end_that_is_withdrawn_leaves_its_call_open(proxy: Warehouse) -> None:
    file_id = proxy.value("select file_id from control.file where file_name = 'acc_2.log'")
    proxy.withdraw(file_id, "sent by mistake")
    while proxy.rate() is not None:
        pass
    assert proxy.pair() is not None
    found = states(proxy)
    assert found["acc_1.log", 3][1] == "open_session"
    assert found["acc_1.log", 4][1] == "orphan_event"
    assert proxy.pair() is None
