"""Landing against a bare COPY of the same file: time as interleaved pairs, and peak memory.

    python -m benchmarks.landing [--rows 1000000] [--pairs 5] [--dirty 0]

Needs RATEHOUSE_DATABASE_URL or the embedded server. Everything happens in a database of its own,
which is dropped at the end. The bare COPY streams the same bytes through the same client library
into a table with the file's columns and nothing else.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from loaders.database import database_url, migrate
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


def _in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _administer(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


def bare_copy(connection: psycopg2.extensions.connection, path: Path) -> float:
    """Seconds for COPY of the file into a table of its columns, commit included."""
    columns = ", ".join(f"{column} text" for column in _VARIANT.columns)
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists public.bare")
        cursor.execute(f"create table public.bare ({columns})")
    began = time.perf_counter()
    with connection, connection.cursor() as cursor, path.open("rb") as stream:
        cursor.copy_expert("copy public.bare from stdin (format csv)", stream, size=256 * 1024)
    return time.perf_counter() - began


def landing(connection: psycopg2.extensions.connection, path: Path) -> float:
    """Seconds for load_paths of a file never seen."""
    began = time.perf_counter()
    (result,) = load_paths(connection, [path])
    seconds = time.perf_counter() - began
    if result.status != "landed":
        raise SystemExit(f"not landed: {result}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--dirty", type=float, default=0.0, help="per cent of dirty lines")
    arguments = parser.parse_args()
    url = database_url()
    name = "ratehouse_bench_landing"
    _administer(url, f"drop database if exists {name} with (force)")
    _administer(url, f"create database {name}")
    own = _in_database(url, name)
    try:
        migrate(own)
        connection = psycopg2.connect(own)
        bare_times, landing_times = [], []
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
                    lambda clean=clean: bare_times.append(bare_copy(connection, clean)),
                    lambda path=path: landing_times.append(landing(connection, path)),
                ]
                for step in steps if pair % 2 == 0 else reversed(steps):
                    step()
                print(
                    f"pair {pair + 1}: {size / 1e6:.0f} MB, bare {bare_times[-1]:.2f} s, "
                    f"landing {landing_times[-1]:.2f} s, "
                    f"ratio {landing_times[-1] / bare_times[-1]:.2f}, "
                    f"peak memory grew {_peak_megabytes() - before:.0f} MB",
                    flush=True,
                )
                path.unlink()
                clean.unlink(missing_ok=True)
        ratios = [
            landed / bare for landed, bare in zip(landing_times, bare_times, strict=True)
        ]
        print(
            f"landing / bare COPY: min {min(ratios):.2f}, "
            f"median {statistics.median(ratios):.2f}, max {max(ratios):.2f}; "
            f"{arguments.rows / statistics.median(landing_times):,.0f} lines a second; "
            f"peak memory {_peak_megabytes():.0f} MB"
        )
        connection.close()
    finally:
        _administer(url, f"drop database if exists {name} with (force)")


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()
