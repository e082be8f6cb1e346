"""FTP and FTPS against pyftpdlib."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.collect import servers
from tests.collect.conftest import Warehouse, by_name, calls
from tests.collect.servers import PASSWORD, USER, FtpServer


def declare(warehouse: Warehouse, server: FtpServer, protocol: str, **settings: Any) -> None:
    warehouse.collector(
        protocol,
        **(
            {
                "host": "127.0.0.1", "port": server.port, "username": USER,
                "password_from": "env:ACME_PASSWORD",
            }
            | settings
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "without", "after"),
    [
        ("ftp", (), "keep"),
        ("ftp", (), "move"),
        ("ftp", ("MLSD", "MLST"), "delete"),
        ("ftps", (), "delete"),
        ("ftps", ("MLSD", "MLST"), "move"),
    ],
)
def test_collects_and_puts_away(
    warehouse: Warehouse,
    start: Callable[..., Any],
    protocol: str,
    without: tuple[str, ...],
    after: str,
) -> None:
    """Servers with MLSD and old ones without it."""
    server = start(servers.ftp, secured=protocol == "ftps", without=without)
    trust = {"tls_trust": f"file:{server.authority}"} if protocol == "ftps" else {}
    rules = [{"directory": "out", "name": "*.csv", "source": "acme_daily"}]
    declare(
        warehouse, server, protocol, rules=rules, after_collection=after, after_folder="done",
        **trust,
    )  # fmt: skip
    folder = server.root / "out"
    folder.mkdir()
    (folder / "daily_1.csv").write_bytes(calls(0))
    (folder / "daily_2.csv.part").write_bytes(calls(10))
    (folder / "sub.csv").mkdir()
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
    assert warehouse.landed() == [("daily_1.csv", "acme_daily")]
    assert (folder / "daily_1.csv").exists() == (after == "keep")
    assert (server.root / "done" / "daily_1.csv").exists() == (after == "move")
    assert warehouse.taken(warehouse.collect()) == []


def test_a_certificate_nobody_vouched_for_is_refused(
    warehouse: Warehouse, start: Callable[..., Any]
) -> None:
    server = start(servers.ftp, secured=True)
    (server.root / "daily_1.csv").write_bytes(calls(0))
    for trust, words in (
        ("system", "the server's certificate is not trusted"),
        ("sha256:" + "ab" * 32, f"not the pinned one: it shows sha256:{server.fingerprint}"),
        ("file:/no/such.pem", "the CA file /no/such.pem cannot be used"),
    ):
        declare(warehouse, server, "ftps", tls_trust=trust)
        assert words in (warehouse.collect().error or "")
    declare(warehouse, server, "ftps", tls_trust=f"sha256:{server.fingerprint}")
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]


def test_a_server_without_tls_gets_no_password(
    warehouse: Warehouse, start: Callable[..., Any]
) -> None:
    server = start(servers.ftp)
    declare(warehouse, server, "ftps")
    assert "does not offer TLS" in (warehouse.collect().error or "")


def test_refusals_are_put_in_words_without_the_password(
    warehouse: Warehouse, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(servers.ftp)
    declare(warehouse, server, "ftp", directory="/nowhere")
    assert "the folder /nowhere cannot be listed" in (warehouse.collect().error or "")
    monkeypatch.setenv("ACME_PASSWORD", PASSWORD + "!")
    error = warehouse.collect().error or ""
    assert f"(127.0.0.1:{server.port}): the login of user 'supplier' was refused" in error
    assert PASSWORD not in warehouse.everything() + "\n".join(warehouse.said)


def test_an_interrupted_download_is_started_again(
    warehouse: Warehouse, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies in the middle of the first transfer and closes the line."""
    from pyftpdlib.handlers import DTPHandler

    server = start(servers.ftp)
    content = calls(0, 20_000)
    (server.root / "daily_1.csv").write_bytes(content)
    real, broken = DTPHandler.push_with_producer, []

    def push_half(self: DTPHandler, producer: Any) -> None:
        if not broken:
            broken.append(1)
            self.push(content[: len(content) // 2])
            self.cmd_channel.close_when_done()
            self.close_when_done()
            return
        real(self, producer)

    monkeypatch.setattr(DTPHandler, "push_with_producer", push_half)
    declare(warehouse, server, "ftp")
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
    assert broken and any("trying again" in text for text in warehouse.said)
    assert warehouse.rows("select data_count from control.file") == [(20_000,)]


def test_changed_file_again(warehouse: Warehouse, start: Callable[..., Any]) -> None:
    server = start(servers.ftp)
    declare(warehouse, server, "ftp")
    (server.root / "daily_1.csv").write_bytes(calls(0))
    warehouse.collect()
    (server.root / "daily_1.csv").write_bytes(calls(0, 9))
    assert by_name(warehouse.collect())["daily_1.csv"].state == "taken"
