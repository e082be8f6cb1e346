"""Real servers on this machine: OpenSSH, pyftpdlib, Dovecot, and one that breaks off on demand."""

from __future__ import annotations

import contextlib
import getpass
import grp
import hashlib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import trustme
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

# What no log, event or table may ever show.
PASSWORD = "s3cr3t-Pa55word"
USER = "supplier"
_START_SECONDS = 20.0


def program(name: str, package: str) -> str:
    """A server program of the system."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/openssh")
    assert found, f"these tests start a real {name}: apt-get install {package}"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Until something listens on the port."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process is None or process.poll() is None, "the server ended by itself"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A server process for a while."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_for(port, process)
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}: {log.read_text(errors='replace')}") from error
        finally:
            process.terminate()
            process.wait(10)


# -- SFTP ----------------------------------------------------------------------------------------


@dataclass
class SshServer:
    """Where an SFTP server listens and what it shows and takes."""

    port: int
    host_key: paramiko.PKey
    user_key: Path
    user: str
    root: Path

    @property
    def fingerprint(self) -> str:
        return self.host_key.fingerprint

    @property
    def known_hosts(self) -> str:
        key = self.host_key
        return f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}"


@contextlib.contextmanager
def openssh(folder: Path) -> Iterator[SshServer]:
    """sshd as the user who runs the tests, with keys of its own; logs in by key."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on its empty folder
    port = free_port()
    root = folder / "outbox"
    root.mkdir()
    for name in ("host_key", "user_key"):
        subprocess.run(
            [program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "",
             "-f", str(folder / name)],
            check=True,
        )  # fmt: skip
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile {folder}/pid\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"Subsystem sftp {program('sftp-server', 'openssh-sftp-server')}\n"
    )
    sshd = program("sshd", "openssh-server")
    with running([sshd, "-D", "-e", "-f", str(config)], port, folder / "sshd.log"):
        yield SshServer(
            port,
            paramiko.Ed25519Key.from_private_key_file(str(folder / "host_key")),
            folder / "user_key",
            getpass.getuser(),
            root,
        )


class _PasswordDoor(paramiko.ServerInterface):
    """Lets USER in by PASSWORD; behind the door works OpenSSH's sftp-server."""

    def check_auth_password(self, username: str, password: str) -> int:
        is_right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        server = subprocess.Popen(
            [program("sftp-server", "openssh-sftp-server")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip

        def inwards() -> None:
            with server.stdin, contextlib.suppress(OSError, EOFError):
                while data := channel.recv(32768):
                    server.stdin.write(data)

        def outwards() -> None:
            with server.stdout, contextlib.suppress(OSError, EOFError):
                while data := server.stdout.read(32768):
                    channel.sendall(data)
            channel.close()
            server.wait()

        for work in (inwards, outwards):
            threading.Thread(target=work, daemon=True).start()
        return name == "sftp"


@contextlib.contextmanager
def password_ssh(folder: Path) -> Iterator[SshServer]:
    """A login by password without a user of the system: OpenSSH's sftp-server behind a door."""
    host_key = paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                transport = paramiko.Transport(accepted)
                transport.add_server_key(host_key)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=_PasswordDoor())
                transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    root = folder / "outbox"
    root.mkdir()
    try:
        yield SshServer(listener.getsockname()[1], host_key, folder, USER, root)
    finally:
        listener.close()
        for transport in transports:
            transport.close()


# -- FTP -----------------------------------------------------------------------------------------


@dataclass
class FtpServer:
    """Where an FTP server listens, and whom to trust to it."""

    port: int
    root: Path
    authority: Path | None = None
    fingerprint: str = ""


@contextlib.contextmanager
def ftp(
    folder: Path, *, secured: bool = False, without: tuple[str, ...] = ()
) -> Iterator[FtpServer]:
    """pyftpdlib; ``secured`` demands TLS, ``without`` takes commands away (an old server)."""
    root = folder / "outbox"
    root.mkdir()
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(root), perm="elradfmw")
    base = TLS_FTPHandler if secured else FTPHandler
    commands = {name: words for name, words in base.proto_cmds.items() if name not in without}
    attributes = {"authorizer": authorizer, "proto_cmds": commands}
    answer = FtpServer(0, root)
    if secured:
        authority, certificate = _certificate(folder)
        attributes |= {
            "certfile": str(folder / "server.pem"),
            "tls_control_required": True,
            "tls_data_required": True,
        }
        answer.authority = authority
        answer.fingerprint = certificate
    server = ThreadedFTPServer(("127.0.0.1", 0), type("Handler", (base,), attributes))
    answer.port = server.address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"timeout": 0.1}, daemon=True)
    thread.start()
    try:
        yield answer
    finally:
        server.close_all()
        thread.join(10)


def _certificate(folder: Path) -> tuple[Path, str]:
    """A CA and a certificate of it for 127.0.0.1 in server.pem; the CA's file, a fingerprint."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    leaf = certificate.cert_chain_pems[0].bytes()
    return folder / "ca.pem", hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf.decode())).hexdigest()


# -- IMAP ----------------------------------------------------------------------------------------


@dataclass
class MailServer:
    """Where Dovecot listens."""

    port: int
    authority: Path
    fingerprint: str


@contextlib.contextmanager
def dovecot(folder: Path) -> Iterator[MailServer]:
    """Dovecot with one mailbox, over TLS, for whoever runs the tests."""
    authority, fingerprint = _certificate(folder)
    port = free_port()
    is_root = os.geteuid() == 0
    # Dovecot serves no mail as root: mail is nobody's there.
    owner = "nobody" if is_root else getpass.getuser()
    mail = folder / "mail"
    mail.mkdir()
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    if is_root:
        shutil.chown(mail, owner)
        folder.chmod(0o755)
        internal = "default_internal_user = dovecot\ndefault_login_user = dovenull\n"
    else:
        internal = f"default_internal_user = {owner}\ndefault_login_user = {owner}\n"
    config = folder / "dovecot.conf"
    config.write_text(
        f"base_dir = {folder}/run\nlog_path = {folder}/dovecot.log\n{internal}"
        "protocols = imap\nlisten = 127.0.0.1\nssl = required\n"
        f"ssl_cert = <{folder}/server.pem\nssl_key = <{folder}/server.pem\n"
        "service imap-login {\n  chroot =\n  inet_listener imap {\n    port = 0\n  }\n"
        f"  inet_listener imaps {{\n    port = {port}\n    ssl = yes\n  }}\n}}\n"
        "service anvil {\n  chroot =\n}\n"
        "namespace inbox {\n  inbox = yes\n  separator = /\n}\n"
        f"passdb {{\n  driver = passwd-file\n  args = {folder}/users\n}}\n"
        f"userdb {{\n  driver = static\n  args = uid={owner} gid={_group(owner)} "
        f"home={mail}/%u\n}}\n"
        f"mail_location = maildir:{mail}/%u/Maildir\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n"
    )
    command = [program("dovecot", "dovecot-imapd"), "-F", "-c", str(config)]
    with running(command, port, folder / "dovecot.out"):
        yield MailServer(port, authority, fingerprint)


def _group(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


# -- a bad line ----------------------------------------------------------------------------------


@dataclass
class BadLine:
    """A way to a server that breaks off connections after so many bytes, a few times."""

    target: int
    # How many bytes each of the next connections may receive; after these all go through.
    limits: list[int] = field(default_factory=list)
    port: int = 0
    broken: int = 0

    def _copy(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(8192):
                if limit is not None:
                    limit -= len(data)
                    if limit < 0:
                        self.broken += 1
                        break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                limit = self.limits.pop(0) if self.limits else None
                for pair in ((near, far, None), (far, near, limit)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()


@contextlib.contextmanager
def bad_line(target: int, limits: list[int]) -> Iterator[BadLine]:
    """A relay in front of a server."""
    listener = socket.create_server(("127.0.0.1", 0))
    line = BadLine(target, limits, listener.getsockname()[1])
    threading.Thread(target=line.serve, args=(listener,), daemon=True).start()
    try:
        yield line
    finally:
        listener.close()


