"""Carrier call files: Alpha's outbound minutes (semicolons) and Beta's information file."""

import random
from pathlib import Path

from loaders.demo.month import MINUTE_SECOND, Month
from loaders.demo.output import OutputFile
from loaders.demo.traffic import Call, CallMaker

ALPHA_COLUMNS = {
    "Call Ref": "record_id",
    "Customer Ref": "service_key",
    "Trunk": "trunk",
    "Connect Time": "start_time",
    "Calling Party": "calling_number",
    "Called Party": "called_number",
    "Seconds": "duration",
    "Charged Seconds": "billable_duration",
    "Result": "disposition",
    "Route": "category",
    "Carrier Cost": "carrier_amount",
}
BETA_COLUMNS = {
    "CDR ID": "record_id",
    "Date": "start_date",
    "Time": "start_clock",
    "From": "calling_number",
    "To": "called_number",
    "Duration": "duration",
    "Status": "disposition",
    "Amount": "carrier_amount",
    "Currency": "currency_code",
}
_ALPHA_HEADER = ";".join(ALPHA_COLUMNS) + "\n"
_BETA_HEADER = ",".join(BETA_COLUMNS) + "\n"
_ALPHA_DIRT = (
    "scientific_number",
    "impossible_date",
    "negative_duration",
    "missing_duration",
    "double_zero_form",
    "punctuated_form",
    "sip_uri",
    "missing_called",
    "unknown_customer",
    "repeated_row",
    "repeated_row",
    "short_row",
    "long_row",
    "repeated_header",
    "blank_line",
    "key_conflict",
    "clock_form",
    "delimiters_only",
)


def write_alpha(
    folder: Path, month: Month, rng: random.Random, maker: CallMaker, count: int, dirt_share: float
) -> list[dict[str, object]]:
    """Write three files of about ten days; the last ends with a total row and has no bad rows."""
    hours = month.local_hours("UTC", "%d/%m/%Y %H:")
    summaries = []
    output: OutputFile | None = None
    part = 0
    serial = 0
    previous = ""
    for hour, calls in maker.calls(count):
        wanted = 1 + min(2, (hour // 24) // 10)
        if wanted != part:
            if output is not None:
                output.close()
                summaries.append(output.summary())
            part = wanted
            output = OutputFile(folder / f"alpha_calls_{month.name}_part{part}.csv")
            output.write([_ALPHA_HEADER], 0)
            previous = ""
        assert output is not None
        for call in calls:
            serial += 1
            lines, records = _alpha_lines(
                rng, month, hours, call, serial, previous, output, dirt_share if part < 3 else 0.0
            )
            output.write(lines, records)
            previous = lines[-1]
    if output is not None:
        if part == 3:
            output.write([f"Total records: {output.records}" + ";" * 10 + "\n"], 0)
            output.soil("total_row")
        output.close()
        summaries.append(output.summary())
    return summaries


def _alpha_lines(
    rng: random.Random,
    month: Month,
    hours: list[str],
    call: Call,
    serial: int,
    previous: str,
    output: OutputFile,
    dirt_share: float,
) -> tuple[list[str], int]:
    random_ = rng.random
    start = hours[call.second // 3600] + MINUTE_SECOND[call.second % 3600]
    service = call.service
    customer = service.account_key if service and call.kind != "stranger" else ""
    calling = "" if len(call.calling) < 7 else "+" + call.calling
    called = call.called
    tenths = int(random_() * 10) if call.answered_seconds else 0
    seconds = f"{call.answered_seconds},{tenths}"
    result = {"ANSWERED": "OK", "NO ANSWER": "NOANSWER", "CANCEL": "CANCELLED"}.get(
        call.disposition, call.disposition
    )
    cost = f"0,{1 + call.answered_seconds * 7 % 9000:05d}" if call.answered_seconds else "0"
    reference = f"A{month.first:%y%m}{serial:08d}"
    route = "INTL" if called[0] != "1" else "US"

    def line(billed: str = seconds) -> str:
        return (
            f"{reference};{customer};T{serial % 7};{start};{calling};{called};{seconds};{billed};"
            f"{result};{route};{cost}\n"
        )

    if random_() >= dirt_share:
        return [line()], 1
    kind = _ALPHA_DIRT[int(random_() * len(_ALPHA_DIRT))]
    lines, records = None, 1
    if kind == "scientific_number":
        called = "4,47912E+11"
    elif kind == "impossible_date":
        start = f"31/02/{month.first.year} 10:00:00"
    elif kind == "negative_duration":
        seconds = "-60"
    elif kind == "missing_duration":
        seconds = ""
        lines = [line(billed="")]
    elif kind == "double_zero_form":
        called = "00" + called
    elif kind == "punctuated_form":
        called = f"+{called[:1]} ({called[1:4]}) {called[4:]}"
    elif kind == "sip_uri":
        called = f"sip:+{called}@alpha.example.net"
    elif kind == "missing_called":
        called = ""
    elif kind == "unknown_customer":
        customer, calling = "TG-9999", ""
    elif kind == "repeated_row":
        if not previous:
            return [line()], 1
        lines, records = [previous, line()], 2
    elif kind == "short_row":
        lines = [";".join(line().split(";")[:6]) + "\n"]
    elif kind == "long_row":
        lines = [line()[:-1] + ";extra;more\n"]
    elif kind == "repeated_header":
        lines = [_ALPHA_HEADER, line()]
    elif kind == "blank_line":
        lines = ["\n", line()]
    elif kind == "delimiters_only":
        lines = [";" * 10 + "\n", line()]
    elif kind == "key_conflict":
        first = line()
        seconds = f"{call.answered_seconds + 11},0"
        result = "OK"
        lines, records = [first, line(billed=seconds)], 2
    elif kind == "clock_form":
        start = start[:-3]  # minutes only
    output.soil(kind)
    return lines or [line()], records


def write_beta(
    folder: Path, month: Month, rng: random.Random, maker: CallMaker, count: int
) -> list[dict[str, object]]:
    """Write the month's information file: calls Beta delivered to us, US dates, local time."""
    dates = month.local_hours("America/New_York", "%m/%d/%Y")
    clocks = month.local_hours("America/New_York", "%I %p")
    with OutputFile(folder / f"beta_delivered_{month.name}.csv") as output:
        output.write([_BETA_HEADER], 0)
        serial = 0
        for _, calls in maker.calls(count):
            lines = []
            for call in calls:
                if call.kind not in ("inbound", "on_net"):
                    call = call._replace(kind="inbound", called=call.calling, calling=call.called)
                serial += 1
                clock, half = clocks[call.second // 3600].split()
                when = f"{int(clock)}:{MINUTE_SECOND[call.second % 3600]} {half}"
                amount = f"{call.answered_seconds * 0.0001:.4f}"
                lines.append(
                    f"{serial},{dates[call.second // 3600]},{when},{call.calling},{call.called},"
                    f"{call.answered_seconds},{call.disposition.lower()},{amount},USD\n"
                )
                if rng.random() < 0.004:
                    lines.append(lines[-1])
                    output.soil("repeated_row")
            output.write(lines, len(lines))
    return [output.summary()]
