"""Asterisk and FreePBX files: daily Master.csv of two switches, weekly exports of a branch."""

import datetime as dt
import random
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from loaders.demo import people
from loaders.demo.month import MINUTE_SECOND, Month
from loaders.demo.output import OutputFile
from loaders.demo.traffic import Call

FREEPBX_HEADER = (
    "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,"
    "disposition,amaflags,accountcode,uniqueid,userfield,did,recordingfile,cnum,cnam,"
    "outbound_cnum,outbound_cnam,dst_cnam,linkedid,peeraccount,sequence\n"
)
# Kinds of dirt inside a value, and how often each is chosen among dirty records.
VALUE_DIRT = (
    "scientific_number",
    "impossible_date",
    "implausible_date",
    "negative_duration",
    "bad_duration",
    "plus_form",
    "double_zero_form",
    "international_form",
    "punctuated_form",
    "sip_uri",
    "operator_form",
    "excel_text",
    "apostrophe",
    "missing_called",
    "name_called",
    "invalid_called",
    "billsec_unanswered",
    "answered_zero",
    "quoted_name",
    "newline_name",
    "short_form",
    "missing_start",
    "extension_called",
)
LINE_DIRT = ("repeated_row", "repeated_row", "short_row", "long_row", "blank_line", "repeated_row")
REPEATED_FROM_YESTERDAY = 40


class SwitchWriter:
    """Turns calls into lines of one Asterisk source.

    `variant` is 18 (classic columns with uniqueid and userfield), 21 (new columns too) or
    "freepbx" (database export with a header).
    """

    def __init__(
        self,
        rng: random.Random,
        month: Month,
        zone: str,
        variant: int | str,
        *,
        dirt_share: float = 0.04,
    ) -> None:
        self.rng = rng
        self.month = month
        self.hours = month.local_hours(zone)
        self.variant = variant
        self.dirt_share = dirt_share
        self.serial = 0
        self.sequence = 0
        self.is_repeatable = False

    def stamp(self, second: int) -> str:
        """Spell an instant in the zone of the switch."""
        return self.hours[second // 3600] + MINUTE_SECOND[second % 3600]

    def line(self, call: Call) -> str:
        """Write a clean line."""
        return self._line(call, call.called, self.stamp(call.second), None, None)

    def _line(
        self, call: Call, dialled: str, start: str, bill: str | None, name: str | None
    ) -> str:
        random_ = self.rng.random
        second, service, kind, calling, _, answered, ring, disposition = call
        total = ring + answered
        self.serial += 1
        self.sequence += 1
        serial = self.serial
        uid = f"{self.month.epoch + second}.{serial}"
        answer = f'"{self.stamp(second + ring)}"' if answered else ""
        end = self.stamp(second + total)
        if bill is None:
            bill = str(answered)
        account = ""
        if service is not None and service.account_key and len(calling) < 7:
            account = service.account_key
        if name is None:
            name = people.PLAIN[serial % 16]
        if kind == "internal" or kind == "star":
            context, channel, app = "from-internal", f"SIP/{calling}-{serial:08x}", "Dial"
            far = f"SIP/{dialled}-{serial + 1:08x}" if kind == "internal" else ""
            data = f"SIP/{dialled},20,tT"
        elif kind == "inbound" or kind == "anonymous":
            context, channel, app = "from-trunk", f"SIP/trunk-a-{serial:08x}", "Dial"
            extension = 100 + serial % 80
            far = f"SIP/{extension}-{serial + 1:08x}"
            data = f"SIP/{extension}&SIP/{extension + 1},30,tr"
        else:
            context, channel, app = "outbound", f"SIP/{calling}-{serial:08x}", "Dial"
            far = f"SIP/trunk-b-{serial + 1:08x}"
            data = f"SIP/{dialled}@trunk-b,60,"
        if self.variant == 18:
            return (
                f'"{account}","{calling}","{dialled}","{context}","""{name}"" <{calling}>",'
                f'"{channel}","{far}","{app}","{data}","{start}",{answer},"{end}",{total},{bill},'
                f'"{disposition}","DOCUMENTATION","{uid}",""\n'
            )
        if self.variant == 21:
            return (
                f'"{account}","{calling}","{dialled}","{context}","""{name}"" <{calling}>",'
                f'"{channel}","{far}","{app}","{data}","{start}",{answer},"{end}",{total},{bill},'
                f'"{disposition}","DOCUMENTATION","{uid}","","","{uid}",{self.sequence}\n'
            )
        did = dialled if kind == "inbound" else ""
        recording = f"out-{serial}.wav" if random_() < 0.1 else ""
        return (
            f'{start},"""{name}"" <{calling}>",{calling},{_quoted(dialled)},{context},{channel},'
            f'{far},{app},"{data}",{total},{bill},{disposition},3,{account},{uid},,{_quoted(did)},'
            f"{recording},{calling},,,,,{uid},,{self.sequence}\n"
        )

    def clean_form(self, call: Call) -> Call:
        """Dial as this switch dials: with or without the 1, 011 in front of other countries."""
        called, calling = call.called, call.calling
        if self.variant == "freepbx":
            called = self._dialled_in_london(called)
            calling = _plus(calling)
        else:
            called = self._dialled(called)
            if len(calling) > 11 or (len(calling) > 7 and calling[0] != "1"):
                calling = "+" + calling
            elif len(calling) == 11 and self.serial % 3:
                calling = calling[1:]
        return call._replace(called=called, calling=calling)

    def _dialled(self, number: str) -> str:
        if len(number) < 7 or not number.isdigit():
            return number
        if number[0] == "1":
            return number[1:] if self.serial % 5 < 2 else number
        return "011" + number

    def _dialled_in_london(self, number: str) -> str:
        """Dial from a British PBX: national numbers with 0, others with 00 or a plus."""
        if number in ("911", "933", "988"):
            return "999" if number == "911" else "112"
        if len(number) < 7 or not number.isdigit():
            return number
        if number.startswith("44") and self.serial % 4:
            return "0" + number[2:]
        return ("+" if self.serial % 3 else "00") + number

    def lines(self, call: Call, previous: str, output: OutputFile) -> tuple[list[str], int]:
        """Write a call, sometimes dirty: the lines, and how many are records."""
        formed = self.clean_form(call)
        self.is_repeatable = True
        if self.rng.random() >= self.dirt_share:
            return [self.line(formed)], 1
        kinds = VALUE_DIRT + LINE_DIRT
        if self.variant != 18:
            kinds += ("key_conflict", "key_conflict")
        if self.variant == 21:
            kinds += ("nul_byte",)
        if self.variant == "freepbx":
            kinds += ("repeated_header", "repeated_header", "month_midnight")
        kind = kinds[int(self.rng.random() * len(kinds))]
        lines, records = self._dirty(kind, call, formed, previous)
        if lines is None:
            return [self.line(formed)], 1
        output.soil(kind)
        # Repeating a row that is itself broken would make more dirt than the manifest says.
        self.is_repeatable = kind in VALUE_DIRT
        return lines, records

    def _dirty(
        self, kind: str, call: Call, formed: Call, previous: str
    ) -> tuple[list[str] | None, int]:
        rng = self.rng
        raw = call.called
        is_long = len(raw) >= 10 and raw.isdigit()
        start = self.stamp(call.second)
        dialled, bill, name = formed.called, None, None
        if kind == "repeated_row":
            return ([previous, self.line(formed)], 2) if previous else (None, 0)
        if kind == "short_row":
            return [_cut(self.line(formed), 8)], 1
        if kind == "long_row":
            return [self.line(formed)[:-1] + ',"x","y","z",1,2,3,4,5,6,7,8,9\n'], 1
        if kind == "blank_line":
            return ["\n", self.line(formed)], 1
        if kind == "repeated_header":
            return [FREEPBX_HEADER, self.line(formed)], 1
        if kind == "nul_byte":
            return [self.line(formed).replace("Dial", "Di\0al", 1)], 1
        if kind == "key_conflict":
            line = self.line(formed)
            self.sequence -= 1
            self.serial -= 1
            other = formed._replace(
                answered_seconds=formed.answered_seconds + 7, disposition="ANSWERED"
            )
            return [line, self.line(other)], 2
        if kind == "month_midnight":
            return [self._line(formed, dialled, f"{self.month.next_first} 00:00:00", None, None)], 1
        if kind == "scientific_number":
            dialled = f"{rng.choice(('4.47912E+11', '1.21255E+10', '1.8E+10'))}"
        elif kind == "impossible_date":
            start = rng.choice(("2026-02-30", "2026-13-01", "2026-00-10")) + start[10:]
        elif kind == "implausible_date":
            start = rng.choice(("1969-12-31 23:59:59", "2091-01-01 00:00:00"))
        elif kind == "missing_start":
            start = ""
        elif kind == "negative_duration":
            bill = f"-{rng.randrange(1, 90)}"
            formed = formed._replace(disposition="ANSWERED")
        elif kind == "bad_duration":
            bill = rng.choice(("abc", "12s", "1e3"))
        elif kind == "missing_called":
            dialled = rng.choice(("", "anonymous"))
        elif kind == "name_called":
            dialled = rng.choice(("s", "i", "voicemail", "queue-sales"))
        elif kind == "extension_called":
            # Fewer digits than many prefixes: 178 must not find the price of 1780.
            dialled = rng.choice(("178", "141", "187"))
        elif kind == "short_form":
            dialled = str(rng.randrange(2000000, 9999999))
        elif kind == "billsec_unanswered":
            formed = formed._replace(disposition="NO ANSWER", answered_seconds=0)
            bill = "60"
        elif kind == "answered_zero":
            formed = formed._replace(disposition="ANSWERED", answered_seconds=0)
        elif kind == "quoted_name":
            name = rng.choice(people.QUOTED).replace('"', '""')
        elif kind == "newline_name":
            name = rng.choice(people.NEWLINE)
        elif not is_long:
            return None, 0
        elif kind == "plus_form":
            dialled = "+" + raw
        elif kind == "double_zero_form":
            dialled = "00" + raw
        elif kind == "international_form":
            dialled = "011" + raw
        elif kind == "punctuated_form":
            dialled = (
                f"({raw[1:4]}) {raw[4:7]}-{raw[7:]}"
                if raw[0] == "1"
                else f"+{raw[:2]} (0){raw[2:5]}.{raw[5:]}"
            )
        elif kind == "sip_uri":
            dialled = rng.choice(
                (f"sip:+{raw}@gw1.example.net", f"tel:+{raw}", f"sip:{raw}@10.0.0.8;user=phone")
            )
        elif kind == "operator_form":
            dialled = "0" + raw[1:] if raw[0] == "1" else "+" + raw
        elif kind == "excel_text":
            dialled = f'=""{raw}""'
        elif kind == "apostrophe":
            dialled = "'" + raw
        elif kind == "invalid_called":
            dialled = rng.choice(("1123", "1911", "1211")) + raw[4:11]
        return [self._line(formed, dialled, start, bill, name)], 1


def _plus(number: str) -> str:
    return "+" + number if len(number) > 7 and number.isdigit() else number


def _quoted(value: str) -> str:
    """Quote a value for the export if it holds a delimiter or quotes (which come doubled)."""
    return f'"{value}"' if '"' in value or "," in value else value


def _cut(line: str, fields: int) -> str:
    """Keep the first fields of a line; none of the first eight holds a comma."""
    return ",".join(line.split(",")[:fields]) + "\n"


def write_daily(
    folder: Path,
    month: Month,
    writer: SwitchWriter,
    calls: Iterator[tuple[int, list[Call]]],
    zone: str,
    file_name: Callable[[dt.date, int], str],
    *,
    overlap_day: int = 0,
) -> list[dict[str, object]]:
    """Write one file per local day; the overlap day starts with yesterday's last records."""
    summaries: list[dict[str, object]] = []
    clock = month.local_clock(zone)
    output: OutputFile | None = None
    day = None
    number = 0
    tail: deque[str] = deque(maxlen=REPEATED_FROM_YESTERDAY)
    previous = ""
    for hour, hour_calls in calls:
        if not hour_calls:
            continue
        date = clock[hour][2]
        if date != day:
            if output is not None:
                output.close()
                summaries.append(output.summary())
            number += 1
            day = date
            output = OutputFile(folder / file_name(date, number))
            if number == overlap_day and tail:
                output.write(list(tail), len(tail))
                output.soil("overlapping_row", len(tail))
            previous = ""
        assert output is not None
        for call in hour_calls:
            lines, records = writer.lines(call, previous, output)
            output.write(lines, records)
            if writer.is_repeatable:
                previous = lines[-1]
                tail.append(previous)
    if output is not None:
        output.close()
        summaries.append(output.summary())
    return summaries


def write_weekly_exports(
    folder: Path,
    month: Month,
    writer: SwitchWriter,
    calls: Iterator[tuple[int, list[Call]]],
    zone: str,
) -> list[dict[str, object]]:
    """Write FreePBX exports of about a week each; the third is in Latin-1."""
    summaries: list[dict[str, object]] = []
    clock = month.local_clock(zone)
    output: OutputFile | None = None
    week = 0
    previous = ""
    for hour, hour_calls in calls:
        if not hour_calls:
            continue
        date = clock[hour][2]
        wanted = 1 + min(4, max(0, (date - month.first).days) // 7)
        if wanted != week:
            if output is not None:
                output.close()
                summaries.append(output.summary())
            week = wanted
            latin = week == 3
            output = OutputFile(
                folder / f"cdr-export-{month.name}-week{week}.csv",
                encoding="latin-1" if latin else "utf-8",
            )
            output.write([FREEPBX_HEADER], 0)
            previous = ""
        assert output is not None
        for call in hour_calls:
            lines, records = writer.lines(call, previous, output)
            if week == 3 and writer.serial % 19 == 0:
                plain = people.PLAIN[writer.serial % 16]
                soiled = lines[-1].replace(plain, people.LATIN_1[writer.serial % 3], 1)
                if soiled != lines[-1]:
                    lines[-1] = soiled
                    output.soil("latin_1_bytes")
            output.write(lines, records)
            if writer.is_repeatable:
                previous = lines[-1]
    if output is not None:
        output.close()
        summaries.append(output.summary())
    return summaries
