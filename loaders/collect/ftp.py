"""FTP, and FTP over explicit TLS with verified certificates."""

from __future__ import annotations

import ftplib
import ssl
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from socket import socket

from loaders.collect.errors import FileError
from loaders.collect.remote import (
    BLOCK,
    TIMEOUT_SECONDS,
    Remote,
    RemoteFile,
    Sink,
    one_line,
    stamp_of,
    unused_name,
)
from loaders.collect.rules import Facts
from loaders.collect.tls import Trust


class _SecureFtp(ftplib.FTP_TLS):
    """Explicit TLS as today's servers want it: data connections resume the control's session."""

    trust: Trust

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket, int | None]:
        connected, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        try:
            # Many servers refuse data connections of another session (require_ssl_reuse).
            session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
            secured = self.context.wrap_socket(
                connected, server_hostname=self.host, session=session
            )
            self.trust.check(secured)
        except BaseException:
            connected.close()
            raise
        return secured, size


class FtpRemote(Remote):
    """A server reached over FTP or FTPS."""

    _ftp: ftplib.FTP | None = None
    _encoding = "utf-8"
    # MLSD and MLST, which every server of this century should have.
    _has_lists = True

    def open(self) -> None:
        collector = self.collector
        secret = self.secrets.read(collector.password_from) if collector.password_from else ""
        try:
            with self._in_words():
                ftp = self._ftp = self._connected()
                try:
                    ftp.login(collector.username or "anonymous", secret)
                except ftplib.error_perm as error:
                    raise self.login_refused(error) from None
                if isinstance(ftp, ftplib.FTP_TLS):
                    ftp.prot_p()
        except BaseException:
            self.close()
            raise

    def _connected(self) -> ftplib.FTP:
        collector = self.collector
        ftp: ftplib.FTP
        if collector.protocol == "ftps":
            trust = Trust(self)
            ftp = _SecureFtp(
                context=trust.context, timeout=TIMEOUT_SECONDS, encoding=self._encoding
            )
            ftp.trust = trust
            ftp.connect(collector.host or "", collector.effective_port)
            try:
                ftp.auth()
            except ftplib.error_perm as error:
                raise self.error(
                    f"the server does not offer TLS ({one_line(error)}); nothing was sent. Use "
                    "protocol ftp only if the supplier has nothing better"
                ) from None
            trust.check(ftp.sock)
        else:
            ftp = ftplib.FTP(timeout=TIMEOUT_SECONDS, encoding=self._encoding)
            ftp.connect(collector.host or "", collector.effective_port)
        return ftp

    def close(self) -> None:
        if self._ftp is not None:
            self._ftp.close()
            self._ftp = None

    @property
    def _session(self) -> ftplib.FTP:
        assert self._ftp is not None, "open() comes first"
        return self._ftp

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            with self.network_in_words():
                yield
        except ftplib.error_temp as error:
            raise self.transient(f"the server cannot at the moment: {one_line(error)}") from None
        except ftplib.Error as error:
            raise self.error(f"the server refused: {one_line(error)}") from None

    # -- files -----------------------------------------------------------------------------------

    def _path(self, directory: str) -> str:
        base = self.collector.directory.rstrip("/")
        if directory:
            return f"{base}/{directory}" if self.collector.directory else directory
        return base or ("/" if self.collector.directory else "")

    def look(self, directories: Sequence[str], settled: Container[str]) -> list[RemoteFile]:
        try:
            return [file for directory in directories for file in self._look_into(directory)]
        except UnicodeDecodeError:
            # An old server with names in its own encoding: every byte is a character of this one.
            self.close()
            self._encoding = "latin-1"
            self.open()
            return [file for directory in directories for file in self._look_into(directory)]

    def _look_into(self, directory: str) -> Iterator[RemoteFile]:
        path = self._path(directory)
        for name, facts in sorted(self._entries(path)):
            kind = facts.get("type", "file").lower()
            if kind in ("dir", "cdir", "pdir"):
                continue
            size = int(facts["size"]) if facts.get("size", "").isdigit() else None
            changed = facts.get("modify")
            yield RemoteFile(
                remote_name=f"{path.rstrip('/')}/{name}" if path else name,
                stamp=stamp_of(size, changed),
                facts=Facts(name, directory),
                byte_count=size,
                modified_at=_instant(changed),
                refusal=None if kind == "file" else ("not_a_file", "this is not a plain file"),
            )

    def _entries(self, path: str) -> list[tuple[str, dict[str, str]]]:
        """Names and facts; by MLSD where the server has it, else by asking for each name."""
        ftp = self._session
        with self._in_words():
            try:
                return [(name, facts) for name, facts in ftp.mlsd(path) if name]
            except ftplib.error_perm as error:
                if error.args[0][:3] not in ("500", "501", "502", "504"):
                    raise self._no_folder(path, error) from None
            self._has_lists = False
            before = ftp.pwd()
            try:
                ftp.cwd(path or before)
                names = _names(ftp)
                # Lists come in text mode, where SIZE has no meaning.
                ftp.voidcmd("TYPE I")
                return [(name, self._facts(name)) for name in names]
            except ftplib.error_perm as error:
                raise self._no_folder(path, error) from None
            finally:
                with suppress(ftplib.Error):
                    ftp.cwd(before)

    def _no_folder(self, path: str, error: ftplib.Error) -> Exception:
        return self.error(f"the folder {path or '/'} cannot be listed ({one_line(error)})")

    def _facts(self, name: str) -> dict[str, str]:
        ftp = self._session
        facts = {}
        try:
            facts["size"] = str(ftp.size(name))
        except ftplib.error_perm:
            return {"type": "dir"}  # what has no size is no file
        with suppress(ftplib.error_perm):
            facts["modify"] = ftp.voidcmd(f"MDTM {name}").split()[-1]
        return facts

    def stamp(self, file: RemoteFile) -> str | None:
        with self._in_words():
            facts = self._facts_of(file.remote_name)
        if facts is None or facts.get("type", "file").lower() == "dir":
            return None
        size = int(facts["size"]) if facts.get("size", "").isdigit() else None
        return stamp_of(size, facts.get("modify"))

    def _facts_of(self, path: str) -> dict[str, str] | None:
        """One file's facts, in the same form as the list had them; None: it is gone."""
        ftp = self._session
        if not self._has_lists:
            ftp.voidcmd("TYPE I")
            return self._facts(path)
        try:
            answer = ftp.sendcmd(f"MLST {path}").splitlines()
        except ftplib.error_perm:
            return None
        facts = answer[1].strip().partition(" ")[0] if len(answer) > 1 else ""
        pairs = (fact.partition("=") for fact in facts.split(";") if fact)
        return {name.lower(): value for name, _, value in pairs}

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        with self._in_words():
            try:
                # Text mode, which lists leave behind, would change line ends.
                self._session.voidcmd("TYPE I")
                with self._session.transfercmd(f"RETR {file.remote_name}") as connected:
                    while block := connected.recv(BLOCK):
                        sink(block)
                self._session.voidresp()
            except ftplib.error_perm as error:
                raise FileError(
                    "not_permitted", f"the server does not hand it over: {one_line(error)}"
                ) from None

    def move(self, file: RemoteFile, folder: str) -> str:
        target = folder.rstrip("/") if folder.startswith("/") else self._path(folder)
        ftp = self._session
        with self._in_words():
            with suppress(ftplib.error_perm):  # most often it is there already
                ftp.mkd(target)
            taken = {name for name, _ in self._entries(target)}
            new = f"{target}/{unused_name(file.name, taken)}"
            try:
                ftp.rename(file.remote_name, new)
            except ftplib.error_perm as error:
                raise FileError(
                    "not_moved", f"it cannot be moved to {target}: {one_line(error)}"
                ) from None
        return new

    def delete(self, file: RemoteFile) -> None:
        with self._in_words():
            try:
                self._session.delete(file.remote_name)
            except ftplib.error_perm as error:
                if self.stamp(file) is None:
                    return
                raise FileError(
                    "not_deleted", f"it cannot be deleted: {one_line(error)}"
                ) from None


def _names(ftp: ftplib.FTP) -> list[str]:
    try:
        names = ftp.nlst()
    except ftplib.error_perm as error:
        if error.args[0].startswith("550"):
            return []  # how some servers say that a folder is empty
        raise
    return [name.rpartition("/")[2] for name in names if name not in (".", "..")]


def _instant(text: str | None) -> datetime | None:
    """YYYYMMDDHHMMSS[.sss] in UTC, as MLSD and MDTM have it."""
    try:
        return datetime.strptime((text or "")[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


