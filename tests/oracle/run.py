"""The whole oracle: a folder of raw files and reference data in, final records out.

`python -m tests.oracle.run DIR` prints what it decided about a demo folder.
"""

import datetime as dt
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.oracle.charges import Charge, ChargeRater
from tests.oracle.invoice import Invoice, draft_invoices
from tests.oracle.numbers import load_number_plans
from tests.oracle.reading import RawFile, file_sha256, read_file
from tests.oracle.reference import Reference
from tests.oracle.usage import UsageLeg, UsageRater

NUMBER_PLANS = Path(__file__).resolve().parents[2] / "seeds" / "number_plans.csv"


@dataclass
class Outcome:
    """Everything the oracle decided."""

    reference: Reference
    files: list[RawFile] = field(default_factory=list)
    legs: list[UsageLeg] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)

    def invoices(self, period_month: dt.date) -> dict[str, Invoice]:
        """Draft the invoices of a period."""
        return draft_invoices(self.reference, self.legs, self.charges, period_month)


def demo_files(demo: Path) -> list[tuple[str, Path]]:
    """Source and path of every file of a demo folder, in the order a loader takes them."""
    return [
        (path.parent.name, path) for path in sorted((demo / "files").glob("*/*")) if path.is_file()
    ]


def run(
    files: Iterable[tuple[str, Path]],
    reference: Reference,
    *,
    received_at: dt.datetime | None = None,
    landing_order: dict[tuple[str, str], int] | None = None,
    withdrawn: Collection[tuple[str, str]] = (),
) -> Outcome:
    """Read and rate files. landing_order gives file ids by (source, name); else order as given.

    A withdrawn file is as if it had no records; its bytes were received all the same.
    """
    given: Sequence[tuple[str, Path]] = list(files)
    order = landing_order or {}
    received = received_at or dt.datetime.now(dt.UTC)
    number_plans = load_number_plans(NUMBER_PLANS)
    usage = UsageRater(reference, number_plans, received)
    charges = ChargeRater(reference, number_plans)
    outcome = Outcome(reference)
    if order:
        given = sorted(given, key=lambda item: order.get((item[0], item[1].name), sys.maxsize))
    fingerprints: dict[str, str] = {}
    for number, (source_code, path) in enumerate(given, start=1):
        source = reference.source(source_code)
        fingerprint = file_sha256(path)
        if fingerprint in fingerprints:
            file = RawFile(source_code, path.name, "held", "same_bytes")
        else:
            file = read_file(
                path, source_code, source["layout_code"], reference.column_map(source_code)
            )
        file.file_id = order.get((source_code, path.name), number)
        outcome.files.append(file)
        if file.status != "landed":
            continue
        fingerprints[fingerprint] = path.name
        if (source_code, path.name) in withdrawn:
            file.status = "withdrawn"
            continue
        if source["file_kind"] == "sdr":
            outcome.charges += charges.rate_file(file)
        else:
            outcome.legs += usage.rate_file(file)
    return outcome


def run_demo(demo: Path, **options) -> Outcome:
    """Rate a demo folder."""
    return run(demo_files(demo), Reference.load(demo / "reference"), **options)


def main() -> int:
    """Print a summary of a demo folder."""
    outcome = run_demo(Path(sys.argv[1]))
    for file in outcome.files:
        if file.status != "landed":
            print(f"{file.source_code}/{file.name}: {file.status} {file.status_reason}")
    for name, records in (("legs", outcome.legs), ("charges", outcome.charges)):
        print(f"{name}: {len(records)}")
        for (state, reason), count in sorted(
            Counter((r.state, r.reason or "") for r in records).items()
        ):
            print(f"  {state:13} {reason:28} {count}")
    quarantined = Counter(reason for file in outcome.files for _, reason in file.quarantine)
    print("quarantined:", dict(quarantined))
    print("non-data:", dict(Counter(kind for file in outcome.files for _, kind in file.non_data)))
    classes = Counter(leg.charge_class for leg in outcome.legs if leg.state == "billed")
    print("billed by class:", dict(classes))
    months = sorted({leg.period_month for leg in outcome.legs if leg.period_month})
    for month in months:
        invoices = outcome.invoices(month)
        total = sum(invoice.total for invoice in invoices.values())
        print(f"{month}: {len(invoices)} invoices, {total}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
