"""The web application: every page is a plain form that works without scripts."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loaders.errors import RatehouseError
from loaders.files.names import shown
from loaders.layouts import LAYOUTS
from loaders.layouts.layout import DELIMITER_NAMES
from loaders.reference import ReferenceRefused
from orchestration.upload import work
from orchestration.upload.forms import (
    ChooseForm,
    ColumnsForm,
    ConfirmForm,
    DecisionForm,
    FormExpired,
    LayoutSettingsForm,
    SettingsForm,
    columns_form,
    options,
)
from orchestration.upload.receiving import Received, UploadRefused
from orchestration.upload.security import Doorkeeper, Guard
from orchestration.upload.store import NoSuchUpload, Store, Upload

_HERE = Path(__file__).parent
_LARGEST_FORM = 1024 * 1024
_LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]

_log = logging.getLogger("ratehouse.upload")


def create_app(
    url: str, *, token: str, folder: Path, maximum_megabytes: int = 4096, is_local: bool = True
) -> ASGIApp:
    """The application for one warehouse. ``is_local``: only this machine may ask."""
    guard = Guard(token)
    pages = _Pages(work.Warehouse(url), guard, Store(folder), maximum_megabytes)
    app = Starlette(
        routes=[
            Route("/", pages.start, methods=["GET"]),
            Route("/enter", pages.enter, methods=["POST"]),
            Route("/upload", pages.upload, methods=["POST"]),
            Route("/uploads/{upload_id}", pages.show, methods=["GET"]),
            Route("/uploads/{upload_id}/settings", pages.settings, methods=["POST"]),
            Route("/uploads/{upload_id}/by-hand", pages.by_hand, methods=["POST"]),
            Route("/uploads/{upload_id}/confirm", pages.confirm, methods=["POST"]),
            Route("/uploads/{upload_id}/discard", pages.discard, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        middleware=[Middleware(_InWords, page=pages.broken)],
        exception_handlers={HTTPException: pages.not_there, RatehouseError: pages.in_words},
    )
    # From the outside in: headers and the token come before everything, also before failures.
    return Doorkeeper(
        TrustedHostMiddleware(app, allowed_hosts=_LOOPBACK if is_local else ["*"]),
        guard=guard,
        refuse=pages.refused,
    )


class _InWords:
    """Failures nobody expected become a page."""

    def __init__(self, app: ASGIApp, page: Callable[[Request, Exception], Response]) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def watched(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            # The browser went away in the middle of an upload.
            return
        except Exception as error:
            if is_started or scope["type"] != "http":
                raise
            await self._page(Request(scope), error)(scope, receive, send)


class _Pages:
    def __init__(
        self, warehouse: work.Warehouse, guard: Guard, store: Store, maximum_megabytes: int
    ) -> None:
        self._warehouse = warehouse
        self._guard = guard
        self._store = store
        self._maximum_megabytes = maximum_megabytes
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["shown"] = shown
        self._templates.filters["size"] = _size

    def _page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(**values), status)

    def _mark(self, request: Request) -> str:
        return self._guard.form_mark(request.state.session)

    # -- the door --------------------------------------------------------------------------------

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Who has no token is asked for it."""
        return self._page("enter.html", status=status, reason=reason)

    async def enter(self, request: Request) -> Response:
        """The token typed into the form."""
        given = (await _read_form(request)).get("token")
        if not isinstance(given, str) or not self._guard.is_token(given.strip()):
            return self.refused(request, 401, "That is not the token.")
        return self._guard.let_in(request, "/")

    # -- page 1 ----------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """Choose a carrier and a file."""
        return await run_in_threadpool(self._start, request, None, "")

    def _start(
        self, request: Request, form: ChooseForm | None, problem: str, status: int = 200
    ) -> Response:
        sources = self._warehouse.sources()
        if form is None:
            form = ChooseForm(mark=self._mark(request), sources=sources)
        return self._page(
            "start.html",
            status=status,
            form=form,
            problem=problem,
            waiting=self._store.waiting(),
            maximum_megabytes=self._maximum_megabytes,
        )

    async def upload(self, request: Request) -> Response:
        """Take the file, streamed to disk."""
        mark = self._mark(request)
        sources = await run_in_threadpool(self._warehouse.sources)
        upload = self._store.begin()
        received = Received(
            upload.path,
            self._maximum_megabytes * 1024**2,
            lambda fields: ChooseForm(fields, mark=mark, sources=sources).check_mark(),
        )
        try:
            await received.take(request)
            form = ChooseForm(received.form, mark=mark, sources=sources)
            is_valid = form.validate()
            problem = ""
            if not received.file_name or not upload.path.exists():
                problem = "Choose a file."
            elif received.size == 0:
                problem = "The file is empty."
        except UploadRefused as refusal:
            self._store.discard(upload)
            form = ChooseForm(received.form, mark=mark, sources=sources)
            return await run_in_threadpool(self._start, request, form, str(refusal), 413)
        except BaseException:
            self._store.discard(upload)
            raise
        if problem or not is_valid:
            self._store.discard(upload)
            return await run_in_threadpool(self._start, request, form, problem, 422)
        chosen = next((s for s in sources if s.source_code == form.source.data), None)
        upload.name = received.file_name or ""
        upload.size = received.size
        upload.kind = form.kind.data
        if chosen is not None and chosen.file_kind in ("cdr", "sdr"):
            upload.kind = chosen.file_kind
        upload.period = form.period.data or ""
        upload.actor = form.actor.data or ""
        upload.source_code = form.source.data or ""
        upload.save()
        return _to(upload)

    # -- page 2 ----------------------------------------------------------------------------------

    async def show(self, request: Request) -> Response:
        """The preview; after the import its result."""
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        upload = self._store.get(request.path_params["upload_id"])
        if upload.is_done:
            return self._result(upload)
        return self._preview(request, upload, None)

    def _preview(
        self, request: Request, upload: Upload, form: SettingsForm | None, status: int = 200
    ) -> Response:
        problem = ""
        reasons: list[str] = []
        files: list[work.FileView] = []
        if form is not None:
            # A form to be looked at again: the preview would be that of older settings.
            if form.errors or form.form_errors:
                problem = "Please look at what is marked in red below."
        else:
            try:
                files = self._warehouse.preview(upload)
            except ReferenceRefused as refused:
                problem, status = "The settings cannot be used.", 422
                reasons = [
                    f"{refusal.column.replace('_', ' ')}: {refusal.value or ''} {refusal.reason}"
                    for refusal in refused.refusals
                ]
            except RatehouseError as error:
                problem, status = str(error), 422
        sheet = None
        if form is None and not upload.source_code:
            form, sheet = self._settings_form(request, upload, files)
        elif isinstance(form, ColumnsForm):
            sheet = work.columns_of(upload)
        mark = self._mark(request)
        is_columns = isinstance(form, ColumnsForm)
        return self._page(
            "preview.html",
            status=status,
            upload=upload,
            files=files,
            problem=problem,
            reasons=reasons,
            form=form,
            columns=work.samples(sheet) if sheet is not None and is_columns else [],
            mapped=work.mapped_in_words(upload.trial) if upload.trial else [],
            zones=self._warehouse.zones() if form is not None else [],
            confirm=ConfirmForm(mark=mark),
            decision=DecisionForm(mark=mark),
            can_import=_can_import(upload, files),
            needs_columns=is_columns and not _can_import(upload, files),
            most_columns=work.MOST_COLUMNS,
        )

    def _settings_form(
        self, request: Request, upload: Upload, files: list[work.FileView]
    ) -> tuple[SettingsForm | None, Any]:
        """The form for a file whose source is not declared: as kept, else as guessed."""
        mark = self._mark(request)
        known = files[0].facts["layout"] if len(files) == 1 else None
        layout = LAYOUTS.get(upload.trial.get("layout_code") or known or "")
        if layout is not None and not layout.is_generic and not upload.by_hand:
            form = LayoutSettingsForm(mark=mark, **{**layout.defaults, **upload.trial})
            form.layout_code = layout.code
            _prepare(form)
            return form, None
        if len(files) > 1:
            return None, None
        sheet = work.columns_of(upload)
        if sheet is None:
            return None, None
        names = {delimiter: name for name, delimiter in DELIMITER_NAMES.items()}
        first_line = "names" if sheet.has_header else "values"
        values: dict[str, Any] = {
            "date_order": sheet.date_order,
            "decimal_mark": sheet.decimal_mark,
            "number_plan": "nanp",
            "delimiter": names[sheet.delimiter],
            "first_line": first_line,
            **{
                f"column_{index}": column.meaning or ""
                for index, column in enumerate(sheet.columns)
            },
            **upload.trial,
            **upload.reading,
        }
        values |= {"shown_delimiter": values["delimiter"], "shown_first_line": first_line}
        form = columns_form(
            None, mark=mark, kind=upload.kind, width=len(sheet.columns), **values
        )
        _prepare(form)
        return form, sheet

    async def settings(self, request: Request) -> Response:
        """How the file is to be read."""
        fields = await _read_form(request)
        return await run_in_threadpool(self._settings, request, fields)

    def _settings(self, request: Request, fields: FormData) -> Response:
        with self._store.held(request.path_params["upload_id"]) as upload:
            if upload.is_done or upload.source_code:
                return _to(upload)
            mark = self._mark(request)
            if "shown_delimiter" in fields:
                return self._columns(request, upload, fields, mark)
            form = LayoutSettingsForm(fields, mark=mark)
            _prepare(form)
            layout_code = str(fields.get("layout_code") or "")
            layout = LAYOUTS.get(layout_code)
            if layout is None or layout.is_generic:
                raise RatehouseError(f"There is no layout '{layout_code[:60]}'.")
            form.layout_code = layout_code
            if not form.validate():
                return self._preview(request, upload, form, 422)
            upload.trial = work.trial_row(upload.kind, form.data, layout_code=layout_code)
            upload.save()
            return _to(upload)

    def _columns(
        self, request: Request, upload: Upload, fields: FormData, mark: str
    ) -> Response:
        sheet = work.columns_of(upload)
        if sheet is None:
            return _to(upload)
        form = columns_form(fields, mark=mark, kind=upload.kind, width=len(sheet.columns))
        _prepare(form)
        form.check_mark()
        reading = {"delimiter": form.delimiter.data, "first_line": form.first_line.data}
        if reading != {
            "delimiter": form.shown_delimiter.data, "first_line": form.shown_first_line.data
        }:  # fmt: skip
            # Other columns than the person saw: ask again, keeping what else was said.
            upload.reading = reading
            fresh = work.columns_of(upload)
            width = 0 if fresh is None else len(fresh.columns)
            guessed = {} if fresh is None else {
                f"column_{index}": column.meaning or ""
                for index, column in enumerate(fresh.columns)
            }  # fmt: skip
            kept = {
                name: value for name, value in form.data.items() if not name.startswith("column_")
            }
            kept |= {"shown_delimiter": reading["delimiter"],
                     "shown_first_line": reading["first_line"]}  # fmt: skip
            upload.trial = {}
            upload.save()
            again = columns_form(
                None, mark=mark, kind=upload.kind, width=width, **(kept | guessed)
            )
            _prepare(again)
            return self._preview(request, upload, again)
        meanings = [form.meaning_of(index) for index in range(len(sheet.columns))]
        if not form.validate() or not _columns_are_plain(form, meanings, upload.kind):
            return self._preview(request, upload, form, 422)
        layout_options = dict(reading)
        if upload.kind == "cdr" and form.usage_type.data != "mixed":
            layout_options["usage_type"] = form.usage_type.data
        upload.reading = reading
        upload.trial = work.trial_row(
            upload.kind,
            form.data,
            mapping=work.column_map(sheet, meanings),
            options=layout_options,
        )
        # For the form, should it be shown again; not part of the row.
        upload.reading |= {"usage_type": form.usage_type.data} | {
            f"column_{index}": meaning for index, meaning in enumerate(meanings)
        }
        upload.save()
        return _to(upload)

    async def by_hand(self, request: Request) -> Response:
        """The person knows better than the recognition what the columns mean, or not after all."""
        fields = await _read_form(request)

        def change() -> Response:
            DecisionForm(fields, mark=self._mark(request)).validate()
            with self._store.held(request.path_params["upload_id"]) as upload:
                if not upload.is_done:
                    upload.by_hand = not upload.by_hand
                    upload.trial, upload.reading = {}, {}
                    upload.save()
                return _to(upload)

        return await run_in_threadpool(change)

    # -- page 3 ----------------------------------------------------------------------------------

    async def confirm(self, request: Request) -> Response:
        """Import it."""
        fields = await _read_form(request)

        def land() -> Response:
            form = ConfirmForm(fields, mark=self._mark(request))
            if not form.validate():
                raise RatehouseError("The note is too long: at most 1,000 characters.")
            with self._store.held(request.path_params["upload_id"]) as upload:
                if not upload.is_done:
                    upload.results = self._warehouse.land(upload, form.note.data or "")
                    upload.save()
                    # The loader keeps the bytes as the original.
                    upload.path.unlink(missing_ok=True)
                return _to(upload)

        return await run_in_threadpool(land)

    def _result(self, upload: Upload) -> Response:
        bad_lines = {
            result["file_id"]: self._warehouse.bad_lines(result["file_id"])
            for result in upload.results
            if result["file_id"] is not None and result["quarantined_count"]
        }
        return self._page(
            "result.html",
            upload=upload,
            results=upload.results,
            bad_lines=bad_lines,
            is_landed=any(result["status"] == "landed" for result in upload.results),
        )

    async def discard(self, request: Request) -> Response:
        """Forget the upload."""
        fields = await _read_form(request)

        def drop() -> Response:
            DecisionForm(fields, mark=self._mark(request)).validate()
            with self._store.held(request.path_params["upload_id"]) as upload:
                self._store.discard(upload)
            return RedirectResponse("/", 303)

        return await run_in_threadpool(drop)

    # -- what goes wrong -------------------------------------------------------------------------

    def not_there(self, request: Request, error: Exception) -> Response:
        """Addresses that do not exist."""
        assert isinstance(error, HTTPException)
        return self._page(
            "problem.html", status=error.status_code, words="There is no such page."
        )

    def in_words(self, request: Request, error: Exception) -> Response:
        """What a person can act on."""
        status = 404 if isinstance(error, NoSuchUpload) else 400
        if isinstance(error, FormExpired):
            status = 403
        return self._page("problem.html", status=status, words=str(error))

    def broken(self, request: Request, error: Exception) -> Response:
        """What nobody expected, in words; the terminal has the trace if it is asked for."""
        from orchestration.cli.main import DEBUG_VARIABLE, explain

        words = explain(error)
        trace = error if os.environ.get(DEBUG_VARIABLE) else None
        _log.error("%s %s: %s", request.method, request.url.path, words, exc_info=trace)
        return self._page("problem.html", status=500, words=words)


def _to(upload: Upload) -> Response:
    return RedirectResponse(f"/uploads/{upload.upload_id}", 303)


def _prepare(form: SettingsForm) -> None:
    blank = {"": "as the layout says"} if form.is_of_layout else {}
    form.number_plan.choices = options(blank | work.number_plans())


def _columns_are_plain(form: ColumnsForm, meanings: list[str], kind: str) -> bool:
    """What the columns need among one another; mistakes are put beside their fields."""
    for index, meaning in enumerate(meanings):
        if meaning and meanings.index(meaning) != index:
            form[f"column_{index}"].errors = [
                f"Column {meanings.index(meaning) + 1} has this meaning already."
            ]
    if not any(meanings):
        form.first_line.errors = ["Say what at least one column means."]
    if kind == "cdr":
        if not {"start_time", "start_date"} & set(meanings):
            form.form_errors.append("Say which column holds the start of the call or message.")
        if form.usage_type.data == "mixed" and "usage_type" not in meanings:
            form.usage_type.errors = ["Then one column must be the usage type."]
        if not form.time_zone.data:
            form.time_zone.errors = ["In which time zone are the times written?"]
    return not form.form_errors and not any(field.errors for field in form)


def _can_import(upload: Upload, files: list[work.FileView]) -> bool:
    """Something of it would land, or be held for a person."""
    return any(file.facts["status"] != "failed" and file.is_known for file in files)


async def _read_form(request: Request) -> FormData:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise RatehouseError("The form is too large.")
    pairs: Callable[..., list[tuple[str, str]]] = parse_qsl
    return FormData(pairs(body.decode("utf-8", "replace"), keep_blank_values=True))


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    if count < 1024**2:
        return f"{count / 1024:,.1f} KB"
    return f"{count / 1024**2:,.1f} MB"
