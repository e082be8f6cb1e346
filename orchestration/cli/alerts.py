"""Commands for alerts, the daily report, mail, and the proof of the traffic aggregate."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from loaders import database
from loaders.errors import RatehouseError
from orchestration.cli.history import actor
from orchestration.cli.output import LOOK_EXIT_CODE, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
From = Annotated[str, typer.Option("--from", help="From when on (UTC), like 2026-10-05.")]
Until = Annotated[str, typer.Option("--to", help="Until when, exclusive.")]
To = Annotated[list[str] | None, typer.Argument(metavar="[ADDRESS...]")]
Send = Annotated[bool, typer.Option("--send", help="Mail it.")]


def register(app: typer.Typer) -> None:
    """Add alerts, report, mail and traffic."""
    app.command("alerts")(look)
    app.command()(backtest)
    app.command("report")(report)
    app.command("mail")(mail_command)
    app.command()(traffic)


def _connection() -> Any:
    return closing(database.connect(url=database.ensure_database()))


def look(
    from_time: From = "",
    to_time: Until = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Keep what is new; without it is only shown.")
    ] = False,
    send: Annotated[bool, typer.Option("--send", help="With --yes: mail it, each once.")] = False,
    as_json: Json = False,
) -> None:
    """Look for fraud and failures. Exit code 3: something is new."""
    from orchestration.lib import alerts

    if send and not yes:
        raise RatehouseError("--send goes with --yes: only what is kept is mailed")
    with _connection() as connection:
        if send:
            alerts.require_mail()
        found = alerts.look(connection, from_time, to_time, preview=not yes, actor=actor())
        sent = []
        if send:
            alerts.queue_alerts(connection)
            sent = alerts.send_waiting(connection)
    if as_json:
        print_json({**asdict(found), "mails": [asdict(m) for m in sent]})
    else:
        print_table(alerts.describe(found), alerts.ALERT_COLUMNS, alerts.alert_rows(found))
        if sent:
            print_table("Mail", alerts.MAIL_COLUMNS, alerts.mail_rows(sent))
    if found.new or any(m.status != "sent" for m in sent):
        raise typer.Exit(LOOK_EXIT_CODE)


def backtest(
    rule: Annotated[str, typer.Argument(help="Rule, like traffic_spike.")],
    from_time: From,
    to_time: Until,
    threshold: Annotated[str, typer.Option(help="Another threshold.")] = "",
    minimum: Annotated[str, typer.Option(help="Another minimum.")] = "",
    as_json: Json = False,
) -> None:
    """Run an alert rule over history: hits per day, precision and recall."""
    from loaders.alerts import backtest as run
    from orchestration.lib import alerts

    from_at, to_at = alerts.instant(from_time, "--from"), alerts.instant(to_time, "--to")
    if from_at is None or to_at is None:
        raise RatehouseError("say from when until when to test: --from and --to")
    with _connection() as connection:
        result = run(
            connection, rule, from_at, to_at,
            threshold=_number(threshold), minimum=_number(minimum),
        )  # fmt: skip
    if as_json:
        print_json({**asdict(result), "precision": result.precision, "recall": result.recall})
        return
    typer.echo(result.sentence())
    print_table("Hits by day", ["day", "hits"], result.per_day)
    print_table(
        "Hits", ["from", "what was found", "confirmed case"],
        [(hit.window_from, hit.sentence, hit.case_code) for hit in result.hits],
    )  # fmt: skip
    if result.cases:
        print_table("Confirmed cases", ["case", "account", "found"], result.cases)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        raise RatehouseError(f"{text!r} is no number") from None


def report(
    day: Annotated[str, typer.Argument(help="Day (UTC), like 2026-10-05; else yesterday.")] = "",
    send: Send = False,
    as_json: Json = False,
) -> None:
    """Show the traffic of a day, or mail it with charts."""
    from orchestration.lib import alerts, daily_report

    with _connection() as connection:
        shown = daily_report.daily_report(connection, daily_report.a_day(day))
        sent = daily_report.mail_report(connection, shown) if send else []
    if as_json:
        print_json({**asdict(shown), "mails": [asdict(m) for m in sent]})
    else:
        typer.secho(shown.title, bold=True)
        for heading, columns, rows in shown.sections():
            print_table(heading, columns, rows)
        if sent:
            print_table("Mail", alerts.MAIL_COLUMNS, alerts.mail_rows(sent))
    if any(m.status != "sent" for m in sent):
        raise typer.Exit(LOOK_EXIT_CODE)


def mail_command(
    action: Annotated[str, typer.Argument(help="test, send, again or list.")] = "list",
    to: To = None,
    as_json: Json = False,
) -> None:
    """test ADDRESS: send one. send: what waits. again: what was given up. list: the outbox."""
    from loaders.mail import mails, try_again
    from orchestration.lib import alerts

    with _connection() as connection:
        if action == "test":
            shown = alerts.send_test(connection, to or [])
        elif action in ("send", "again"):
            alerts.require_mail(["nobody@invalid.invalid"])
            if action == "again":
                try_again(connection)
            shown = alerts.send_waiting(connection)
        elif action == "list":
            shown = mails(connection)
        else:
            raise RatehouseError(f"mail {action}? There are test, send, again and list")
    if as_json:
        print_json([asdict(m) for m in shown])
    else:
        print_table("Mail", alerts.MAIL_COLUMNS, alerts.mail_rows(shown), empty="nothing")
    if action != "list" and any(m.status != "sent" for m in shown):
        raise typer.Exit(LOOK_EXIT_CODE)


def traffic(as_json: Json = False) -> None:
    """Work out traffic by hour again from the usage, and compare. Exit code 3: it differs."""
    from orchestration.lib import traffic as proof

    with _connection() as connection:
        result = proof.compare(connection)
    if as_json:
        print_json(asdict(result))
    else:
        typer.echo(result.sentence())
        print_table("Rows that differ", proof.COLUMNS, result.differences)
    if result.differences:
        raise typer.Exit(LOOK_EXIT_CODE)
