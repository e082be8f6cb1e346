"""Landing against a bare COPY of the same file: time as interleaved pairs, and peak memory.

    python -m benchmarks.landing [--rows 1000000] [--pairs 5] [--dirty 0]

Needs RATEHOUSE_DATABASE_URL or the embedded server. Everything happens in a database of its own,
which is dropped at the end. The bare COPY streams the same bytes through the same client library
into a table with the file's columns and nothing else.

Client and server work at the same time, so the wall time needs two processors that are free. The
processor seconds of each say what it would be then: the longer of the two.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from benchmarks.scratch import ScratchDatabase
from loaders.database import database_url
from loaders.files import load_paths
from loaders.layouts import LAYOUTS

_VARIANT = next(v for v in LAYOUTS["asterisk_cdr"].variants if v.code == "cdr_csv_18")


def write_asterisk(path: Path, rows: int, seed: int, dirty_percent: float) -> None:
    """Lines as cdr_csv writes them; of the dirty ones half are broken, half repairable."""
    rng = random.Random(seed)
    with path.open("w") as stream:
        for number in range(rows):
            source = f"1{rng.randint(2012000000, 9899999999)}"
            called = f"1{rng.randint(2012000000, 9899999999)}"
            talk = rng.randint(1, 600) if rng.random() < 0.8 else 0
            start = (
                f'"2026-10-{rng.randint(1, 28):02d} '
                f'{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}"'
            )
            name = f'"""Desk {number % 100}"" <{source}>"'
            if rng.random() * 100 < dirty_percent:
                name = f'""Desk {number % 100}" <{source}>"' if number % 2 else '"Desk"x","'
            stream.write(
                f'"acme","{source}","{called}","outbound",{name},"SIP/{source}-{number:08x}",'
                f'"SIP/trunk-{number:08x}","Dial","SIP/{called}@trunk,60{",rI" * (number % 3)}",'
                f"{start},{start if talk else ''},{start},{talk + 8},{talk},"
                f'"{"ANSWERED" if talk else "NO ANSWER"}","DOCUMENTATION",'
                f'"{1790000000 + number}.{seed}",""\n'
            )


@dataclass(frozen=True)
class Measured:
    """Wall seconds, and processor seconds on both sides (None for a server out of sight)."""

    wall: float
    client: float
    server: float | None

    def __str__(self) -> str:
        server = "" if self.server is None else f", server {self.server:.2f}"
        return f"{self.wall:.2f} s (client {self.client:.2f}{server})"


@contextmanager
def measured(
    connection: psycopg2.extensions.connection, into: list[Measured]
) -> Iterator[None]:
    """Measure what happens inside."""
    process = connection.info.backend_pid
    wall, client, server = time.perf_counter(), time.process_time(), _server_seconds(process)
    yield
    ended = _server_seconds(process)
    into.append(
        Measured(
            time.perf_counter() - wall,
            time.process_time() - client,
            None if server is None or ended is None else ended - server,
        )
    )


def _server_seconds(process: int) -> float | None:
    """Processor time of the server process, where it runs on this Linux machine."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    if "postgres" not in text:
        return None
    user, system = text.rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def bare_copy(
    connection: psycopg2.extensions.connection, path: Path, into: list[Measured]
) -> None:
    """COPY of the file into a table of its columns, commit included."""
    columns = ", ".join(f"{column} text" for column in _VARIANT.columns)
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists public.bare")
        cursor.execute(f"create table public.bare ({columns})")
    with (
        measured(connection, into),
        connection,
        connection.cursor() as cursor,
        path.open("rb") as stream,
    ):
        cursor.copy_expert("copy public.bare from stdin (format csv)", stream, size=256 * 1024)


def landing(
    connection: psycopg2.extensions.connection, path: Path, into: list[Measured]
) -> None:
    """load_paths of a file never seen."""
    with measured(connection, into):
        (result,) = load_paths(connection, [path])
    if result.status != "landed":
        raise SystemExit(f"not landed: {result}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--dirty", type=float, default=0.0, help="per cent of dirty lines")
    arguments = parser.parse_args()
    with ScratchDatabase(database_url(), "ratehouse_bench_landing") as scratch:
        connection = psycopg2.connect(scratch.url)
        bare: list[Measured] = []
        landed: list[Measured] = []
        with tempfile.TemporaryDirectory() as folder:
            for pair in range(arguments.pairs):
                path = Path(folder) / f"Master_{pair}.csv"
                write_asterisk(path, arguments.rows, pair, 0.0)
                clean = path
                if arguments.dirty:
                    # The bare COPY cannot read broken lines: it gets the clean twin.
                    path = Path(folder) / f"Dirty_{pair}.csv"
                    write_asterisk(path, arguments.rows, pair, arguments.dirty)
                size = path.stat().st_size
                before = _peak_megabytes()
                # Who goes first alternates, so that neither always meets the warmer cache.
                steps = [
                    lambda clean=clean: bare_copy(connection, clean, bare),
                    lambda path=path: landing(connection, path, landed),
                ]
                for step in steps if pair % 2 == 0 else reversed(steps):
                    step()
                print(
                    f"pair {pair + 1}: {size / 1e6:.0f} MB, bare {bare[-1]}, "
                    f"landing {landed[-1]}, ratio {landed[-1].wall / bare[-1].wall:.2f}, "
                    f"peak memory grew {_peak_megabytes() - before:.0f} MB",
                    flush=True,
                )
                path.unlink()
                clean.unlink(missing_ok=True)
        ratios = [ours.wall / floor.wall for ours, floor in zip(landed, bare, strict=True)]
        lines = arguments.rows / statistics.median(ours.wall for ours in landed)
        print(
            f"landing / bare COPY: min {min(ratios):.2f}, "
            f"median {statistics.median(ratios):.2f}, max {max(ratios):.2f}; "
            f"{lines:,.0f} lines a second; peak memory {_peak_megabytes():.0f} MB; "
            f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        )
        connection.close()


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()
