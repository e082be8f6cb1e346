"""Originals: kept byte for byte, before the landing commits, and verified when read."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from loaders.errors import RatehouseError
from loaders.files import load_paths
from loaders.files import originals as storage
from loaders.files.landing import Loading
from tests.files.make import calls
from tests.loaders.conftest import Warehouse


def _kept(folder: Path) -> dict[str, bytes]:
    """Everything that lies in the storage, unfinished files too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _key(content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def test_every_file_received_is_kept_once(warehouse: Warehouse, originals: Path) -> None:
    landed = calls(range(3)).encode()
    assert warehouse.load("a.csv", landed).status == "landed"
    assert warehouse.load("again.csv", landed).status == "held"
    assert warehouse.load("strange.csv", b"no layout\nat all\n").status == "held"
    assert _kept(originals) == {
        _key(content): content for content in (landed, b"no layout\nat all\n")
    }


def test_a_file_that_cannot_be_read_is_not_kept(warehouse: Warehouse, originals: Path) -> None:
    (result,) = load_paths(warehouse.connection, [warehouse.folder / "absent.csv"])
    assert result.status == "failed"
    assert not originals.exists()


def test_what_is_kept_is_what_was_read(
    warehouse: Warehouse, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after it was read: registry and storage agree all the same."""
    content = calls(range(4)).encode()
    register = Loading._register

    def replaced(self: Loading, *arguments: object) -> None:
        (warehouse.folder / "a.csv").write_bytes(content.replace(b"1", b"2"))
        register(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Loading, "_register", replaced)
    result = warehouse.load("a.csv", content)
    assert result.status == "landed"
    assert _kept(originals) == {_key(content): content}
    assert warehouse.value("select sha256 from control.file") in _key(content)


def test_a_landed_file_always_has_its_original(
    warehouse: Warehouse, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for the original: nothing lands, and nothing half-written stays."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = warehouse.write("a.csv", calls(range(3)))
    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(RatehouseError, match="storage of originals .* No space left"):
        load_paths(warehouse.connection, [path])
    assert warehouse.value("select count(*) from control.file") == 0
    assert warehouse.value("select count(*) from landing.mapped_usage") == 0
    assert _kept(originals) == {}
    monkeypatch.undo()


def test_an_original_that_was_lost_comes_back_with_the_file(
    warehouse: Warehouse, originals: Path
) -> None:
    content = calls(range(3)).encode()
    warehouse.load("a.csv", content)
    (originals / _key(content)).unlink()
    assert warehouse.load("a.csv", content).status == "already_loaded"
    assert _kept(originals) == {_key(content): content}


def test_damage_is_noticed(tmp_path: Path, originals: Path) -> None:
    content = b"x" * 1_000_000
    given = tmp_path / "given"
    given.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    store = storage.open_originals()
    store.ensure(sha256, given)
    stored = originals / _key(content)
    stored.chmod(0o600)
    stored.write_bytes(content[:-1] + b"y")
    with pytest.raises(storage.OriginalDamaged):
        store.copy_to(sha256, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.glob(".out*")] == []
    with pytest.raises(storage.OriginalMissing):
        store.copy_to("0" * 64, tmp_path / "out")


def test_what_a_killed_process_left_is_removed(originals: Path, tmp_path: Path) -> None:
    incoming = originals / ".incoming"
    incoming.mkdir(parents=True)
    (incoming / "old").write_bytes(b"x")
    (incoming / "young").write_bytes(b"x")
    yesterday = time.time() - 25 * 3600
    os.utime(incoming / "old", (yesterday, yesterday))
    storage.open_originals().begin().drop()
    assert [path.name for path in incoming.iterdir()] == ["young"]


@pytest.mark.parametrize("scheme", ["memory", "local"])
def test_any_fsspec_url_will_do(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """memory puts an object at once; local stands for what needs a rename."""
    root = "memory://kept" if scheme == "memory" else f"local://{tmp_path}/kept"
    monkeypatch.setenv("RATEHOUSE_ORIGINALS_URL", root)
    content = calls(range(3)).encode()
    assert warehouse.load("a.csv", content).status == "landed"
    sha256 = hashlib.sha256(content).hexdigest()
    store = storage.open_originals()
    assert store.holds(sha256)
    assert not store.holds("0" * 64)
    store.copy_to(sha256, tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == content
    with pytest.raises(storage.OriginalMissing, match="does not hold"):
        store.copy_to("0" * 64, tmp_path / "nothing")


def test_a_wrong_place_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATEHOUSE_ORIGINALS_URL", "nosuch://user:secret@host/x")
    with pytest.raises(RatehouseError, match="nosuch://host/x cannot be used") as refused:
        storage.open_originals()
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("RATEHOUSE_ORIGINALS_URL", "relative/folder")
    with pytest.raises(RatehouseError, match="no absolute path"):
        storage.open_originals()
