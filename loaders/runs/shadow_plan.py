"""What a change of the models reaches: which have to be built, and which production has already.

Compared is the SQL that dbt made of them, for the target `dry`: macros and seeds show where they
are used, and a comment or another line break is no change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loaders.runs.dry import PREFIX, DryModels, Model

# The decisions of rating, and the invoices; everything else leads to them or reads them.
RATED = ("rated_usage", "rated_charge")
INVOICES = ("draft_invoice_line", "draft_invoice")
# What the invoices read of rating: sums and versions that count, of production and the shadow.
SEAMS = ("current_rated_usage", "usage_total", "current_rated_charge", "charge_total")

_READS = re.compile(rf'"{PREFIX}_(?!history")\w+"\."(\w+)"')
_REFERENCE = re.compile(r'"?\breference"?\."?(\w+)')
# Texts, quoted names and dollar quotes stay as they are; comments and white space become a blank.
_PIECE = re.compile(
    r"(?P<kept>'(?:[^']|'')*'|\"[^\"]*\"|(?P<tag>\$\w*\$).*?(?P=tag))"
    r"|(?:\s|--[^\n]*|/\*.*?\*/)+",
    re.DOTALL,
)


def essence(sql: str) -> str:
    """SQL without comments, and with single blanks."""
    return _PIECE.sub(lambda found: found["kept"] or " ", sql).strip()


@dataclass(frozen=True)
class Plan:
    """What is different, what follows from it, and what is built for it."""

    # Models and seeds whose content is different.
    changed: tuple[str, ...]
    # Models that read proposed reference data.
    touched: tuple[str, ...]
    # Models and seeds that are gone.
    removed: tuple[str, ...]
    # Changed ones and all that read them.
    reached: frozenset[str]
    # The same, had rating come out the same.
    reached_in_billing: frozenset[str]
    # In order of building.
    rating: tuple[Model, ...]
    billing: tuple[Model, ...]
    # Models of the chain that production's rows stand in for.
    deferred: tuple[str, ...]

    @property
    def rates_usage(self) -> bool:
        return "rated_usage" in self.reached

    @property
    def rates_charges(self) -> bool:
        return "rated_charge" in self.reached

    @property
    def rates(self) -> bool:
        """Whether anything is rated again."""
        return self.rates_usage or self.rates_charges

    @property
    def changes_billing(self) -> bool:
        """Whether billing itself is different, and not only what it reads."""
        return not self.reached_in_billing.isdisjoint(INVOICES)

    @property
    def is_empty(self) -> bool:
        """Whether no amount can come out differently."""
        return not self.rates and not self.changes_billing


def make_plan(base: DryModels, proposed: DryModels, reference: Sequence[str] = ()) -> Plan:
    """Compare two states of the project; ``reference`` names tables whose rows are different."""
    before, after = _contents(base), _contents(proposed)
    models = _models(proposed)
    changed = {name for name, content in after.items() if before.get(name) != content}
    touched = {
        name
        for name, model in models.items()
        if not set(_REFERENCE.findall(model.sql)).isdisjoint(reference)
    }
    reads = {name: set(_READS.findall(model.sql)) & after.keys() for name, model in models.items()}
    reached = _downstream(changed | touched, reads)
    # what billing reads of rating stays as it is
    cut = {name: set() if name in SEAMS else read for name, read in reads.items()}
    wanted_rated = [name for name in RATED if name in reached]
    rating = _upstream([*wanted_rated, *_extra(wanted_rated)], reads, ())
    billing = _upstream(INVOICES, reads, SEAMS) if reached & {*RATED, *INVOICES} else set()
    chain = _upstream([*RATED, *INVOICES], reads, ())
    ordered = list(models.values())
    return Plan(
        changed=tuple(sorted(changed)),
        touched=tuple(sorted(touched)),
        removed=tuple(sorted(before.keys() - after.keys())),
        reached=frozenset(reached),
        reached_in_billing=frozenset(_downstream((changed | touched) - {*RATED, *SEAMS}, cut)),
        rating=tuple(m for m in ordered if m.name in rating),
        billing=tuple(m for m in ordered if m.name in billing - rating - set(SEAMS)),
        deferred=tuple(sorted((chain & models.keys()) - rating - billing)),
    )


def _extra(rated: Iterable[str]) -> list[str]:
    sums = {"rated_usage": "usage_total", "rated_charge": "charge_total"}
    return [sums[name] for name in rated]


def _models(dry: DryModels) -> dict[str, Model]:
    # The comparison shows changes; it makes none.
    return {model.name: model for model in (*dry.models, *dry.billing)}


def _contents(dry: DryModels) -> dict[str, object]:
    contents: dict[str, object] = {
        seed.name: (seed.columns, seed.types, tuple(sorted(map(repr, seed.rows))))
        for seed in dry.seeds
    }
    return contents | {name: essence(model.sql) for name, model in _models(dry).items()}


def _downstream(start: Iterable[str], reads: Mapping[str, set[str]]) -> set[str]:
    reached = set(start)
    while more := {name for name, read in reads.items() if name not in reached and read & reached}:
        reached |= more
    return reached


def _upstream(start: Iterable[str], reads: Mapping[str, set[str]], stop: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name not in stop:
            waiting += reads.get(name, ())
    return found
