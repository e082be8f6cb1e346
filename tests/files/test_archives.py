"""Archives of several files, and archives that mean harm."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loaders.database import connect
from loaders.files import FileResult, archives, load_paths, stored
from tests.files.make import HEADER, calls, tarred, zipped
from tests.loaders.conftest import Warehouse

Pack = Callable[..., bytes]
_PACKS: dict[str, Pack] = {
    "calls.zip": zipped,
    "calls.tar": tarred,
    "calls.tar.gz": lambda *members: gzip.compress(tarred(*members)),
}


def _load(warehouse: Warehouse, name: str, content: bytes) -> list[FileResult]:
    results = load_paths(warehouse.connection, [warehouse.write(name, content)])
    for result in results:
        warehouse.check_balance(result)
    return results


@pytest.fixture
def shared(module_database: str, tmp_path: Path, originals: Path) -> Iterator[Warehouse]:
    """One database for all archives that are refused: nothing of them stays in it."""
    with contextlib.closing(connect("ratehouse_loader", module_database)) as session:
        yield Warehouse(session, tmp_path / "in")


def _held(warehouse: Warehouse, name: str, content: bytes) -> tuple[str | None, str]:
    """The file is held as a whole: the reason; nothing of it has landed."""
    (result,) = _load(warehouse, name, content)
    assert result.status == "held"
    assert warehouse.value("select count(*) from landing.mapped_usage") == 0
    assert warehouse.value("select count(*) from control.file where status <> 'held'") == 0
    return result.status_reason, result.explanation


@pytest.mark.parametrize("name", _PACKS)
def test_each_file_of_an_archive_lands(warehouse: Warehouse, originals: Path, name: str) -> None:
    content = _PACKS[name](
        ("monday.csv", calls(range(5)).encode()),
        ("week/tuesday.csv", calls(range(5, 12)).encode()),
        ("__MACOSX/._monday.csv", b"clutter"),
        ("week/.DS_Store", b"clutter"),
    )
    archive, *members = _load(warehouse, name, content)
    assert (archive.status, archive.record_count, len(members)) == ("landed", 0, 2)
    assert [(m.file_name, m.status, m.data_count) for m in members] == [
        (f"{name}!monday.csv", "landed", 5), (f"{name}!week/tuesday.csv", "landed", 7),
    ]  # fmt: skip
    assert members[1].origin == f"{warehouse.folder / name}!week/tuesday.csv"
    assert warehouse.rows(
        "select file_id, archive_file_id from control.file where archive_file_id is not null "
        "order by 1"
    ) == [(member.file_id, archive.file_id) for member in members]
    # The archive and each file in it.
    assert len([path for path in originals.rglob("*") if path.is_file()]) == 3
    again = _load(warehouse, name, content)
    assert [(r.status, r.file_id) for r in again] == [("already_loaded", archive.file_id)]


@pytest.mark.parametrize("name", _PACKS)
def test_an_archive_sent_again_under_another_name(warehouse: Warehouse, name: str) -> None:
    content = _PACKS[name](("a.csv", calls([1]).encode()), ("b.csv", calls([2]).encode()))
    first = _load(warehouse, name, content)
    again = _load(warehouse, "resent-" + name, content)
    assert [r.status for r in again] == ["landed", "held", "held"]
    assert [r.duplicate_of_file_id for r in again[1:]] == [r.file_id for r in first[1:]]


def test_a_file_of_an_archive_may_be_held(warehouse: Warehouse) -> None:
    _, good, bad = _load(
        warehouse, "calls.zip", zipped(("a.csv", calls([1]).encode()), ("b.csv", b"what?\n"))
    )
    assert (good.status, bad.status, bad.status_reason) == ("landed", "held", "unknown_layout")


def test_an_archive_whose_loading_was_killed_is_finished(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped(*((f"{n}.csv", calls([n]).encode()) for n in range(4)))
    path = warehouse.write("calls.zip", content)
    members = archives.Archive.members
    passes = []

    def dies(self: archives.Archive) -> archives.Members:
        passes.append(1)
        for number, member in enumerate(members(self)):
            if len(passes) == 2 and number == 2:
                raise KeyboardInterrupt
            yield member

    monkeypatch.setattr(archives.Archive, "members", dies)
    with pytest.raises(KeyboardInterrupt):
        load_paths(warehouse.connection, [path])
    assert warehouse.value("select count(*) from control.file") == 2
    results = load_paths(warehouse.connection, [path])
    assert [r.status for r in results] == [
        "landed", "already_loaded", "already_loaded", "landed", "landed",
    ]  # fmt: skip
    assert warehouse.value("select count(*) from landing.mapped_usage") == 4
    assert warehouse.value(
        "select count(*) from control.file where archive_file_id is not null"
    ) == 4  # fmt: skip


def test_a_tar_of_one_file_and_long_names(warehouse: Warehouse) -> None:
    long = "folder/" * 30 + "calls.csv"
    for number, form in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
            info = tarfile.TarInfo(long)
            content = calls([number]).encode()
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        _, member = _load(warehouse, f"{number}.tar", stream.getvalue())
        assert (member.status, member.file_name) == ("landed", f"{number}.tar!{long}")


# -- archives that are refused as a whole --------------------------------------------------------


@pytest.mark.parametrize("pack", _PACKS)
@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "/etc/passwd", "a/../../b.csv", "..\\b.csv", "C:\\b.csv"]
)
def test_names_that_point_outside(shared: Warehouse, pack: str, name: str) -> None:
    content = _PACKS[pack](("a.csv", calls([1]).encode()), (name, calls([2]).encode()))
    reason, explanation = _held(shared, pack, content)
    assert reason == "unsafe_member"
    assert f"named '{name}', which points outside" in explanation


def test_a_zip_of_one_file_that_points_outside(shared: Warehouse) -> None:
    content = zipped(("../a\x1b[2J.csv", calls([1]).encode()))
    reason, explanation = _held(shared, "calls.zip", content)
    assert reason == "unsafe_member"
    assert "'../a\\x1b[2J.csv'" in explanation


@pytest.mark.parametrize("pack", _PACKS)
@pytest.mark.parametrize(
    "inner",
    [zipped(("x.csv", b"x")), gzip.compress(b"x"), tarred(("x.csv", b"x"))],
    # Named: what they hold depends on the clock, and all workers must find the same tests.
    ids=["zip", "gzip", "tar"],
)
def test_nested_archives(shared: Warehouse, pack: str, inner: bytes) -> None:
    content = _PACKS[pack](("a.csv", calls([1]).encode()), ("inner", inner))
    reason, explanation = _held(shared, pack, content)
    assert reason == "nested_archive"
    assert "'inner' inside the archive is an archive itself" in explanation


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(gzip.compress(calls([1]).encode())),
        gzip.compress(zipped(("a.csv", calls([1]).encode()))),
        zipped(("a.csv.gz", gzip.compress(calls([1]).encode()))),
        zipped(("a.tar", tarred(("a.csv", calls([1]).encode())))),
    ],
)
def test_one_compressed_file_in_another(shared: Warehouse, content: bytes) -> None:
    assert _held(shared, "calls.bin", content)[0] == "nested_archive"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
                                  tarfile.FIFOTYPE])  # fmt: skip
def test_links_and_devices(shared: Warehouse, kind: bytes) -> None:
    info = tarfile.TarInfo("calls.csv")
    info.type = kind
    info.linkname = "/etc/passwd"
    content = tarred(("a.csv", calls([1]).encode()), (info, b""))
    reason, explanation = _held(shared, "calls.tar", content)
    assert reason == "unsafe_member"
    assert "'calls.csv' inside the archive is no file but a link or device" in explanation


@pytest.mark.parametrize("pack", _PACKS)
def test_too_many_files(
    shared: Warehouse, pack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAXIMUM_MEMBERS", 20)
    many = [(f"{n}.csv", calls([n]).encode()) for n in range(21)]
    assert _held(shared, pack, _PACKS[pack](*many))[0] == "archive_members"


@pytest.mark.parametrize("pack", ["calls.zip", "calls.tar.gz"])
def test_bombs(shared: Warehouse, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many files that are harmless each."""
    monkeypatch.setattr(stored, "FREE_ALLOWANCE", 1024 * 1024)
    monkeypatch.setattr(stored, "MAXIMUM_RATIO", 50)
    zeros = (HEADER + "\n" + "," * 100_000).encode()
    content = _PACKS[pack](*((f"{n}.csv", zeros) for n in range(50)))
    assert len(content) * 50 < len(zeros) * 50
    assert _held(shared, pack, content)[0] == "archive_too_large"


@pytest.mark.parametrize("pack", _PACKS)
def test_archives_that_end_too_early(shared: Warehouse, pack: str) -> None:
    content = _PACKS[pack](*((f"{n}.csv", calls(range(n, n + 50)).encode()) for n in range(3)))
    # A tar archive ends with blocks of zeros; half of it is in the middle of a file.
    assert _held(shared, pack, content[: len(content) // 2])[0] == "truncated_archive"


def test_a_damaged_member_leaves_nothing(shared: Warehouse) -> None:
    content = bytearray(
        zipped(("a.csv", calls(range(50)).encode()), ("b.csv", calls(range(50)).encode()))
    )
    second = content.index(b"PK\x03\x04", 10)
    content[second + 60] ^= 0xFF
    assert _held(shared, "calls.zip", bytes(content))[0] == "truncated_archive"


def test_a_tar_header_that_claims_gigabytes(shared: Warehouse) -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = 8 * 1024**3
    content = info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)
    reason, explanation = _held(shared, "calls.tar", content)
    assert (reason, "8589934592 bytes" in explanation) == ("unsafe_member", True)


def test_a_zip_whose_list_of_files_is_huge(shared: Warehouse) -> None:
    """Its entries are small, the memory to hold them is not."""
    content = zipped(*((f"{n:0200d}", b"") for n in range(5000)))
    reason, explanation = _held(shared, "calls.zip", content)
    assert (reason, "list of files" in explanation) == ("archive_members", True)


def test_compression_that_eats_memory(shared: Warehouse) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.csv", calls([1]))
    reason, explanation = _held(shared, "calls.zip", stream.getvalue())
    assert (reason, "unusual way" in explanation) == ("archive_unreadable", True)


def test_a_password(shared: Warehouse) -> None:
    content = bytearray(zipped(("a.csv", calls([1]).encode()), ("b.csv", calls([2]).encode())))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = content.index(mark)
        flags = struct.unpack_from("<H", content, position + offset)[0]
        struct.pack_into("<H", content, position + offset, flags | 1)
    reason, explanation = _held(shared, "calls.zip", bytes(content))
    assert (reason, "password" in explanation) == ("archive_unreadable", True)


def test_an_empty_archive(shared: Warehouse) -> None:
    assert _held(shared, "calls.zip", zipped())[0] == "archive_members"
