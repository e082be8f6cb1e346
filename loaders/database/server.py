"""The embedded PostgreSQL server: one per installation, kept running until it is stopped.

Its programs come with a Python package; its data lie in the home folder. It listens on 127.0.0.1
only, asks for a generated password, and is an ordinary server otherwise: dbt, Dagster and BI tools
connect to it over TCP.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from loaders import settings
from loaders.database import binaries, tuning
from loaders.database.connection import open_connection
from loaders.errors import ConfigurationError, DatabaseUnavailable, ServerError

PORT_VARIABLE = "RATEHOUSE_PORT"
OWNER = "ratehouse"
DATABASE = "ratehouse"
READER = "bi_reader"
HOST = "127.0.0.1"

_FIRST_PORT = 25432  # below the range systems hand out for outgoing connections
_PORTS = 1000
_START_SECONDS = 600
_STOP_SECONDS = 120
_LOCK_SECONDS = 180.0
_LEFTOVER_SECONDS = 5.0
_MINIMUM_FREE_BYTES = 256 * 1024 * 1024
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_NEW_DATA = "postgres.new-"
_UNUSABLE = frozenset("\"$`\\\n\r")

_logger = logging.getLogger("ratehouse.server")


@dataclass(frozen=True)
class Running:
    """A live server, as its own pid file describes it."""

    pid: int
    port: int
    is_ready: bool


class Server:
    """Life cycle of the embedded server of one home folder."""

    def __init__(
        self,
        home: Path | None = None,
        *,
        say: Callable[[str], None] | None = None,
        overrides: dict[str, str] | None = None,
    ) -> None:
        self.home = home or settings.home()
        self.state_file = self.home / "server.json"
        self.password_file = self.home / "database_password"
        self.reader_password_file = self.home / "bi_reader_password"
        self._lock_file = self.home / "server.lock"
        self._say = say or _logger.info
        self._overrides = overrides or {}

    # -- what callers ask for ---------------------------------------------------------------

    def start(self) -> str:
        """Start the server if it is not running; return the database's URL."""
        self._prepare_home()
        with self._lock():
            running = self.running()
            if running is None:
                self._start()
            else:
                self._wait_until_ready()
                wanted = _configured_port()
                if wanted is not None and wanted != running.port:
                    self._say(
                        f"The server already runs on port {running.port}; {PORT_VARIABLE}={wanted} "
                        "counts after `ratehouse down`."
                    )
            url = self.url()
            self._create_database(url)
        return url

    def stop(self) -> bool:
        """Stop the server; False if it was not running."""
        if not self.home.is_dir():
            return False
        with self._lock():
            running = self.running()
            data = self.data_directory
            if running is None:
                self._end_leftovers(data)
                return False
            account = binaries.server_account(data)
            if account is None and data.stat().st_uid != os.geteuid():
                raise ServerError(
                    f"The server runs as another user ({self.owner_name()}); stop it as that "
                    "user or as root."
                )
            programs = binaries.find_binaries(self.home, account)
            result = binaries.run(
                [
                    str(programs / "pg_ctl"), "stop", "-D", str(data),
                    "-m", "fast", "-w", "-t", str(_STOP_SECONDS),
                ],
                account,
            )  # fmt: skip
            if result.returncode != 0 and self.running() is not None:
                raise ServerError(
                    f"The server (process {running.pid}) did not stop within {_STOP_SECONDS} "
                    f"seconds. See {self.log_file}."
                )
            return True

    def erase(self) -> None:
        """Stop the server and delete its data, passwords and log for good."""
        self.stop()
        outside = binaries.shared_folder(self.home)
        try:
            for folder in (self.home / "postgres", outside, *self.home.glob(f"{_NEW_DATA}*")):
                if folder.exists():
                    shutil.rmtree(folder)
            for path in (
                self.state_file,
                self.password_file,
                self.reader_password_file,
                *self.home.glob("postgresql.log*"),
            ):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise ServerError(_explain_os_error(error, self.home)) from error

    def url(self) -> str:
        """The owner's URL of the running server's database."""
        running = self.running()
        if running is None:
            if not self.state_file.exists():
                raise DatabaseUnavailable(
                    "There is no database yet. Start the embedded one with `ratehouse up`, or "
                    "set RATEHOUSE_DATABASE_URL to a server of yours."
                )
            raise DatabaseUnavailable(
                "The embedded PostgreSQL server is not running. Start it with `ratehouse up`."
            )
        return settings.make_database_url(
            host=HOST,
            port=running.port,
            user=OWNER,
            password=self._read_password(self.password_file),
            dbname=DATABASE,
        )

    def running(self) -> Running | None:
        """The live server, or None. A pid file left behind by a crash does not count."""
        data = self.data_directory
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        except PermissionError:
            return self._running_for_others()
        except OSError as error:
            raise ServerError(f"Cannot read {data}: {error.strerror}.") from error
        try:
            pid, port = int(lines[0]), int(lines[3])
        except (IndexError, ValueError):  # being written, or cut off by a crash
            return None
        if not _is_server_process(pid, data):
            return None
        return Running(pid, port, len(lines) > 7 and lines[7].strip() == "ready")

    def open_bi_reader(self) -> None:
        """Let BI tools connect as bi_reader: a login with a generated password kept in a file."""
        url = self.url()
        connection = open_connection(url, "ratehouse up")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("select rolcanlogin from pg_roles where rolname = %s", (READER,))
                row = cursor.fetchone()
                if row is None or (row[0] and self.reader_password_file.exists()):
                    return
                password = self._make_password(self.reader_password_file)
                cursor.execute(
                    sql.SQL("alter role {} login password {}").format(
                        sql.Identifier(READER), sql.Literal(password)
                    )
                )
        finally:
            connection.close()

    @property
    def data_directory(self) -> Path:
        """Where the data are: in the home folder, or outside it if they had to go there."""
        inside = self.home / "postgres"
        outside = binaries.shared_folder(self.home) / "postgres"
        # A folder we may not look into counts as absent: its owner's commands will see it.
        with contextlib.suppress(OSError):
            if not inside.exists() and outside.exists():
                return outside
        return inside

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.data_directory.with_name("postgresql.log")

    def owner_name(self) -> str | None:
        """The name of the user the data belong to."""
        try:
            return self.data_directory.owner()
        except (OSError, KeyError):
            return None

    # -- starting ---------------------------------------------------------------------------

    def _start(self) -> None:
        configured = _configured_port()  # a wrong setting is told before anything is made
        account, data = self._choose_place()
        programs = binaries.find_binaries(self.home, account)
        if not (data / "PG_VERSION").exists():
            self._initialise(programs, account, data)
        self._check_version(data)
        self._end_leftovers(data)
        _check_space(data)
        remembered = self._remembered_port()
        port = configured or remembered or self._free_port()
        for _attempt in range(5):
            if not _is_free(port):
                port = self._replace_port(port, configured, remembered)
            self._configure(data, port, account)
            if self._run_start(programs, account, data):
                self._write_state(data, port)
                return
            # Somebody took the port between our look and the server's.
            port = self._replace_port(port, configured, remembered)
        raise ServerError("No free port was found for the embedded server; set RATEHOUSE_PORT.")

    def _choose_place(self) -> tuple[binaries.Account | None, Path]:
        data = self.data_directory
        account = binaries.server_account(data)
        if account is None:
            if data.exists() and data.stat().st_uid != os.geteuid():
                raise ServerError(
                    f"{data} belongs to {self.owner_name() or 'another user'}. Start the server "
                    "as that user or as root, or set RATEHOUSE_HOME to a folder of your own."
                )
            return None, data
        if data.parent == self.home and not binaries.can_enter(self.home, account):
            if data.exists():
                raise ServerError(
                    f"User {account.name}, who runs the server, may not enter {self.home}: one of "
                    "its parent folders is closed. Open it (chmod o+x), or set RATEHOUSE_HOME."
                )
            data = binaries.make_shared_folder(self.home) / "postgres"
            self._say(
                f"User {account.name}, who runs the server, may not enter {self.home}; the data "
                f"go to {data} instead."
            )
        elif data.exists() and data.stat().st_uid == 0:
            _give_away(data, account)  # copied by root: the server must own its data
        return account, data

    def _initialise(self, programs: Path, account: binaries.Account | None, data: Path) -> None:
        _check_space(data.parent)
        if data.exists() and any(data.iterdir()):
            raise ServerError(
                f"{data} is not empty and holds no database. Move its content away, or set "
                "RATEHOUSE_HOME to another folder."
            )
        self._say(f"Creating the database in {data} …")
        password = self._make_password(self.password_file)
        # Made beside and renamed when complete: an interrupted start leaves no half database. Each
        # attempt has a folder of its own, since the initdb of a killed start may still be at work.
        for abandoned in data.parent.glob(f"{_NEW_DATA}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        try:
            room = Path(tempfile.mkdtemp(prefix=_NEW_DATA, dir=data.parent))
        except OSError as error:
            raise ServerError(_explain_os_error(error, data.parent)) from error
        part, secret = room / "postgres", room / "password"
        try:
            room.chmod(0o755)
            part.mkdir(mode=0o700)
            _write_private(secret, password)
            if account is not None:
                os.chown(part, account.uid, account.gid)
                os.chown(secret, account.uid, account.gid)
            result = binaries.run(
                [
                    str(programs / "initdb"), "-D", str(part), "-U", OWNER,
                    "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8",
                    "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    *(["--no-sync"] if self._overrides.get("fsync") == "off" else []),
                ],
                account,
            )  # fmt: skip
            if result.returncode != 0:
                raise ServerError(_explain_output("The database could not be created", result))
            with (part / "postgresql.conf").open("a", encoding="utf-8") as configuration:
                configuration.write(
                    "\ninclude_if_exists = 'ratehouse.conf'\ninclude_if_exists = 'custom.conf'\n"
                )
            if data.exists():
                data.rmdir()
            part.rename(data)
        except OSError as error:
            raise ServerError(_explain_os_error(error, data)) from error
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _check_version(self, data: Path) -> None:
        try:
            found = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ServerError(_explain_os_error(error, data)) from error
        if found != str(binaries.MAJOR_VERSION):
            raise ServerError(
                f"{data} was made by PostgreSQL {found}; this installation runs "
                f"{binaries.MAJOR_VERSION}. Dump it with PostgreSQL {found} (pg_dumpall), move "
                "the folder away and load the dump into a new one."
            )

    def _configure(self, data: Path, port: int, account: binaries.Account | None) -> None:
        wanted = tuning.server_settings(port, data) | self._overrides
        target = data / "ratehouse.conf"
        try:
            part = target.with_suffix(".new")
            part.write_text(tuning.configuration_text(wanted), encoding="utf-8")
            if account is not None:
                os.chown(part, account.uid, account.gid)
            part.replace(target)
        except OSError as error:
            raise ServerError(_explain_os_error(error, data)) from error

    def _run_start(self, programs: Path, account: binaries.Account | None, data: Path) -> bool:
        """Start it; False if its port was taken meanwhile."""
        log = self._prepare_log(data, account)
        offset = log.stat().st_size
        with subprocess.Popen(
            [
                str(programs / "pg_ctl"), "start", "-D", str(data), "-l", str(log),
                "-w", "-t", str(_START_SECONDS), "-s",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **binaries.process_options(account),
        ) as process:  # fmt: skip
            try:
                code = process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._say("The server replays its log after a crash; this may take some minutes.")
                code = process.wait()
        if code == 0:
            return True
        with log.open("rb") as stream:
            stream.seek(offset)
            text = stream.read(200_000).decode(errors="replace")
        if "Address already in use" in text:
            return False
        if self.running() is not None:  # a start that was killed had got this far
            self._wait_until_ready()
            return True
        raise ServerError(_explain_log(text, log, data))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (running := self.running()) is not None and not running.is_ready:
            if time.monotonic() > deadline:
                raise ServerError(
                    f"The server (process {running.pid}) has not become ready for "
                    f"{_START_SECONDS} seconds. See {self.log_file}."
                )
            time.sleep(0.1)

    def _prepare_log(self, data: Path, account: binaries.Account | None) -> Path:
        log = data.with_name("postgresql.log")
        try:
            if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
                log.replace(log.with_suffix(".log.1"))
            log.touch(mode=0o600)
            if account is not None:
                os.chown(log, account.uid, account.gid)
        except OSError as error:
            raise ServerError(_explain_os_error(error, log)) from error
        return log

    def _create_database(self, url: str) -> None:
        maintenance = settings.make_database_url(
            host=HOST,
            port=int(settings.connection_parameters(url)["port"]),
            user=OWNER,
            password=self._read_password(self.password_file),
            dbname="postgres",
        )
        connection = open_connection(maintenance, "ratehouse up")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("select from pg_database where datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        except psycopg2.Error as error:
            reason = error.diag.message_primary or str(error).strip()
            raise ServerError(f"Database {DATABASE} could not be created: {reason}.") from error
        finally:
            connection.close()

    # -- processes --------------------------------------------------------------------------

    def _end_leftovers(self, data: Path) -> None:
        """After kill -9 of the server its sessions may live on; a new one cannot start beside."""
        pid_file = data / "postmaster.pid"
        if not pid_file.exists():
            return
        leftovers = _wait_for_end(data, _LEFTOVER_SECONDS)
        if leftovers:
            self._say("Ending sessions a killed server left behind …")
        for sign in (signal.SIGTERM, signal.SIGQUIT):
            for pid in leftovers:
                # Gone by itself, or another user's: the wait below tells.
                with contextlib.suppress(OSError):
                    os.kill(pid, sign)
            leftovers = _wait_for_end(data, _LEFTOVER_SECONDS)
        if leftovers:
            raise ServerError(
                f"Processes of a killed server still use {data}: "
                f"{', '.join(map(str, leftovers))}. End them, then start again."
            )
        # A reboot may have given the old number to another program, and PostgreSQL would then
        # believe itself running. We know that nobody uses this folder.
        if _knows_processes():
            pid_file.unlink(missing_ok=True)

    def _running_for_others(self) -> Running | None:
        """For a user who may not look into the data: whether somebody answers on the port."""
        port = self._remembered_port()
        if port is None or _is_free(port):
            return None
        return Running(0, port, True)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One command at a time starts or stops the server."""
        try:
            # Read-only suffices for a lock, so another user's lock file serves as well.
            handle = os.open(self._lock_file, os.O_RDONLY | os.O_CREAT, 0o644)
        except OSError as error:
            raise ServerError(_explain_os_error(error, self._lock_file)) from error
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            is_told = False
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not is_told:
                        self._say("Another command starts or stops the server; waiting for it …")
                        is_told = True
                    if time.monotonic() > deadline:
                        raise ServerError(
                            f"Another command has held {self._lock_file} for "
                            f"{int(_LOCK_SECONDS)} seconds. Find it (ps aux) and end it."
                        ) from None
                    time.sleep(0.1)
            yield
        finally:
            os.close(handle)

    # -- files ------------------------------------------------------------------------------

    def _prepare_home(self) -> None:
        if _UNUSABLE & set(str(self.home)):
            # pg_ctl starts the server through a shell, inside double quotes.
            raise ServerError(
                f"PostgreSQL cannot work in {self.home}: its path holds one of \" $ ` \\ or a "
                "line break. Set RATEHOUSE_HOME to another folder."
            )
        try:
            if not self.home.is_dir():
                self.home.mkdir(parents=True)
                # Against a strict umask: the server's account must pass. Secrets are 0600.
                self.home.chmod(0o755)
            probe = self.home / f".write-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ServerError(_explain_os_error(error, self.home)) from error

    def _make_password(self, path: Path) -> str:
        if path.exists():
            return self._read_password(path)
        password = secrets.token_urlsafe(24)
        try:
            _write_private(path, password + "\n")
        except OSError as error:
            raise ServerError(_explain_os_error(error, path)) from error
        return password

    def _read_password(self, path: Path) -> str:
        try:
            password = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise DatabaseUnavailable(
                f"{path}, the password of the embedded database, is missing. Put it back, or move "
                f"{self.data_directory} away to begin with an empty database."
            ) from None
        except PermissionError:
            raise DatabaseUnavailable(
                f"{path} may not be read by this user: the embedded server belongs to another. "
                "Work as that user, or set RATEHOUSE_HOME to a folder of your own."
            ) from None
        if not password:
            raise DatabaseUnavailable(
                f"{path}, the password of the embedded database, is empty. Put it back."
            )
        return password

    def _write_state(self, data: Path, port: int) -> None:
        state = {
            "host": HOST,
            "port": port,
            "user": OWNER,
            "database": DATABASE,
            "data_directory": str(data),
            "server_version": binaries.MAJOR_VERSION,
        }
        try:
            part = self.state_file.with_suffix(".new")
            part.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
            part.replace(self.state_file)
        except OSError as error:
            raise ServerError(_explain_os_error(error, self.state_file)) from error

    # -- ports ------------------------------------------------------------------------------

    def _remembered_port(self) -> int | None:
        try:
            port = json.loads(self.state_file.read_text(encoding="utf-8"))["port"]
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent or damaged: any free port will do
        return port if isinstance(port, int) and 0 < port < 65536 else None

    def _free_port(self) -> int:
        # Spread over the range by folder, so that two installations seldom meet.
        offset = int(hashlib.sha256(str(self.home).encode()).hexdigest(), 16) % _PORTS
        for step in range(_PORTS):
            port = _FIRST_PORT + (offset + step) % _PORTS
            if _is_free(port):
                return port
        raise ServerError(
            f"No free port between {_FIRST_PORT} and {_FIRST_PORT + _PORTS - 1}; choose one with "
            f"{PORT_VARIABLE}."
        )

    def _replace_port(self, port: int, configured: int | None, remembered: int | None) -> int:
        if port == configured:
            raise ServerError(
                f"Port {port} ({PORT_VARIABLE}) is taken by another program. Stop that program, "
                f"choose another port, or unset {PORT_VARIABLE} to have one chosen."
            )
        chosen = self._free_port()
        if port == remembered:
            self._say(f"Port {port} is taken by another program; the server moves to {chosen}.")
        return chosen


def _configured_port() -> int | None:
    text = os.environ.get(PORT_VARIABLE, "").strip()
    if not text:
        return None
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise ConfigurationError(f"{PORT_VARIABLE} is '{text}'; it must be 1024 to 65535.")
    return int(text)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As PostgreSQL does: connections of an earlier server in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _knows_processes() -> bool:
    return Path("/proc/self/cwd").exists()


def _is_server_process(pid: int, data: Path) -> bool:
    if pid <= 0:
        return False
    if not _knows_processes():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True
    return _works_in(pid, str(data.resolve()))


def _server_processes(data: Path) -> list[int]:
    """Every PostgreSQL process of this data folder: they all work in it."""
    if not _knows_processes():
        return []
    folder = str(data.resolve())
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _works_in(int(entry.name), folder)
    ]


def _works_in(pid: int, folder: str) -> bool:
    entry = Path("/proc") / str(pid)
    try:
        if os.readlink(entry / "cwd") != folder:
            return False
        if (entry / "comm").read_text(encoding="utf-8").strip() != "postgres":
            return False
        # A zombie of a container without an init process does nothing any more.
        return (entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _wait_for_end(data: Path, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while True:
        alive = _server_processes(data)
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.1)


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)


def _give_away(data: Path, account: binaries.Account) -> None:
    for folder, _folders, files in os.walk(data):
        os.chown(folder, account.uid, account.gid)
        for name in files:
            os.chown(Path(folder) / name, account.uid, account.gid, follow_symlinks=False)
    data.chmod(0o700)


def _check_space(path: Path) -> None:
    try:
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise ServerError(_explain_os_error(error, path)) from error
    if free < _MINIMUM_FREE_BYTES:
        raise ServerError(
            f"Only {free // (1024 * 1024)} MB are free on the disk of {path}; the server needs at "
            f"least {_MINIMUM_FREE_BYTES // (1024 * 1024)} MB. Free some, or set RATEHOUSE_HOME "
            "to a folder on another disk."
        )


def _explain_os_error(error: OSError, path: Path) -> str:
    place = error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk of {place} is full. Free some space, then start again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{place} may not be written: {error.strerror}. Correct the rights of the folder, or "
            "set RATEHOUSE_HOME to a folder you may write to."
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return (
            f"{place} is in the way: a folder is needed there, and it is not one. Move it away, "
            "or set RATEHOUSE_HOME to another folder."
        )
    return f"{place} cannot be used: {error.strerror or error}."


def _explain_output(
    what: str, result: subprocess.CompletedProcess[str]
) -> str:
    text = result.stderr.strip() or result.stdout.strip()
    if "No space left on device" in text:
        return f"{what}: the disk is full. Free some space, then start again."
    lines = [line for line in text.splitlines() if "error" in line.lower() or "FATAL" in line]
    return f"{what}: {(lines or text.splitlines() or ['no reason given'])[-1].strip()}"


_LOG_REASONS = (
    ("No space left on device", "the disk is full. Free some space, then start again"),
    (
        "could not map anonymous shared memory",
        "there is not enough memory. Close other programs, or put a smaller shared_buffers into "
        "{data}/custom.conf",
    ),
    (
        "Cannot allocate memory",
        "there is not enough memory. Close other programs, or put a smaller shared_buffers into "
        "{data}/custom.conf",
    ),
    (
        "pre-existing shared memory block",
        "processes of an earlier server still use {data}. End them, then start again",
    ),
    (
        "database files are incompatible",
        "{data} was made by another version of PostgreSQL",
    ),
    (
        "could not locate a valid checkpoint record",
        "{data} is damaged. Restore it from a backup, or move it away to begin empty",
    ),
    (
        "configuration file",
        "a setting in {data}/custom.conf or postgresql.auto.conf is not valid",
    ),
    ("Permission denied", "a file in {data} may not be read or written"),
)


def _explain_log(text: str, log: Path, data: Path) -> str:
    complaints = [
        re.sub(r"^.*?\b(FATAL|PANIC|ERROR):\s+", "", line).strip()
        for line in text.splitlines()
        if re.search(r"\b(FATAL|PANIC):", line)
    ]
    said = f" ({complaints[-1]})" if complaints else ""
    for pattern, reason in _LOG_REASONS:
        if pattern in text:
            return f"The server did not start: {reason.format(data=data)}{said}. Log: {log}."
    return f"The server did not start{said or ': no reason given'}. Log: {log}."
