"""SFTP: password or private key; the host key must be known beforehand."""

from __future__ import annotations

import io
import logging
import stat
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import paramiko
from paramiko.hostkeys import HostKeyEntry

from loaders.collect.errors import FileError
from loaders.collect.remote import (
    TIMEOUT_SECONDS,
    Remote,
    RemoteFile,
    Sink,
    gone,
    one_line,
    stamp_of,
    unused_name,
)
from loaders.collect.rules import Facts

_KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
# Asked for at once, in pieces that every server answers: enough for a distant one. Asking for the
# whole file at once, paramiko took 230 MB of memory for a file of 300 MB.
_WINDOW = 2 * 1024 * 1024
_PIECE = 32 * 1024
# paramiko tells its log, with stack traces, what it also raises; the operator gets our words.
_LOG = "ratehouse.collect.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False


class _Unknown(Exception):
    """The server showed a host key nobody vouched for."""

    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__(key.fingerprint)
        self.key = key


class _OnlyPinned(paramiko.MissingHostKeyPolicy):
    """Believe the fingerprints given, nothing else."""

    def __init__(self, fingerprints: Container[str]) -> None:
        self._fingerprints = fingerprints

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        if key.fingerprint not in self._fingerprints:
            raise _Unknown(key)


class SftpRemote(Remote):
    """A server reached over SFTP."""

    _client: paramiko.SSHClient | None = None
    _sftp: paramiko.SFTPClient

    def open(self) -> None:
        collector = self.collector
        client = paramiko.SSHClient()
        client.set_log_channel(_LOG)
        fingerprints = self._trusted(client)
        client.set_missing_host_key_policy(_OnlyPinned(fingerprints))
        secret = self.secrets.read(collector.password_from) if collector.password_from else None
        key = None
        if collector.private_key_from:
            key = self._private_key(self.secrets.read(collector.private_key_from), secret)
        self._client = client
        try:
            with self._in_words():
                client.connect(
                    collector.host or "",
                    collector.effective_port,
                    collector.username,
                    password=None if key else secret,
                    pkey=key,
                    # Only what the collector names: no agent, no keys of whoever runs this.
                    allow_agent=False,
                    look_for_keys=False,
                    timeout=TIMEOUT_SECONDS,
                    banner_timeout=TIMEOUT_SECONDS,
                    auth_timeout=TIMEOUT_SECONDS,
                )
                self._sftp = client.open_sftp()
                channel = self._sftp.get_channel()
                if channel is not None:
                    channel.settimeout(TIMEOUT_SECONDS)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    # -- trust -----------------------------------------------------------------------------------

    def _trusted(self, client: paramiko.SSHClient) -> set[str]:
        """Read host_key: fingerprints are returned, keys go into the client's own list."""
        collector = self.collector
        port = collector.effective_port
        host = collector.host or ""
        server = host if port == 22 else f"[{host}]:{port}"
        fingerprints = set()
        for line in (collector.host_key or "").splitlines():
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if text.startswith("SHA256:"):
                fingerprints.add(text.rstrip("="))
                continue
            if text.startswith(("ssh-", "ecdsa-")):
                text = f"{server} {text}"  # a public key as `ssh-keyscan` and suppliers give it
            try:
                entry = None if text.startswith("@") else HostKeyEntry.from_line(text)
            except (paramiko.SSHException, ValueError):
                entry = None
            if entry is None or entry.key is None:
                raise self.error(
                    "host_key holds a line that is neither SHA256:<fingerprint> nor a line of "
                    f"known_hosts nor a public key: {one_line(text)[:60]}"
                )
            for name in entry.hostnames:
                client.get_host_keys().add(name, entry.key.get_name(), entry.key)
        return fingerprints

    def _private_key(self, text: str, passphrase: str | None) -> paramiko.PKey:
        for key_type in _KEY_TYPES:
            try:
                return key_type.from_private_key(io.StringIO(text), password=passphrase)
            except paramiko.PasswordRequiredException:
                raise self.error(
                    "the private key is protected: name its passphrase in password_from"
                ) from None
            except (paramiko.SSHException, ValueError, IndexError, UnicodeError):
                continue
        raise self.error(
            "the private key cannot be read: it must be an Ed25519, ECDSA or RSA key in OpenSSH "
            "or PEM form, and the passphrase, if it has one, must fit"
        )

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            with self.network_in_words():
                try:
                    yield
                except paramiko.ssh_exception.NoValidConnectionsError as error:
                    raise next(iter(error.errors.values())) from None
        except paramiko.BadHostKeyException as error:
            raise self.error(
                "the host key has CHANGED: the server shows "
                f"{error.key.get_name()} {error.key.fingerprint}, not the key in host_key. "
                "Nothing was sent. Ask the supplier whether they changed it before you accept it"
            ) from None
        except _Unknown as error:
            known = "not the one in host_key" if self.collector.host_key else "host_key is empty"
            raise self.error(
                f"the host key is not known: the server shows {error.key.get_name()} "
                f"{error.key.fingerprint}, {known}. Nothing was sent. Compare it with what the "
                "supplier says, then put it into host_key"
            ) from None
        except paramiko.AuthenticationException as error:
            raise self.login_refused(error) from None
        except (paramiko.SSHException, paramiko.SFTPError) as error:
            raise self.transient(f"SSH failed: {one_line(error)}") from None

    # -- files -----------------------------------------------------------------------------------

    def _path(self, directory: str) -> str:
        base = self.collector.directory.rstrip("/") or (
            "/" if self.collector.directory.startswith("/") else "."
        )
        return f"{base.rstrip('/')}/{directory}" if directory else base

    def look(self, directories: Sequence[str], settled: Container[str]) -> list[RemoteFile]:
        found = []
        for directory in directories:
            path = self._path(directory)
            with self._in_words():
                try:
                    entries = self._sftp.listdir_attr(path)
                except FileNotFoundError:
                    raise self.error(f"there is no folder {path}") from None
                except PermissionError:
                    raise self.error(f"the folder {path} may not be read") from None
                except UnicodeDecodeError:
                    raise self.error(
                        f"the folder {path} holds a file whose name is not UTF-8; ask the "
                        "supplier to rename it"
                    ) from None
            for entry in sorted(entries, key=lambda entry: entry.filename):
                mode = entry.st_mode or 0
                if stat.S_ISDIR(mode):
                    continue
                refusal = None
                if mode and not stat.S_ISREG(mode):
                    refusal = ("not_a_file", "this is a link or device, not a plain file")
                found.append(
                    RemoteFile(
                        remote_name=f"{path.rstrip('/')}/{entry.filename}",
                        stamp=stamp_of(entry.st_size, entry.st_mtime),
                        facts=Facts(entry.filename, directory),
                        byte_count=entry.st_size,
                        modified_at=_instant(entry.st_mtime),
                        refusal=refusal,
                    )
                )
        return found

    def stamp(self, file: RemoteFile) -> str | None:
        with self._in_words():
            try:
                status = self._sftp.lstat(file.remote_name)
            except FileNotFoundError:
                return None
        return stamp_of(status.st_size, status.st_mtime)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        with self._in_words():
            try:
                with self._sftp.open(file.remote_name, "rb") as stream:
                    for window in _windows(file.byte_count or 0):
                        for block in stream.readv(window):
                            sink(block)
            except FileNotFoundError:
                raise gone(file.name) from None
            except PermissionError:
                raise FileError("not_permitted", "the server does not let us read it") from None

    def move(self, file: RemoteFile, folder: str) -> str:
        target = folder if folder.startswith("/") else self._path(folder)
        with self._in_words():
            try:
                taken = set(self._sftp.listdir(target))
            except FileNotFoundError:
                taken = set()
                with suppress(OSError):
                    self._sftp.mkdir(target)
            new = f"{target.rstrip('/')}/{unused_name(file.name, taken)}"
            try:
                # Not posix_rename: that would overwrite.
                self._sftp.rename(file.remote_name, new)
            except FileNotFoundError:
                raise FileError("not_moved", f"it cannot be moved to {target}") from None
            except OSError as error:
                raise _refused(error, "not_moved", f"it cannot be moved to {target}") from error
        return new

    def delete(self, file: RemoteFile) -> None:
        with self._in_words():
            try:
                self._sftp.remove(file.remote_name)
            except FileNotFoundError:
                return
            except OSError as error:
                raise _refused(error, "not_deleted", "it cannot be deleted") from error


def _windows(byte_count: int) -> Iterator[list[tuple[int, int]]]:
    """Offset and length of the pieces of a file, a window of them at a time."""
    for start in range(0, byte_count, _WINDOW):
        end = min(start + _WINDOW, byte_count)
        yield [(at, min(_PIECE, end - at)) for at in range(start, end, _PIECE)]


def _refused(error: OSError, code: str, words: str) -> Exception:
    """The server's own refusal; a broken network stays what it is."""
    if isinstance(error, TimeoutError | ConnectionError):
        return error
    return FileError(code, f"{words}: {one_line(error)}")


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
