"""SFTP against OpenSSH: who is let in, who is believed, what happens on a bad line."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
import pytest

from loaders.collect import read_collectors
from loaders.collect.protocols import Line
from tests.collect import servers
from tests.collect.conftest import QUICK, Warehouse, by_name, calls
from tests.collect.servers import PASSWORD, USER, SshServer


def declare(warehouse: Warehouse, server: SshServer, **settings: Any) -> None:
    """The collector as a supplier's sheet would have it."""
    warehouse.collector(
        "sftp",
        **(
            {
                "host": "127.0.0.1", "port": server.port, "username": server.user,
                "directory": server.root, "host_key": server.known_hosts,
                "private_key_from": f"file:{server.user_key}",
            }
            | settings
        ),
    )  # fmt: skip


@pytest.fixture
def server(start: Callable[..., Any]) -> SshServer:
    return start(servers.openssh)


@pytest.mark.parametrize("vouched_by", ["known_hosts", "fingerprint"])
def test_a_private_key_lets_us_in(
    warehouse: Warehouse, server: SshServer, vouched_by: str
) -> None:
    declare(warehouse, server, host_key=getattr(server, vouched_by))
    (server.root / "daily_1.csv").write_bytes(calls(0))
    (server.root / "daily_2.csv.filepart").write_bytes(calls(10))
    result = warehouse.collect()
    assert warehouse.taken(result) == ["daily_1.csv"]
    url = f"sftp://{server.user}@127.0.0.1:{server.port}{server.root}/daily_1.csv"
    assert result.files[0].remote_url == url
    assert warehouse.rows("select file_name, origin from control.file") == [("daily_1.csv", url)]
    assert warehouse.taken(warehouse.collect()) == []


def test_a_protected_key_needs_its_passphrase(
    warehouse: Warehouse,
    server: SshServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = paramiko.RSAKey.generate(2048)
    path = tmp_path / "rsa"
    key.write_private_key_file(str(path), password="a passphrase")
    with (server.user_key.parent / "authorized_keys").open("a") as stream:
        stream.write(f"{key.get_name()} {key.get_base64()}\n")
    declare(warehouse, server, private_key_from=f"file:{path}")
    assert "name its passphrase in password_from" in (warehouse.collect().error or "")
    monkeypatch.setenv("PASSPHRASE", "a passphrase")
    declare(
        warehouse, server, private_key_from=f"file:{path}", password_from="env:PASSPHRASE"
    )
    assert warehouse.collect().error is None


def test_a_password_lets_us_in_and_is_shown_nowhere(
    warehouse: Warehouse,
    start: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG")
    server = start(servers.password_ssh)
    settings = {"private_key_from": None, "password_from": "env:ACME_PASSWORD"}
    declare(warehouse, server, **settings)
    (server.root / "daily_1.csv").write_bytes(calls(0))
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
    monkeypatch.setenv("ACME_PASSWORD", PASSWORD + "-wrong")
    refused = warehouse.collect().error or ""
    assert f"collector c (127.0.0.1:{server.port}): the login of user '{USER}' was" in refused
    monkeypatch.delenv("ACME_PASSWORD")
    assert "environment variable ACME_PASSWORD is not set" in (warehouse.collect().error or "")
    output = capfd.readouterr()
    shown = warehouse.everything() + caplog.text + output.out + output.err
    assert "daily_1.csv" in shown
    assert PASSWORD not in shown + "\n".join(warehouse.said)


def test_a_host_nobody_vouched_for_is_refused_before_anything_is_said(
    warehouse: Warehouse, server: SshServer
) -> None:
    (server.root / "daily_1.csv").write_bytes(calls(0))
    stranger = paramiko.ECDSAKey.generate()
    ours = server.host_key
    impostor = paramiko.Ed25519Key.from_private_key_file(str(server.user_key))
    entry = f"[127.0.0.1]:{server.port}"
    for host_key, words in (
        (None, "host_key is empty"),
        (stranger.fingerprint, "not the one in host_key"),
        (f"{entry} {impostor.get_name()} {impostor.get_base64()}", "has CHANGED"),
        (f"other.example {ours.get_name()} {ours.get_base64()}", "is not known"),
        ("nonsense", "neither SHA256:<fingerprint> nor"),
    ):
        declare(warehouse, server, host_key=host_key)
        result = warehouse.collect()
        assert words in (result.error or "")
        assert result.files == []
        if host_key != "nonsense":
            assert server.fingerprint in (result.error or "")
    assert warehouse.landed() == []


@pytest.mark.parametrize("after", ["move", "delete"])
def test_put_away_on_the_server(warehouse: Warehouse, server: SshServer, after: str) -> None:
    declare(warehouse, server, after_collection=after, after_folder="done")
    for _ in range(2):
        (server.root / "daily_1.csv").write_bytes(calls(0))
        assert warehouse.collect().error is None
    files = [path for path in server.root.rglob("*") if path.is_file()]
    assert len(files) == (2 if after == "move" else 0)
    assert not (server.root / "daily_1.csv").exists()
    assert len(warehouse.landed()) == 1


def test_an_interrupted_download_is_started_again(
    warehouse: Warehouse, server: SshServer, start: Callable[..., Any]
) -> None:
    content = calls(0, 20_000)
    (server.root / "daily_1.csv").write_bytes(content)
    with servers.bad_line(server.port, [len(content) // 2]) as line:
        declare(warehouse, server, port=line.port, host_key=server.fingerprint)
        assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
        assert line.broken == 1
    assert any("trying again (1 of 2)" in text for text in warehouse.said)
    assert warehouse.rows("select data_count from control.file") == [(20_000,)]


def test_a_line_that_stays_broken_is_given_up_in_words(
    warehouse: Warehouse, server: SshServer
) -> None:
    (server.root / "daily_1.csv").write_bytes(calls(0, 20_000))
    with servers.bad_line(server.port, [100_000] * 9) as line:
        declare(warehouse, server, port=line.port, host_key=server.fingerprint)
        error = warehouse.collect().error or ""
    assert f"collector c (127.0.0.1:{line.port}): " in error
    assert warehouse.landed() == []
    declare(warehouse, server, port=servers.free_port())
    assert "the connection was refused" in (warehouse.collect().error or "")


def test_a_missing_folder_and_a_link_are_named(warehouse: Warehouse, server: SshServer) -> None:
    declare(warehouse, server, directory="/no/such/folder")
    assert "there is no folder /no/such/folder" in (warehouse.collect().error or "")
    declare(warehouse, server)
    odd = os.path.join(os.fsencode(server.root), b"daily_\xe9.csv")
    Path(os.fsdecode(odd)).touch()
    assert "whose name is not UTF-8" in (warehouse.collect().error or "")
    os.remove(odd)
    (server.root / "daily_1.csv").symlink_to("/etc/passwd")
    assert by_name(warehouse.collect())["daily_1.csv"].state == "ignored"


def test_a_large_file_takes_no_memory(warehouse: Warehouse, server: SshServer) -> None:
    content = calls(0, 20_000) * 12
    (server.root / "daily_1.csv").write_bytes(content)
    declare(warehouse, server)
    (collector,) = read_collectors(warehouse.connection, ["c"])
    line = Line(collector, QUICK, warehouse.said.append)
    (file,) = line.do(lambda remote: remote.look([""], set()))
    digest = hashlib.sha256()
    tracemalloc.start()
    try:
        line.do(lambda remote: remote.fetch(file, digest.update))
        assert tracemalloc.get_traced_memory()[1] < 12_000_000 < len(content)
    finally:
        tracemalloc.stop()
        line.close()
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


def test_the_key_may_come_from_the_environment(
    warehouse: Warehouse, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", server.user_key.read_text())
    declare(warehouse, server, private_key_from="env:ACME_KEY")
    assert warehouse.collect().error is None
    assert "PRIVATE KEY" not in warehouse.everything()
    monkeypatch.setenv("ACME_KEY", "not a key")
    assert "the private key cannot be read" in (warehouse.collect().error or "")
