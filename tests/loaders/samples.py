"""Lines as real writers write them, one builder per writer."""

from __future__ import annotations

from collections.abc import Sequence

_START = "2026-10-05 10:00:{second:02d}"
REPORT_HEADER = "calldate,src,dst,duration,billsec,disposition"
MAPPED_HEADER = "Call Start,Calling Number,Called Number,Duration,Billable Seconds"
CHARGE_HEADER = (
    "Account No;CLI;Product Code;Description;Charge Type;From Date;To Date;Quantity;"
    "Unit Price;Net Amount;VAT Code;Order Ref"
)


def cdr_csv(number: int, optional: Sequence[str] = (), name: str = "Desk") -> str:
    """A line of cdr_csv; ``optional`` are its last fields, already quoted where they are."""
    second = number % 60
    start = _START.format(second=second)
    fields = [
        '"acme"', f'"1212555{number:04d}"', '"13235550199"', '"outbound"',
        f'"""{name}"" <1212555{number:04d}>"', f'"SIP/101-{number:08x}"',
        f'"SIP/trunk-{number:08x}"', '"Dial"', '"SIP/13235550199@trunk,60,rI"', f'"{start}"',
        f'"{start}"', f'"{start}"', "65", "60", '"ANSWERED"', '"DOCUMENTATION"', *optional,
    ]  # fmt: skip
    return ",".join(fields)


def unique_id(number: int) -> str:
    return f'"1791194400.{number}"'


def cdr_custom(number: int, delimiter: str = ",") -> str:
    """A line of the shipped cdr_custom mapping, all quoted but the last."""
    start = _START.format(second=number % 60)
    fields = [
        '"""Desk"" <101>"', '"101"', '"13235550199"', '"default"', f'"SIP/101-{number:08x}"',
        '"SIP/trunk-1"', '"Dial"', '"SIP/trunk,60"', f'"{start}"', '""', f'"{start}"', '"31"',
        '"0"', '"NO ANSWER"', '"DOCUMENTATION"', '"acme"', unique_id(number), '""', str(number),
    ]  # fmt: skip
    return delimiter.join(fields)


FREEPBX_COLUMNS = [
    "calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield",
    "did", "recordingfile", "cnum", "cnam", "outbound_cnum", "outbound_cnam", "dst_cnam",
    "linkedid", "peeraccount", "sequence",
]  # fmt: skip


def freepbx(number: int, width: int = 26) -> str:
    """A line of a FreePBX database export."""
    fields = [
        f'"5/10/2026 10:00:{number % 60:02d}"', '"""Desk"" <105>"', '"105"', '"13235550199"',
        '"from-internal"', f'"SIP/105-{number:08x}"', "", '"Dial"', '"SIP/1,60"', '"27"', '"20"',
        '"ANSWERED"', '"3"', "", unique_id(number), "", '"13235550100"', '"rec.wav"', '"105"',
        '"Desk"', "", "", "", unique_id(number), "", f'"{number}"',
    ]  # fmt: skip
    return ",".join(fields[:width])


def report(number: int) -> str:
    return f"2026-10-05 10:00:{number % 60:02d},101,1323555{number:04d},65,60,ANSWERED"


def mapped(number: int) -> str:
    return f"2026-10-05 10:00:{number % 60:02d},12125550100,1323555{number:04d},65,60"


def charge(number: int) -> str:
    return f"A{number};0121{number:07d};WLR;Line rental;Rental;01/10/2026;31/10/2026;1;9,5;9,5;S;"


def lines(*rows: str, end: str = "\n") -> str:
    return "".join(row + end for row in rows)
