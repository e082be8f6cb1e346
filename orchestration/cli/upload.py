"""The command that opens the upload page."""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated

import typer

from loaders import database, settings
from loaders.errors import RatehouseError


def register(app: typer.Typer) -> None:
    """Add upload."""
    app.command()(upload)


def upload(
    port: Annotated[int, typer.Option(help="Port of the page.")] = 3001,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need care.")
    ] = "127.0.0.1",
    maximum_megabytes: Annotated[
        int, typer.Option(min=1, help="Larger files are refused.")
    ] = 4096,
) -> None:
    """Upload files in a browser: preview, say what columns mean, import. Ends with Ctrl-C."""
    import uvicorn

    from orchestration.upload.app import create_app
    from orchestration.upload.security import TOKEN_VARIABLE, read_or_make_token, token_file

    url = database.ensure_database(typer.echo)
    token = read_or_make_token()
    is_local = _is_loopback(host)
    if not is_local:
        typer.echo(
            f"WARNING: the page listens on {host}, where other machines may reach it, and it "
            "speaks plain HTTP: whoever listens on the way sees the token and the files. Put a "
            "proxy with TLS in front of it, or use an SSH tunnel and 127.0.0.1.",
            err=True,
        )
    app = create_app(
        url,
        token=token,
        folder=settings.home() / "uploads",
        maximum_megabytes=maximum_megabytes,
        is_local=is_local,
    )
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"Open http://{shown}:{port}/?token={token} (Ctrl-C ends it)")
    if not os.environ.get(TOKEN_VARIABLE):
        typer.echo(f"The token is kept in {token_file()}; delete it for a new one.", err=True)
    # Without the access log: addresses of first visits hold the token.
    server = uvicorn.Server(
        uvicorn.Config(
            app, host=host, port=port, access_log=False, log_level="warning", lifespan="off",
            server_header=False,
        )
    )  # fmt: skip
    try:
        server.run()
    except SystemExit:
        raise RatehouseError(
            f"port {port} on {host} cannot be used: end what uses it, or choose another with "
            "--port"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
