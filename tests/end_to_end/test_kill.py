"""kill -9 anywhere between drop folder and closed run: the next start ends as if nothing was.

RATEHOUSE_TEST_KILLS says how often (default 4). Every second attempt has its dbt in a process of
its own and the blow hits the worker alone, so that dbt goes on as an orphan while the next attempt
is already at work; in the others dbt works in the worker and dies with it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loaders import settings
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.conftest import Month
from tests.end_to_end.test_rerun_changes_nothing import _CONTENT as CONTENT
from tests.end_to_end.warehouse import Warehouse

_KILLS = int(os.environ.get("RATEHOUSE_TEST_KILLS", "4"))


@contextmanager
def _worker(
    warehouse: Warehouse, folder: Path, how: str = "here"
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "tests.end_to_end.worker",
            warehouse.url, str(folder), str(warehouse.target), how,
        ],
        cwd=settings.project_root(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        # Orphans may finish what they can; they must not be able to spoil anything.
        process.stdout.close()
        process.wait()


def test_killed_anywhere_and_started_again_gives_the_same(
    month: Month, make_warehouse: Callable[[], Warehouse]
) -> None:
    files = month.folder / "files"
    undisturbed = make_warehouse()
    undisturbed.load_reference(month.folder / "reference")
    began = time.monotonic()
    with _worker(undisturbed, files) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output.decode()
    usual = time.monotonic() - began

    killed = make_warehouse()
    killed.load_reference(month.folder / "reference")
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    moments = []
    for number in range(_KILLS):
        moment = rng.uniform(0, 0.9 * usual)
        moments.append(round(moment, 2))
        is_apart = number % 2 == 1
        with _worker(killed, files, "apart" if is_apart else "here") as process:
            try:
                process.wait(moment)
                break  # done before the blow: nothing is left to kill
            except subprocess.TimeoutExpired:
                if is_apart:
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
    with _worker(killed, files) as process:
        output, _ = process.communicate()
    story = f"seed {seed}, killed after {moments} s of {usual:.1f} s: {output.decode()}"
    assert process.returncode == 0, story

    print(story)
    assert killed.value(CONTENT) == undisturbed.value(CONTENT) == month.warehouse.value(CONTENT), (
        story
    )
    assert killed.rows("select status from control.rating_run") == [("closed",)], story
    assert_balanced(killed)
    drafts = killed.bill()
    assert {group: draft.content_checksum for group, draft in drafts.items()} == month.checksums
