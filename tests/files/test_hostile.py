"""Files made to exhaust memory: they are refused or landed, and memory stays under 64 MB."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.files.make import HEADER, calls
from tests.loaders import samples
from tests.loaders.conftest import Warehouse

_MB = 1024 * 1024
_GROWTH = 64 * _MB

_MEASURED = """
import json, resource, sys
from loaders.database import connect
from loaders.files import load_paths

connection = connect("ratehouse_loader", sys.argv[1])
load_paths(connection, [sys.argv[2]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
results = load_paths(connection, [sys.argv[3]])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([[[r.status, r.status_reason, r.data_count, r.quarantined_count]
                   for r in results], after - before]))
"""


def _long_line(path: Path) -> None:
    _one_line(path, lambda write: [write(b"x" * _MB) for _ in range(300)])


def _one_line(path: Path, middle: Callable[[Callable[[bytes], int]], object]) -> None:
    with path.open("wb") as stream:
        stream.write(f"{HEADER}\n{samples.mapped(31)}\n".encode())
        middle(stream.write)
        stream.write(f"\n{samples.mapped(32)}\n".encode())


def _sparse_zeros(path: Path) -> None:
    """Takes no room on the disk."""
    with path.open("wb") as stream:
        stream.truncate(300 * _MB)


def _zeros_in_lines(path: Path) -> None:
    _one_line(path, lambda write: write(b"a\x00,b" + b"x" * 500 + b"\n" + b"y\x00"))


def _many_columns(path: Path) -> None:
    names = ",".join(f"column_{number}" for number in range(1_000_000))
    path.write_text(f"{names}\n" + "1," * 999_999 + "1\n")


def _many_known_columns(path: Path) -> None:
    """Begins like a header that is recognised."""
    names = ",".join(f"column_{number}" for number in range(1_000_000))
    path.write_text(f"{HEADER},{names}\n{samples.mapped(31)}" + ",1" * 1_000_000 + "\n")


def _gzipped_line(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(f"{HEADER}\n{samples.mapped(31)}\n".encode())
        for _ in range(200):
            stream.write(b"x" * _MB)


def _zipped_lines(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("a.csv", "b.csv"):
            with archive.open(name, "w") as stream:
                stream.write(f"{HEADER}\n{samples.mapped(31)}\n".encode())
                for _ in range(100):
                    stream.write(b"x" * _MB)


def _many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(60_000):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")


def _nested_quotes(path: Path) -> None:
    _one_line(path, lambda write: [write(b'"' * _MB) for _ in range(20)])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_long_line, [["landed", None, 2, 1]]),
        (_sparse_zeros, [["held", "not_text", 0, 0]]),
        (_zeros_in_lines, [["landed", None, 2, 2]]),
        (_many_columns, [["held", "unknown_layout", 0, 0]]),
        (_many_known_columns, None),
        (_gzipped_line, [["landed", None, 1, 1]]),
        (_zipped_lines, None),
        (_many_members, [["held", "archive_members", 0, 0]]),
        (_nested_quotes, [["landed", None, 2, 1]]),
    ],
)
def test_memory_stays_flat(
    warehouse: Warehouse,
    database: str,
    make: Callable[[Path], None],
    expected: list[list[object]] | None,
) -> None:
    small = warehouse.write("small.csv", calls(range(5)))
    path = warehouse.folder / "hostile.bin"
    make(path)
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURED, database, str(small), str(path)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    results, kilobytes = json.loads(measured.stdout)
    if expected is not None:
        assert results == expected
    assert all(status in ("landed", "held") for status, *_ in results)
    grown = kilobytes if sys.platform == "darwin" else kilobytes * 1024
    assert grown < _GROWTH, f"{grown / _MB:.0f} MB"


def test_links_are_not_followed(warehouse: Warehouse, tmp_path: Path) -> None:
    from loaders.files import load_paths

    secret = tmp_path / "secret.csv"
    secret.write_text(calls(range(3)))
    warehouse.folder.mkdir(parents=True, exist_ok=True)
    (warehouse.folder / "link.csv").symlink_to(secret)
    (warehouse.folder / "folder").symlink_to(tmp_path)
    results = load_paths(warehouse.connection, [warehouse.folder])
    assert [r.status_reason for r in results] == ["symbolic_link", "symbolic_link"]
    assert warehouse.value("select count(*) from control.file") == 0
