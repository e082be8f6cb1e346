"""Dagster's user interface and daemon on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from loaders import database, settings
from loaders.errors import RatehouseError


def register(app: typer.Typer) -> None:
    """Add dev."""
    app.command()(dev)


def dev(
    port: Annotated[int, typer.Option(help="Port of the user interface.")] = 3000,
    watch: Annotated[
        bool, typer.Option(help="Land and rate files as they arrive in the drop folder.")
    ] = True,
) -> None:
    """Open Dagster on 127.0.0.1: assets, lineage, runs, jobs. Ends with Ctrl-C."""
    from orchestration.lib import instance, manifest, paths

    url = database.ensure_database(typer.echo)
    environment = instance.prepare(url)
    os.environ.update(environment)
    # Processes that Dagster starts look for the database by its address, not for our server.
    os.environ[settings.DATABASE_URL_VARIABLE] = url
    os.environ["RATEHOUSE_WATCH_DROP_FOLDER"] = "1" if watch else "0"
    typer.echo("Reading the dbt project.")
    manifest.ensure_manifest()
    _end_runs_of_killed_processes()
    paths.drop_folder().mkdir(parents=True, exist_ok=True)
    if not _is_free(port):
        raise RatehouseError(
            f"port {port} on 127.0.0.1 is taken: end what uses it, or choose another with --port"
        )
    typer.echo(f"Drop folder: {paths.drop_folder()} (sub-folder = source)")
    typer.echo(f"Opening http://127.0.0.1:{port} (Ctrl-C ends it)")
    command = Path(sys.executable).parent / "dagster"
    arguments = [
        str(command), "dev", "--host", "127.0.0.1", "--port", str(port),
        "--workspace", str(instance.workspace_path()),
    ]  # fmt: skip
    os.chdir(settings.project_root())
    os.execv(command, arguments)


def _end_runs_of_killed_processes() -> None:
    import dagster as dg

    from orchestration.lib import instance

    with dg.DagsterInstance.get() as history:
        ended = instance.end_dead_runs(history)
    if ended:
        typer.echo(f"Marked {ended} run(s) of killed processes as failed.")


def _is_free(port: int) -> bool:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
