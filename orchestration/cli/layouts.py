"""Commands about layouts: which there are, and the first draft of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loaders import settings
from orchestration.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the group `layout`."""
    group = typer.Typer(no_args_is_help=True, help="Layouts of files: list them, draft a new one.")
    group.command("list")(list_layouts)
    group.command()(new)
    app.add_typer(group, name="layout")


def list_layouts(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List the layouts this installation reads."""
    from loaders.layouts import LAYOUTS

    rows = [
        [layout.code, layout.title, layout.file_kind, layout.reader, len(layout.table_columns)]
        for layout in sorted(LAYOUTS.values(), key=lambda layout: layout.code)
    ]
    if as_json:
        print_json([dict(zip(("code", "title", "kind", "reader", "columns"), row, strict=True))
                    for row in rows])  # fmt: skip
        return
    print_table("Layouts", ("code", "title", "kind", "reader", "columns"), rows)


def new(
    code: Annotated[str, typer.Argument(help="Name of the layout, as acme_calls.")],
    examples: Annotated[list[Path], typer.Argument(help="Two or three files of the carrier.")],
    kind: Annotated[str, typer.Option(help="cdr (usage) or sdr (charges).")] = "cdr",
    title: Annotated[str | None, typer.Option(help="What it is, in words.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would be.")] = False,
) -> None:
    """Draft profile, staging model and test of a new layout from example files."""
    from loaders.layouts.scaffold import draft_layout, write_draft

    draft = draft_layout(code, examples, kind=kind, title=title)
    print_table(
        f"{code}: {'header' if draft.has_header else 'no header'}, separated by "
        + {"\t": "tab"}.get(draft.delimiter, draft.delimiter),
        ("column", "in the file", "meaning", "example"),
        [
            [column.name, column.header or "", column.meaning or "", next(iter(column.values), "")]
            for column in draft.columns
        ],
    )
    if dry_run:
        for name, text in draft.files.items():
            typer.echo(f"--- {name}\n{text}")
        return
    root = settings.project_root()
    for path in write_draft(root, draft):
        typer.echo(f"wrote {path.relative_to(root)}")
    typer.echo(
        "Next: put the meanings right in the staging model, mask the sample, work its expectation "
        "out by hand, then: ratehouse load --preview FILE (docs/layouts.md)"
    )
