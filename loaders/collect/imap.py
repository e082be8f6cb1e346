"""A mailbox read over IMAP (TLS): attachments are fetched part by part, never a whole message."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

import imapclient
from imapclient.exceptions import (
    IMAPClientAbortError,
    IMAPClientError,
    LoginError,
    ProtocolError,
)
from imapclient.response_types import BodyData

from loaders.collect.remote import (
    TIMEOUT_SECONDS,
    Remote,
    RemoteFile,
    Sink,
    gone,
    one_line,
    stamp_of,
)
from loaders.collect.rules import Facts
from loaders.collect.tls import Trust

_PIECE = 256 * 1024
_MESSAGES_AT_A_TIME = 50
# Where the address a message was sent to may stand; forwarding keeps some of them.
_RECIPIENT_HEADERS = (
    "Delivered-To", "X-Original-To", "Envelope-To", "X-Forwarded-To", "To", "Cc",
)  # fmt: skip
# Signatures, cards and invitations; winmail.dat is Outlook's private packing of its formatting.
_NO_DATA_TYPES = {
    "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature",
    "application/pgp-keys", "application/ms-tnef", "application/pdf", "text/calendar",
    "text/vcard", "text/x-vcard", "message/delivery-status", "message/disposition-notification",
    "text/rfc822-headers",
}  # fmt: skip
_NO_DATA_MAJOR = {"image", "audio", "video", "font"}
# Mail programs send anything as octet-stream: here the name says what it is.
_NO_DATA_ENDINGS = (
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".svg", ".webp", ".ico", ".pdf", ".ics", ".vcf",
    ".p7s", ".asc", ".doc", ".docx", ".eml", ".htm", ".html",
)  # fmt: skip


class ImapRemote(Remote):
    """A mailbox and the attachments of its messages."""

    needs_settling = False
    _client: imapclient.IMAPClient | None = None
    _validity = 0

    def open(self) -> None:
        collector = self.collector
        if not collector.password_from:
            raise self.error("a mailbox needs password_from")
        secret = self.secrets.read(collector.password_from)
        trust = Trust(self)
        try:
            with self._in_words():
                client = self._client = imapclient.IMAPClient(
                    collector.host,
                    collector.effective_port,
                    ssl=True,
                    ssl_context=trust.context,
                    timeout=imapclient.SocketTimeout(TIMEOUT_SECONDS, TIMEOUT_SECONDS),
                )
                trust.check(client.socket())
                try:
                    client.login(collector.username, secret)
                except LoginError as error:
                    raise self.login_refused(error) from None
            self._select(client)
        except BaseException:
            self.close()
            raise

    def _select(self, client: imapclient.IMAPClient) -> None:
        mailbox = self.collector.directory or "INBOX"
        with self._in_words():
            try:
                answer = client.select_folder(
                    mailbox, readonly=self.collector.after_collection == "keep"
                )
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                raise self.error(
                    f"the mailbox folder {mailbox} cannot be opened: {one_line(error)}"
                ) from None
        self._validity = int(answer[b"UIDVALIDITY"])

    def close(self) -> None:
        if self._client is not None:
            with suppress(Exception):
                self._client.shutdown()
            self._client = None

    @property
    def _session(self) -> imapclient.IMAPClient:
        assert self._client is not None, "open() comes first"
        return self._client

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            with self.network_in_words():
                yield
        except (IMAPClientAbortError, ProtocolError) as error:
            raise self.transient(f"the mail server broke off: {one_line(error)}") from None
        except IMAPClientError as error:
            raise self.error(f"the mail server refused: {one_line(error)}") from None

    # -- messages --------------------------------------------------------------------------------

    def look(self, directories: Sequence[str], settled: Container[str]) -> list[RemoteFile]:
        client = self._session
        with self._in_words():
            uids = [
                uid
                for uid in client.search(["UNDELETED"])
                if f"{self._validity}/{uid}" not in settled
            ]
            found: list[RemoteFile] = []
            for start in range(0, len(uids), _MESSAGES_AT_A_TIME):
                batch = uids[start : start + _MESSAGES_AT_A_TIME]
                answers = client.fetch(batch, ["BODYSTRUCTURE", "BODY.PEEK[HEADER]"])
                for uid in batch:
                    if uid in answers:
                        found += self._parts(uid, answers[uid])
        return found

    def _parts(self, uid: int, answer: dict[bytes, Any]) -> Iterator[RemoteFile]:
        header = _parsed(answer[b"BODY[HEADER]"])
        structure = answer[b"BODYSTRUCTURE"]
        parts = list(_leaves(structure, ""))
        # A message of one part has no header of its own for it: the message's holds.
        is_single = not structure.is_multipart
        mime: dict[str, EmailMessage] = {}
        if is_single:
            mime = {number: header for number, _ in parts[:1]}
        wanted = [number for number, _ in parts if number not in mime]
        if wanted:
            headers = self._session.fetch(
                [uid], [f"BODY.PEEK[{number}.MIME]" for number in wanted]
            ).get(uid, {})
            mime |= {
                number: _parsed(headers.get(f"BODY[{number}.MIME]".encode()) or b"")
                for number in wanted
            }
        recipients = _addresses(header, _RECIPIENT_HEADERS)
        senders = _addresses(header, ("From",))
        unit = f"{self._validity}/{uid}"
        subject = _text(header, "Subject")
        for number, part in parts:
            about = mime[number]
            name = _file_name(about)
            size = part[6] if len(part) > 6 and isinstance(part[6], int) else None
            yield RemoteFile(
                remote_name=f"{unit}/{number}",
                stamp=stamp_of(size, None),
                facts=Facts(
                    name or f"part {number}",
                    recipients=recipients,
                    sender=senders[0] if senders else "",
                    subject=subject,
                ),
                modified_at=_sent_at(header),
                unit=unit,
                refusal=_why_no_data(about, name),
                detail={
                    "message_id": _text(header, "Message-ID"),
                    "from": senders[0] if senders else "",
                    "to": list(recipients),
                    "subject": subject[:500],
                    "transfer_encoding": _word(part, 5),
                },
            )

    def stamp(self, file: RemoteFile) -> str | None:
        with self._in_words():
            found = self._session.fetch([_uid(file)], ["FLAGS"])
        return file.stamp if found else None

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        number = file.remote_name.split("/")[2]
        decode = _decoder(file.detail["transfer_encoding"])
        offset = 0
        while True:
            with self._in_words():
                answer = self._session.fetch(
                    [_uid(file)], [f"BODY.PEEK[{number}]<{offset}.{_PIECE}>"]
                )
            if _uid(file) not in answer:
                raise gone(file.name)
            piece = answer[_uid(file)].get(f"BODY[{number}]<{offset}>".encode()) or b""
            sink(decode(piece, len(piece) < _PIECE))
            if len(piece) < _PIECE:
                return
            offset += len(piece)

    def move(self, file: RemoteFile, folder: str) -> str:
        client = self._session
        with self._in_words():
            if not client.folder_exists(folder):
                client.create_folder(folder)
            if client.has_capability("MOVE"):
                client.move([_uid(file)], folder)
                return folder
            client.copy([_uid(file)], folder)
        self.delete(file)
        return folder

    def delete(self, file: RemoteFile) -> None:
        client = self._session
        with self._in_words():
            client.delete_messages([_uid(file)], silent=True)
            # Without UIDPLUS an expunge would take other people's deleted messages with it.
            if client.has_capability("UIDPLUS"):
                client.uid_expunge([_uid(file)])


def _uid(file: RemoteFile) -> int:
    return int(file.unit.split("/")[1])


# -- structure of a message ----------------------------------------------------------------------


def _leaves(part: BodyData, number: str) -> Iterator[tuple[str, BodyData]]:
    """The parts that hold something, with the numbers by which a server hands them out."""
    if part.is_multipart:
        for place, child in enumerate(part[0], start=1):
            yield from _leaves(child, f"{number}.{place}" if number else str(place))
        return
    number = number or "1"
    inner = part[8] if len(part) > 8 else None
    if _word(part, 0) == "message" and _word(part, 1) == "rfc822" and isinstance(inner, tuple):
        # Forwarded as an attachment: its own attachments are what was sent.
        message = BodyData.create(inner)
        if message.is_multipart:
            yield from _leaves(message, number)
        else:
            yield from _leaves(message, f"{number}.1")
        return
    yield number, part


def _word(part: BodyData, place: int) -> str:
    value = part[place] if len(part) > place else None
    return value.decode("ascii", "replace").lower() if isinstance(value, bytes) else ""


def _parsed(header: bytes) -> EmailMessage:
    return message_from_bytes(header, policy=policy.default)  # type: ignore[return-value]


def _text(header: EmailMessage, name: str) -> str:
    """A header in one line; what cannot be decoded does no harm."""
    try:
        return " ".join(str(header.get(name, "")).split())
    except Exception:  # the library fails on some malformed headers in many ways
        return ""


def _addresses(header: EmailMessage, names: Sequence[str]) -> tuple[str, ...]:
    texts = []
    for name in names:
        with suppress(Exception):
            texts += [" ".join(str(value).split()) for value in header.get_all(name, [])]
    return tuple(
        dict.fromkeys(address.lower() for _, address in getaddresses(texts) if "@" in address)
    )


def _file_name(header: EmailMessage) -> str:
    try:
        return header.get_filename() or ""
    except Exception:
        return ""


def _sent_at(header: EmailMessage) -> Any:
    try:
        return parsedate_to_datetime(_text(header, "Date")).astimezone()
    except (ValueError, TypeError, OverflowError):
        return None


def _why_no_data(header: EmailMessage, name: str) -> tuple[str, str] | None:
    """Parts of a mail that are part of being a mail."""
    kind = header.get_content_type()
    if kind.split("/")[0] in _NO_DATA_MAJOR:
        return "picture", f"this is {kind}, such as the logo of a signature"
    if kind in _NO_DATA_TYPES or name.lower().endswith(_NO_DATA_ENDINGS):
        return "not_data", f"this is {kind}, not a data file"
    if not name:
        if kind in ("text/plain", "text/html"):
            return "mail_text", "this is the text of the mail"
        return "no_name", f"this part ({kind}) has no file name"
    return None


# -- transfer encodings --------------------------------------------------------------------------


def _decoder(encoding: str) -> Callable[[bytes, bool], bytes]:
    """Takes pieces and whether one is the last; keeps what a piece leaves unfinished."""
    if encoding == "base64":
        return _Base64()
    if encoding == "quoted-printable":
        return _QuotedPrintable()
    return lambda piece, is_last: piece


class _Base64:
    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, piece: bytes, is_last: bool) -> bytes:
        text = self._rest + re.sub(rb"[^A-Za-z0-9+/=]", b"", piece)
        whole = len(text) if is_last else len(text) - len(text) % 4
        self._rest = text[whole:]
        text = text[:whole]
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


class _QuotedPrintable:
    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, piece: bytes, is_last: bool) -> bytes:
        text = self._rest + piece
        whole = len(text) if is_last else text.rfind(b"\n") + 1
        self._rest = text[whole:]
        return binascii.a2b_qp(text[:whole])
