"""Alert rules on planted traffic, each finding once; back-test; mail through a real SMTP server."""

from __future__ import annotations

import email
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from email.message import EmailMessage
from email.policy import default
from typing import Any

import psycopg2
import pytest
from aiosmtpd.controller import Controller

from loaders.alerts import backtest, scan
from loaders.database import connect
from loaders.errors import ConfigurationError, RatehouseError
from loaders.mail import mail_settings, mails, outbox
from loaders.reference import load_reference
from orchestration.lib import alerts, daily_report, traffic
from tests.end_to_end.warehouse import Warehouse

_REFERENCE = {
    "account": "account_code,customer_name,time_zone\n"
    + "".join(f"A{n},Made up {n},America/New_York\n" for n in range(1, 6)),
    "source": "source_code,carrier_code,file_kind,layout_code\n"
    "pbx,own,cdr,mapped_usage\nswitch,own,cdr,mapped_usage\n",
    "fraud_range": "prefix,range_name,list_name\n25263,Somalia,made up\n"
    "2526399,Part of it,made up\n",
    "spend_alarm": "account_code,per_period,amount\n*,day,1000\nA1,day,20\nA1,month,1000\n",
    "confirmed_fraud": "case_code,account_code,description,valid_from,valid_to\n"
    "HACKED,A1,A1's switch was hacked,2026-10-05 14:30Z,2026-10-05 16:00Z\n"
    "OTHER,A2,not found by anything,2026-10-07,2026-10-08\n"
    "LONG AGO,A1,outside of the test,2026-01-05,2026-01-06\n",
}
# Account, source, first call, how many, a minute apart: country, number, seconds, price, answered.
_PLANTED = """
    select a, s, at, n, country, number, seconds, price, answered from (values
        -- A1 on Mondays at 15:00: ten calls, then forty
        (1, 'pbx', '2026-09-07 15:00+00'::timestamptz, 10, 'US', 12025550100, 60, 0.01, true),
        (1, 'pbx', '2026-09-14 15:00+00', 12, 'US', 12025550100, 60, 0.01, true),
        (1, 'pbx', '2026-09-21 15:00+00', 9, 'US', 12025550100, 60, 0.01, true),
        (1, 'pbx', '2026-09-28 15:00+00', 10, 'US', 12025550100, 60, 0.01, true),
        (1, 'pbx', '2026-10-05 15:00+00', 40, 'US', 12025550100, 60, 0.01, true),
        -- A4 the same, too few to matter
        (4, 'pbx', '2026-09-07 15:00+00', 1, 'US', 12025550100, 60, 0.01, true),
        (4, 'pbx', '2026-09-14 15:00+00', 1, 'US', 12025550100, 60, 0.01, true),
        (4, 'pbx', '2026-09-21 15:00+00', 1, 'US', 12025550100, 60, 0.01, true),
        (4, 'pbx', '2026-10-05 15:00+00', 29, 'US', 12025550100, 60, 0.01, true),
        -- the switch on Mondays at 16:00: sixty attempts, then two; and it goes on after that
        (0, 'switch', '2026-09-07 16:00+00', 60, 'US', 12025550100, 0, null, false),
        (0, 'switch', '2026-09-14 16:00+00', 60, 'US', 12025550100, 0, null, false),
        (0, 'switch', '2026-09-21 16:00+00', 60, 'US', 12025550100, 0, null, false),
        (0, 'switch', '2026-09-28 16:00+00', 60, 'US', 12025550100, 0, null, false),
        (0, 'switch', '2026-10-05 16:00+00', 2, 'US', 12025550100, 0, null, false),
        (0, 'switch', '2026-10-06 20:00+00', 1, 'US', 12025550100, 0, null, false),
        -- A1 to a country it never called, in a range of the list; A4 for a little
        (1, 'pbx', '2026-10-05 18:00+00', 2, 'SO', 252631234567, 300, 12.5, true),
        (4, 'pbx', '2026-10-05 18:00+00', 1, 'FR', 33155500100, 60, 0.5, true),
        -- A2: of 56 answered calls 55 are short; A5: as many short ones of twice as many
        (2, 'pbx', '2026-10-05 13:00+00', 55, 'US', 12025550100, 6, 0.01, true),
        (2, 'pbx', '2026-10-05 13:00+00', 1, 'US', 12025550100, 7, 0.01, true),
        (5, 'pbx', '2026-10-06 13:00+00', 51, 'US', 12025550100, 6, 0.01, true),
        (5, 'pbx', '2026-10-06 13:00+00', 51, 'US', 12025550100, 7, 0.01, true),
        -- A3 at 23:00 of its zone: ten minutes on weekdays, then 170
        (3, 'pbx', '2026-09-29 03:00+00', 1, 'US', 12025550100, 600, 0.1, true),
        (3, 'pbx', '2026-09-30 03:00+00', 1, 'US', 12025550100, 600, 0.1, true),
        (3, 'pbx', '2026-10-01 03:00+00', 1, 'US', 12025550100, 600, 0.1, true),
        (3, 'pbx', '2026-10-02 03:00+00', 1, 'US', 12025550100, 600, 0.1, true),
        (3, 'pbx', '2026-10-06 03:00+00', 17, 'US', 12025550100, 600, 0.1, true)
    ) as planted (a, s, at, n, country, number, seconds, price, answered)
"""
_EXPECTED = {
    ("traffic_spike", "A1", "2026-10-05 15:00"),
    # Its short calls come in hours that had none.
    ("traffic_spike", "pbx", "2026-10-05 13:00"),
    ("traffic_spike", "pbx", "2026-10-05 15:00"),
    ("traffic_spike", "pbx", "2026-10-06 13:00"),
    ("traffic_drop", "switch", "2026-10-05 16:00"),
    ("new_destination", "A1 to SO", "2026-10-05 00:00"),
    ("fraud_range", "A1 to 25263", "2026-10-05 00:00"),
    ("spend_limit", "A1 per day", "2026-10-05 04:00"),
    ("short_call_burst", "A2", "2026-10-05 13:00"),
    ("short_call_burst", "pbx", "2026-10-05 13:00"),
    ("off_hours_spike", "A3", "2026-10-05 04:00"),
}
FROM, TO = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC)


def _plant(warehouse: Warehouse) -> None:
    """Traffic as a closed run left it."""
    warehouse.execute(
        f"""
        insert into control.rating_run (run_kind, build_schema, status, requested_by,
            reference_cutoff, closed_at)
        values ('initial', '', 'closed', 'test', now(), now());
        insert into rating.rated_usage (account_id, usage_id, rating_run_id, file_id, line_no,
            leg_no, source_id, usage_type, direction, started_at, time_quality, duration_seconds,
            billable_seconds, called_number, called_country, called_number_class, calling_class,
            disposition, record_key_hash, content_hash, state, reason, retail_billed_seconds,
            retail_amount, currency_code, period_month)
        select coalesce(k.account_id, 0), row_number() over () * 16 + 1, r.run, 1,
            row_number() over (), 1, s.source_id, 'voice', 'outbound',
            p.at + i * interval '1 second', 'exact', p.seconds, p.seconds, p.number, p.country,
            'e164', 'e164', case when p.answered then 'answered' else 'no_answer' end, 0, 0,
            case when p.answered then 'billed' else 'not_billable' end,
            case when not p.answered then 'unanswered' end, p.seconds, p.price,
            case when p.answered then 'USD' end, '2026-10-01'
        from ({_PLANTED}) as p
        cross join lateral generate_series(1, p.n) as i
        cross join (select max(rating_run_id) as run from control.rating_run) as r
        left join reference.account_key as k on k.account_code = 'A' || p.a
        inner join reference.source_key as s on p.s = s.source_code;
        insert into rating.traffic_hour
        select r.run, t.* from rating.rebuilt_traffic_hour as t
        cross join (select max(rating_run_id) as run from control.rating_run) as r;
        """
    )


@pytest.fixture(scope="module")
def planted(make_warehouse: Callable[[], Warehouse], tmp_path_factory: Any) -> Warehouse:
    """A warehouse with planted traffic."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("alerts")
    with closing(connect(url=warehouse.url, role="ratehouse_loader")) as connection:
        for kind, text in _REFERENCE.items():
            path = folder / f"{kind}.csv"
            path.write_text(text)
            load_reference(connection, kind, path)
    _plant(warehouse)
    return warehouse


@pytest.fixture
def connection(planted: Warehouse) -> Iterator[Any]:
    with closing(connect(url=planted.url)) as session:
        yield session


class Mailbox:
    """What a mail server took; refuse says what it answers instead."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mail server on this machine, and settings that name it."""
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    monkeypatch.setenv("RATEHOUSE_MAIL_SERVER", f"127.0.0.1:{port}")
    monkeypatch.setenv("RATEHOUSE_MAIL_SECURITY", "none")
    monkeypatch.setenv("RATEHOUSE_MAIL_FROM", "ratehouse@example.com")
    monkeypatch.setenv("RATEHOUSE_MAIL_TO", "noc@example.com, fraud@example.com")
    yield box
    server.stop()


def _names(found: Any) -> set[tuple[str, str, str]]:
    return {
        (a.rule_code, a.subject, f"{a.window_from.astimezone(UTC):%Y-%m-%d %H:%M}")
        for a in found.new
    }


def test_the_rules_find_what_was_planted_and_nothing_else(connection: Any) -> None:
    found = scan(connection, FROM, TO, preview=True)
    assert _names(found) == _EXPECTED
    assert found.scan_id is None
    words = {a.rule_code: a.sentence for a in found.new if a.subject != "pbx"}
    assert "40 calls" in words["traffic_spike"] and "are 10" in words["traffic_spike"]
    assert "55 of 56 answered calls of account A2" in words["short_call_burst"]
    assert "SO for 25.00 USD (2 calls)" in words["new_destination"]
    assert "limit is 20.00" in words["spend_limit"]
    assert "170.0 minutes" in words["off_hours_spike"]
    for alert in found.new:
        expected = 2 if alert.rule_code in ("fraud_range", "new_destination", "traffic_drop") else 5
        assert len(alert.usage_ids) == expected, alert


def test_a_preview_keeps_nothing_and_a_look_keeps_each_once(
    planted: Warehouse, copy_warehouse: Callable[[Warehouse], Warehouse]
) -> None:
    own = copy_warehouse(planted)
    with closing(connect(url=own.url)) as connection:
        scan(connection, FROM, TO, preview=True)
        assert own.value("select count(*) from control.alert") == 0
        # Without times: everything that no look has seen.
        first = scan(connection)
        assert _names(first) == _EXPECTED
        again = scan(connection, FROM, TO)
        assert (again.found, again.new) == (len(_EXPECTED), ())
        assert own.value("select count(*) from control.alert") == len(_EXPECTED)
        # Nothing was rated since.
        assert scan(connection).found == 0
    assert own.value("select parameters ->> 'threshold' from control.alert limit 1") is not None
    for statement in (
        "update control.alert set severity = 'warning'", "delete from control.alert",
        "truncate control.alert cascade", "delete from control.mail",
    ):  # fmt: skip
        with pytest.raises(psycopg2.Error, match="immutable"):
            own.execute(statement)


def test_a_back_test_tells_precision_and_recall_with_other_numbers(connection: Any) -> None:
    from_at, to_at = datetime(2026, 9, 7, tzinfo=UTC), TO
    result = backtest(connection, "traffic_spike", from_at, to_at)
    assert [hit.subject for hit in result.hits] == ["pbx", "A1", "pbx", "pbx"]
    assert [hit.case_code for hit in result.hits] == [None, "HACKED", None, None]
    assert [(code, found) for code, _, found in result.cases] == [
        ("HACKED", True),
        ("OTHER", False),
    ]
    assert (result.precision, result.recall) == (Decimal("25.0"), Decimal("50.0"))
    assert result.per_day == [(date(2026, 10, 5), 3), (date(2026, 10, 6), 1)]
    lower = backtest(connection, "traffic_spike", from_at, to_at, minimum=Decimal(20))
    assert [hit.subject for hit in lower.hits] == ["pbx", "A1", "A4", "pbx", "pbx"]
    # The rule itself is as it was.
    assert len(backtest(connection, "traffic_spike", from_at, to_at).hits) == 4
    with pytest.raises(RatehouseError, match="there is no rule 'spikes'; there are: fraud_range"):
        backtest(connection, "spikes", from_at, to_at)


def test_the_aggregate_is_compared_with_the_usage(
    planted: Warehouse, copy_warehouse: Callable[[Warehouse], Warehouse]
) -> None:
    own = copy_warehouse(planted)
    with closing(connect(url=own.url)) as connection:
        assert traffic.compare(connection).differences == []
        own.execute("update rating.traffic_hour set sell_amount = sell_amount + 1 where "
                    "called_country = 'SO'")  # fmt: skip
        rows = traffic.compare(connection).differences
    assert [(row[0], row[5]) for row in rows] == [
        ("in the aggregate", Decimal(26)), ("in the usage", Decimal(25)),
    ]  # fmt: skip
    # By minute the same calls.
    assert own.value("select sum(attempt_count) from marts.fct_traffic_minute") == own.value(
        "select sum(attempt_count) from marts.fct_traffic_hour"
    )
    quality = own.rows(
        "select attempt_count, answered_count, answer_seizure_percent, average_talk_seconds "
        "from marts.rpt_traffic_quality where source_code = 'pbx' and hour_at = '2026-10-05 13:00Z'"
    )
    assert quality == [(56, 56, Decimal(100), Decimal("6.0"))]


def test_alerts_are_mailed_once_with_evidence_and_none_is_lost(
    planted: Warehouse,
    copy_warehouse: Callable[[Warehouse], Warehouse],
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = copy_warehouse(planted)
    with closing(connect(url=own.url)) as connection:
        scan(connection, FROM, TO)
        assert alerts.queue_alerts(connection) is not None
        assert alerts.queue_alerts(connection) is None
        # The server has no time now: it is tried again, not given up.
        mailbox.refuse = "451 try later"
        (waiting,) = alerts.send_waiting(connection)
        assert (waiting.status, waiting.tries) == ("queued", 1)
        assert "451" in (waiting.last_error or "")
        assert alerts.send_waiting(connection) == []
        own.execute("update control.mail set next_try_at = now()")
        mailbox.refuse = ""

        # Killed between sending and marking: it goes out once more, as the same message.
        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(outbox, "_mark", killed)
            alerts.send_waiting(connection)
        (sent,) = alerts.send_waiting(connection)
        assert sent.status == "sent"
        assert alerts.send_waiting(connection) == []
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert second["To"] == "noc@example.com, fraud@example.com"
    assert second["Subject"] == "Ratehouse: 11 alerts, 3 critical"
    plain = second.get_body(("plain",)).get_content()
    assert "A1 called SO for 25.00 USD" in plain and "ratehouse explain" in plain
    page = second.get_body(("html",)).get_content()
    assert page.count("<tr") == 12
    # Content is fixed: the loader may only mark.
    with (
        closing(connect(url=own.url, role="ratehouse_loader")) as loader,
        loader.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("update control.mail set content = ''")


def test_a_mail_that_can_never_go_out_is_given_up_until_somebody_says_again(
    planted: Warehouse, copy_warehouse: Callable[[Warehouse], Warehouse], mailbox: Mailbox
) -> None:
    own = copy_warehouse(planted)
    mailbox.refuse = "554 no such list"
    with closing(connect(url=own.url)) as connection:
        (given_up,) = alerts.send_test(connection)
        assert (given_up.status, given_up.sent_at) == ("failed", None)
        mailbox.refuse = ""
        assert outbox.try_again(connection) == 1
        (sent,) = alerts.send_waiting(connection)
        assert sent.status == "sent"
        assert [m.status for m in mails(connection)] == ["sent"]


def test_the_daily_report_goes_out_once_a_day_with_pictures(
    planted: Warehouse, copy_warehouse: Callable[[Warehouse], Warehouse], mailbox: Mailbox
) -> None:
    own = copy_warehouse(planted)
    with closing(connect(url=own.url)) as connection:
        report = daily_report.daily_report(connection, date(2026, 10, 5))
        assert report.hours[15] == (69, 0) and report.hours[16] == (0, 2)
        chart = report.metadata()["calls_by_hour"].splitlines()
        assert chart[2 + 15].endswith(f"| {'▇' * 30} |") and chart[2 + 16].endswith("| ░ |")
        # 40 + 29 + 2 + 1 + 56 answered of these and two.
        assert report.days[0][1:4] == (130, 128, Decimal("98.5"))
        assert daily_report.mail_report(connection, report)[0].status == "sent"
        assert daily_report.mail_report(connection, report)[0].status == "sent"
    (mail,) = mailbox.mails
    assert mail["Subject"] == "Ratehouse: Traffic of 2026-10-05: 130 calls"
    page = mail.get_body(("html",)).get_content()
    pictures = {
        part["Content-ID"].strip("<>"): part.get_content()
        for part in mail.walk()
        if part.get_content_type() == "image/png"
    }
    assert len(pictures) == 2
    for name, picture in pictures.items():
        assert f'src="cid:{name}"' in page
        assert picture.startswith(b"\x89PNG")
    assert "hang_up_causes" in report.metadata()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "mail is switched off"),
        ({"SERVER": "mail.example.com"}, "RATEHOUSE_MAIL_FROM must be"),
        ({"SERVER": "m:x", "FROM": "a@b.example"}, "must look like mail.example.com:587"),
        ({"SERVER": "m", "FROM": "a@b.example", "USER": "u"}, "go together"),
        (
            {"SERVER": "m", "FROM": "a@b.example", "USER": "u", "PASSWORD_FROM": "hunter22"},
            "not the password itself",
        ),
        (
            {"SERVER": "m", "FROM": "a@b.example", "USER": "u", "PASSWORD_FROM": "env:SECRET",
             "SECURITY": "none"},
            "readable over the network",
        ),
        ({"SERVER": "m", "FROM": "a@b.example", "TO": "a b@c"}, "is no mail address"),
        ({"SERVER": "m", "FROM": "a@b.example"}, "nobody to write to"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_in_words(
    settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter22")
    for name, value in settings.items():
        monkeypatch.setenv(f"RATEHOUSE_MAIL_{name}", value)
    with pytest.raises(ConfigurationError, match=words) as refused:
        alerts.require_mail()
    assert "hunter22" not in str(refused.value)


def test_a_password_is_read_from_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "secret").write_text("hunter22\n")
    for name, value in {
        "SERVER": "mail.example.com", "FROM": "R <r@example.com>", "USER": "u",
        "PASSWORD_FROM": f"file:{tmp_path}/secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"RATEHOUSE_MAIL_{name}", value)
    settings = mail_settings()
    assert settings is not None
    assert (settings.port, settings.security, settings.password) == (587, "starttls", "hunter22")
    assert "hunter22" not in repr(settings)
