"""Who may use the page: a token, a cookie after the first visit, nothing from other sites."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loaders import settings
from loaders.errors import ConfigurationError

TOKEN_VARIABLE = "RATEHOUSE_UPLOAD_TOKEN"
_LEAST_TOKEN = 16
_SESSION = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def token_file() -> Path:
    """Where the token is kept that was made for this installation."""
    return settings.home() / "upload_token"


def read_or_make_token() -> str:
    """The operator's own token, else one made once and kept where only the owner may read."""
    configured = os.environ.get(TOKEN_VARIABLE, "").strip()
    if configured:
        if len(configured) < _LEAST_TOKEN:
            raise ConfigurationError(
                f"{TOKEN_VARIABLE} has {len(configured)} characters; it needs at least "
                f"{_LEAST_TOKEN}"
            )
        return configured
    path = token_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = path.read_text(encoding="utf-8").strip()
        if len(token) < _LEAST_TOKEN:
            raise ConfigurationError(
                f"{path} holds no token; delete it, and a new one is made"
            ) from None
        return token
    token = secrets.token_urlsafe(32)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(token + "\n")
    return token


class Guard:
    """Knows the token. Sessions and form marks are signed with it, so nothing is kept."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self.cookie_name = f"ratehouse_upload_{self._sign('cookie')[:8]}"

    def is_token(self, given: str) -> bool:
        """Compared in constant time."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def new_session(self) -> str:
        """The value of a fresh cookie."""
        name = secrets.token_hex(16)
        return f"{name}.{self._sign('session', name)}"

    def session_of(self, request: Request) -> str | None:
        """The session of a cookie that we signed."""
        found = _SESSION.fullmatch(request.cookies.get(self.cookie_name, ""))
        if found is None or not hmac.compare_digest(found[2], self._sign("session", found[1])):
            return None
        return found[1]

    def form_mark(self, session: str) -> str:
        """What every form of this session carries and another site cannot know."""
        return self._sign("form", session)

    def let_in(self, request: Request, target: str) -> Response:
        """To the page, with the cookie."""
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            self.cookie_name,
            self.new_session(),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._token, "\x00".join(parts).encode(), hashlib.sha256).hexdigest()


class Doorkeeper:
    """Turns away whoever has neither token nor cookie, before anything of a body is read."""

    def __init__(
        self, app: ASGIApp, *, guard: Guard, refuse: Callable[[Request, int, str], Response]
    ) -> None:
        self._app = app
        self._guard = guard
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"]] + [
                    (name.lower().encode(), value.encode())
                    for name, value in _HEADERS.items()
                    if name.lower().encode() not in names
                ]
            await send(message)

        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, send_guarded)

    def _answer(self, request: Request) -> Response | None:
        """A response of our own; None: the page may answer."""
        if request.url.path.startswith("/static/"):
            return None
        if request.method not in ("GET", "HEAD") and not _is_from_here(request):
            return self._refuse(request, 403, "The request came from another site.")
        if request.url.path == "/enter":
            return None
        given = parse_qs(request.url.query).get("token")
        if given and request.method in ("GET", "HEAD"):
            if not self._guard.is_token(given[0]):
                return self._refuse(request, 401, "The token in the address is not the right one.")
            # Without the token: it should not stay in the address bar.
            return self._guard.let_in(request, request.url.path)
        session = self._guard.session_of(request)
        if session is None:
            return self._refuse(request, 401, "")
        request.state.session = session
        return None


def _is_from_here(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
