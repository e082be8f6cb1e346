"""A mailbox against Dovecot: who sent what, what is data, what happens to the message."""

from __future__ import annotations

import io
import ssl
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import imapclient
import pytest

from tests.collect import servers
from tests.collect.conftest import Warehouse, calls
from tests.collect.servers import PASSWORD, USER, MailServer

RULES = [
    {
        "to": r"re:billing\+(?P<carrier>\w+)[.](?P<cadence>daily|monthly)@.*",
        "source": "{carrier}_{cadence}",
    },
    {"from": "*@acme.example", "name": "month_*", "source": "acme_monthly"},
    {"subject": "*daily calls*", "source": "acme_daily"},
]


@pytest.fixture
def server(start: Callable[..., Any]) -> MailServer:
    return start(servers.dovecot)


@pytest.fixture
def mailbox(server: MailServer) -> Iterator[imapclient.IMAPClient]:
    context = ssl.create_default_context(cafile=str(server.authority))
    with imapclient.IMAPClient("127.0.0.1", server.port, ssl_context=context) as client:
        client.login(USER, PASSWORD)
        yield client


def declare(warehouse: Warehouse, server: MailServer, rules: Any = RULES, **settings: Any) -> None:
    warehouse.collector(
        "imap",
        rules,
        **(
            {
                "host": "127.0.0.1", "port": server.port, "username": USER,
                "password_from": "env:ACME_PASSWORD", "tls_trust": f"file:{server.authority}",
            }
            | settings
        ),
    )  # fmt: skip


def mail(
    *attachments: tuple[str, bytes], to: str = "billing@rates.example", subject: str = "Calls"
) -> EmailMessage:
    """A mail as people's programs write it: text, HTML with a logo, attachments."""
    message = EmailMessage()
    message["From"] = "Acme Billing <noreply@acme.example>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<1@acme.example>"
    message.set_content("Dear customer, please find attached.")
    message.add_alternative("<p>Dear <img src='cid:logo'></p>", subtype="html")
    message.get_payload()[1].add_related(
        b"\x89PNG\r\n\x1a\n" + bytes(60), "image", "png", cid="<logo>", filename="image001.png",
        disposition="inline",
    )  # fmt: skip
    for name, content in attachments:
        message.add_attachment(
            content, maintype="application", subtype="octet-stream", filename=name
        )
    return message


def put(mailbox: imapclient.IMAPClient, message: EmailMessage) -> None:
    mailbox.append("INBOX", message.as_bytes())


def statuses(warehouse: Warehouse) -> list[tuple[str, str, str | None]]:
    return warehouse.rows(
        "select status, reason_code, file_name from control.collected_file "
        "order by collected_file_id"
    )


def test_plus_addressing_sender_and_subject_tell_the_source(
    warehouse: Warehouse, server: MailServer, mailbox: imapclient.IMAPClient
) -> None:
    declare(warehouse, server)
    put(mailbox, mail(("a.csv", calls(0)), to="Billing+Acme.Daily@rates.example"))
    put(mailbox, mail(("b.csv", calls(10)), to="Us <billing+acme.monthly@rates.example>"))
    put(mailbox, mail(("month_c.csv", calls(20))))
    put(mailbox, mail(("d.csv", calls(30)), subject="Your daily calls of today"))
    put(mailbox, mail(("e.csv", calls(40))))
    result = warehouse.collect()
    assert warehouse.landed() == [
        ("a.csv", "acme_daily"), ("b.csv", "acme_monthly"), ("month_c.csv", "acme_monthly"),
        ("d.csv", "acme_daily"),
    ]  # fmt: skip
    assert warehouse.states(result)["e.csv"] == "ignored"
    assert warehouse.rows(
        "select cadence, detail ->> 'from', detail ->> 'message_id' "
        "from control.collected_file where file_name = 'a.csv'"
    ) == [("daily", "noreply@acme.example", "<1@acme.example>")]
    # Settled messages are not even looked into again; nothing was marked as read.
    assert warehouse.collect().files == []
    mailbox.select_folder("INBOX", readonly=True)
    assert mailbox.search(["UNSEEN"]) == [1, 2, 3, 4, 5]


def test_text_and_signature_images_are_ignored_not_failed(
    warehouse: Warehouse, server: MailServer, mailbox: imapclient.IMAPClient
) -> None:
    declare(warehouse, server)
    put(
        mailbox,
        mail(("calls.csv", calls(0)), ("terms.pdf", b"%PDF-1.7"), subject="daily calls"),
    )
    result = warehouse.collect()
    assert (result.count("failed"), result.count("ignored")) == (0, 4)
    assert sorted(statuses(warehouse)) == [
        ("ignored", "mail_text", "part 1.1"),
        ("ignored", "mail_text", "part 1.2.1"),
        ("ignored", "not_data", "terms.pdf"),
        ("ignored", "picture", "image001.png"),
        ("taken", "landed", "calls.csv"),
    ]


def test_forwarded_as_attachment_single_part_and_odd_names(
    warehouse: Warehouse, server: MailServer, mailbox: imapclient.IMAPClient
) -> None:
    rules = [{"name": "*.csv", "source": "acme_daily"}]
    declare(warehouse, server, rules)
    forwarded = mail()
    forwarded.add_attachment(mail(("inner.csv", calls(0))))
    put(mailbox, forwarded)
    single = EmailMessage()
    single["From"] = "switch@acme.example"
    single.set_content(calls(10).decode(), subtype="csv", cte="quoted-printable")
    single.add_header("Content-Disposition", "attachment", filename="single.csv")
    put(mailbox, single)
    put(mailbox, mail(("../../etc/crönt\nab.csv", calls(20))))
    result = warehouse.collect()
    assert result.error is None
    names = [name for name, _ in warehouse.landed()]
    assert names[:2] == ["inner.csv", "single.csv"], result
    assert names[2].startswith("crönt") and names[2].endswith(".csv")
    assert [row[0] for row in warehouse.rows(
        "select data_count from control.file order by file_id"
    )] == [3, 3, 3]  # fmt: skip


def test_zip_goes_to_the_loader_as_it_is_and_large_ones_arrive_whole(
    warehouse: Warehouse, server: MailServer, mailbox: imapclient.IMAPClient
) -> None:
    declare(warehouse, server)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("calls.csv", calls(0))
    put(mailbox, mail(("calls.zip", packed.getvalue()), subject="daily calls"))
    put(mailbox, mail(("large.csv", calls(10, 20_000)), subject="daily calls"))
    warehouse.collect()
    assert warehouse.rows(
        "select compression, data_count, byte_count from control.file order by file_id"
    ) == [("zip", 3, len(packed.getvalue())), ("none", 20_000, len(calls(10, 20_000)))]


@pytest.mark.parametrize("after", ["keep", "move", "delete"])
def test_what_happens_to_the_message(
    warehouse: Warehouse, server: MailServer, mailbox: imapclient.IMAPClient, after: str
) -> None:
    declare(warehouse, server, after_collection=after, after_folder="Collected/2026")
    put(mailbox, mail(("a.csv", calls(0)), ("b.csv", calls(10)), subject="daily calls"))
    put(mailbox, mail(subject="How are you?"))
    assert warehouse.collect().error is None
    mailbox.select_folder("INBOX", readonly=True)
    assert mailbox.search() == ([1, 2] if after == "keep" else [2])
    if after == "move":
        assert mailbox.select_folder("Collected/2026")[b"EXISTS"] == 1
    assert warehouse.collect().files == []
    assert len(warehouse.landed()) == 2


def test_new_rules_are_tried_on_mails_no_rule_fitted(
    warehouse: Warehouse, server: MailServer, mailbox: imapclient.IMAPClient
) -> None:
    declare(warehouse, server, [{"name": "x*", "source": "acme_daily"}])
    put(mailbox, mail(("a.csv", calls(0))))
    assert warehouse.collect().count("ignored") == 4
    assert warehouse.collect().files == []
    declare(warehouse, server, [{"name": "a*", "source": "acme_daily"}])
    assert warehouse.taken(warehouse.collect()) == ["a.csv"]
    assert warehouse.collect().files == []


def test_who_is_not_trusted_gets_no_password(
    warehouse: Warehouse, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(warehouse, server, tls_trust="system")
    assert "certificate is not trusted" in (warehouse.collect().error or "")
    declare(warehouse, server, tls_trust="sha256:" + "00" * 32)
    assert "not the pinned one" in (warehouse.collect().error or "")
    declare(warehouse, server, directory="Nowhere")
    assert "folder Nowhere cannot be opened" in (warehouse.collect().error or "")
    monkeypatch.setenv("ACME_PASSWORD", PASSWORD + "x")
    error = warehouse.collect().error or ""
    assert "the login of user 'supplier' was refused" in error
    assert PASSWORD not in warehouse.everything() + "\n".join(warehouse.said)
    assert len(warehouse.rows("select 1 from control.collection where status = 'failed'")) == 4
