"""Rules of a collector: which source a file belongs to, told by name, folder or mail.

Pure functions over text, so that a rule list can be checked when it is loaded.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FILE_KINDS = ("cdr", "sdr")
CADENCES = ("hourly", "daily", "weekly", "monthly")
_CONDITIONS = ("name", "to", "from", "subject")
_KEYS = (*_CONDITIONS, "directory", "source", "file_kind", "cadence", "grace_hours")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_MAXIMUM_RULES = 200


class RuleError(ValueError):
    """A rule list that cannot be used; the text says which rule and why."""


@dataclass(frozen=True)
class Facts:
    """What a rule may look at."""

    name: str
    directory: str = ""
    recipients: tuple[str, ...] = ()
    sender: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the first rule that fits says of a file."""

    source_code: str | None
    file_kind: str | None
    cadence: str | None


@dataclass(frozen=True)
class Rule:
    """One rule: all its conditions must hold."""

    directory: str
    conditions: tuple[tuple[str, re.Pattern[str]], ...]
    source: str | None
    file_kind: str | None
    cadence: str | None

    def verdict(self, facts: Facts) -> Verdict | None:
        """What this rule says; None where it does not fit."""
        if self.directory != facts.directory:
            return None
        words: dict[str, str] = {}
        for condition, pattern in self.conditions:
            match = _first_match(pattern, _texts(condition, facts))
            if match is None:
                return None
            words |= {name: text for name, text in match.groupdict().items() if text}
        source = self.source
        if source is not None:
            # A group that took no part leaves its placeholder: no source is called that.
            source = _PLACEHOLDER.sub(
                lambda found: words.get(found[1], found[0]).lower(), source
            )
        return Verdict(
            source,
            self.file_kind or _word(words, "file_kind", FILE_KINDS),
            self.cadence or _word(words, "cadence", CADENCES),
        )


@dataclass(frozen=True)
class Rules:
    """The rules of a collector in their order."""

    rules: tuple[Rule, ...]

    def verdict(self, facts: Facts) -> Verdict | None:
        """Of the first rule that fits."""
        for rule in self.rules:
            verdict = rule.verdict(facts)
            if verdict is not None:
                return verdict
        return None

    @property
    def directories(self) -> tuple[str, ...]:
        """Where to look, below the collector's own directory; each once, in order."""
        return tuple(dict.fromkeys(rule.directory for rule in self.rules))

    @property
    def sources(self) -> tuple[tuple[str, str | None], ...]:
        """Sources named outright, with the kind of file the rule expects of them."""
        return tuple(
            dict.fromkeys(
                (rule.source, rule.file_kind)
                for rule in self.rules
                if rule.source is not None and not _PLACEHOLDER.search(rule.source)
            )
        )


def parse_rules(value: Any) -> Rules:
    """Rules from their JSON; a RuleError says in words what is wrong."""
    if not isinstance(value, list) or not value:
        raise RuleError(
            'must be a list of rules like [{"name": "cdr_*.csv", "source": "acme_calls"}]'
        )
    if len(value) > _MAXIMUM_RULES:
        raise RuleError(f"has {len(value)} rules; {_MAXIMUM_RULES} at most")
    return Rules(tuple(_rule(number, given) for number, given in enumerate(value, start=1)))


def _rule(number: int, given: Any) -> Rule:
    where = f"rule {number}"
    if not isinstance(given, dict):
        raise RuleError(f"{where} must be an object, not {json.dumps(given)}")
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise RuleError(f"{where}: '{unknown[0]}' is not known; there are {', '.join(_KEYS)}")
    for key, text in given.items():
        if key != "grace_hours" and not (isinstance(text, str) and text):
            raise RuleError(f"{where}, {key}: must be a text that is not empty")
    if "grace_hours" in given:
        hours = given["grace_hours"]
        if not isinstance(hours, int) or isinstance(hours, bool) or not 0 <= hours <= 2400:
            raise RuleError(f"{where}, grace_hours: must be a whole number from 0 to 2400")
        if "cadence" not in given:
            raise RuleError(f"{where}: grace_hours needs a cadence")
    conditions = tuple(
        (key, _pattern(f"{where}, {key}", given[key])) for key in _CONDITIONS if key in given
    )
    if not conditions:
        raise RuleError(f"{where} needs at least one of {', '.join(_CONDITIONS)}")
    _one_of(where, given, "file_kind", FILE_KINDS)
    _one_of(where, given, "cadence", CADENCES)
    groups = {name for _, pattern in conditions for name in pattern.groupindex}
    for name in _PLACEHOLDER.findall(given.get("source", "")):
        if name not in groups:
            raise RuleError(
                f"{where}, source: {{{name}}} is no named group of its patterns; "
                f"write one as re:...(?P<{name}>...)"
            )
    return Rule(
        given.get("directory", "").strip("/") if given.get("directory") != "/" else "",
        conditions,
        given.get("source"),
        given.get("file_kind"),
        given.get("cadence"),
    )


def _pattern(where: str, text: str) -> re.Pattern[str]:
    """A glob, or a regular expression after ``re:``. Case does not matter, the whole must fit."""
    expression = text[3:] if text.startswith("re:") else fnmatch.translate(text)
    try:
        return re.compile(expression, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise RuleError(f"{where}: '{text}' is no regular expression: {error}") from None


def _one_of(where: str, given: dict[str, Any], key: str, allowed: tuple[str, ...]) -> None:
    if key in given and given[key] not in allowed:
        raise RuleError(f"{where}, {key} '{given[key]}': must be one of {', '.join(allowed)}")


def _word(words: dict[str, str], key: str, allowed: tuple[str, ...]) -> str | None:
    word = words.get(key, "").lower()
    return word if word in allowed else None


def _texts(condition: str, facts: Facts) -> Iterable[str]:
    if condition == "name":
        return (facts.name,)
    if condition == "to":
        return facts.recipients
    return (facts.sender if condition == "from" else facts.subject,)


def _first_match(pattern: re.Pattern[str], texts: Iterable[str]) -> re.Match[str] | None:
    return next((match for text in texts if (match := pattern.fullmatch(text))), None)
