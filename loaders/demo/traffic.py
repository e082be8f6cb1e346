"""The calls: who calls whom, when, for how long. Speed matters: millions of them are made."""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from loaders.demo.customers import Account, Customers, Service
from loaders.demo.month import Month
from loaders.demo.numbering import (
    CANADA,
    CARIBBEAN,
    COUNTRIES,
    EXTRACT_STATES,
    TOLL_FREE,
    UNPRICED_COUNTRIES,
    exchanges_of,
    extract_area_codes,
)

# Share of calls per local hour of a working day; weekends have a third, spread more evenly.
_WEEKDAY = (1, 1, 1, 1, 1, 2, 5, 16, 42, 68, 76, 70, 58, 66, 74, 70, 60, 44, 24, 14, 10, 7, 4, 2)
_WEEKEND = (1, 1, 1, 1, 1, 1, 2, 4, 8, 13, 16, 18, 18, 17, 16, 15, 14, 13, 12, 10, 8, 5, 3, 2)

POOL = 4096


class Call(NamedTuple):
    """One call before a switch or carrier writes it down."""

    second: int  # since the start of the month in UTC
    service: Service | None
    kind: str
    calling: str  # E.164 digits, an extension, or a word
    called: str
    answered_seconds: int  # 0: not answered
    ring_seconds: int
    disposition: str


def weighted_pool(items: list, weights: list[float], size: int = POOL) -> list:
    """Spread items over a list by weight: picking is then one multiplication."""
    total = sum(weights)
    pool = []
    for item, edge in zip(items, accumulate(weights), strict=True):
        pool += [item] * (round(edge / total * size) - len(pool))
    return pool or list(items)


def domestic_stems(state: str | None) -> list[str]:
    """Give `1` + area code + exchange of every exchange of a state, or of the extract."""
    states = [state] if state else EXTRACT_STATES
    return [
        f"1{area_code}{exchange}"
        for name in states
        for area_code in extract_area_codes(name)
        for exchange in exchanges_of(area_code)
    ]


class Destinations:
    """Pools of called numbers: a stem and how many random digits complete it."""

    def __init__(self, rng: random.Random) -> None:
        self.anywhere = domestic_stems(None)
        self.by_state = {state: domestic_stems(state) for state in EXTRACT_STATES}
        stems: list[tuple[str, int]] = []
        weights: list[float] = []
        for code, _, _, _, mobiles, weight in COUNTRIES:
            length = 12 if code in ("91", "49", "54", "55", "52") else 11
            for prefix, share in ((code, 0.5), *((code + m, 0.5) for m in mobiles.split())):
                stems.append((prefix, length - len(prefix)))
                weights.append(weight * share)
        neighbours = [*CANADA.values(), *CARIBBEAN.values()]
        for codes in neighbours:
            for code in codes.split():
                stems.append((f"1{code}{rng.randrange(220, 990) // 10}7", 4))
                weights.append(1.2)
        for code, _ in UNPRICED_COUNTRIES:
            stems.append((code, 8))
            weights.append(0.5)
        stems.append(("8816", 8))
        weights.append(0.4)
        self.international = weighted_pool(stems, weights)
        self.toll_free = [f"1{code}{rng.randrange(200, 999)}" for code in TOLL_FREE * 4]


class CallMaker:
    """Makes the calls of one source, hour by hour."""

    def __init__(
        self,
        rng: random.Random,
        month: Month,
        customers: Customers,
        sources: tuple[str, ...],
        *,
        outbound_only: bool = False,
        edge_zone: str = "UTC",
    ) -> None:
        self.rng = rng
        self.month = month
        self.outbound_only = outbound_only
        self.destinations = Destinations(rng)
        services = [
            s
            for s in customers.services
            if s.account.home_source in sources and s.service_type == "voice"
        ]
        self.zones = sorted({s.account.zone for s in services})
        self.by_zone: list[list[Service]] = []
        self.zone_weights: list[float] = []
        for zone in self.zones:
            members = [s for s in services if s.account.zone == zone]
            self.by_zone.append(weighted_pool(members, [s.account.weight for s in members]))
            self.zone_weights.append(sum(_distinct_weights(members)))
        self.everyone = [s for s in services if s.numbers or s.pattern_stem]
        self.answered = [
            max(1, min(14400, int(rng.lognormvariate(4.35, 1.15)))) for _ in range(POOL)
        ]
        self.rings = [min(55, 2 + int(rng.expovariate(0.12))) for _ in range(POOL)]
        self.hour_weights = self._hour_weights(edge_zone)

    def _hour_weights(self, edge_zone: str) -> list[list[float]]:
        """Weight of every zone in every hour; the hours around a clock change are made busier."""
        clocks = [self.month.local_clock(zone) for zone in self.zones]
        edge = self.month.local_clock(edge_zone)
        table = []
        for hour in range(self.month.hours):
            weights = []
            for position, clock in enumerate(clocks):
                local_hour, weekday, date = clock[hour]
                shape = _WEEKEND if weekday >= 5 else _WEEKDAY
                weight = shape[local_hour] * self.zone_weights[position]
                if not self.month.first <= date < self.month.next_first:
                    weight *= 0.4
                weights.append(weight)
            step = (edge[min(hour + 1, len(edge) - 1)][0] - edge[hour][0]) % 24
            back = (edge[hour][0] - edge[hour - 1][0]) % 24 if hour else 1
            if hour + 1 < len(edge) and (step != 1 or back != 1):
                weights = [weight * 12 + 20 for weight in weights]
            table.append(weights)
        return table

    def calls(self, count: int) -> Iterator[tuple[int, list[Call]]]:
        """Give the calls of every hour, in order of start; `count` in all."""
        sums = list(accumulate(sum(weights) for weights in self.hour_weights))
        total = sums[-1]
        made = 0
        for hour, edge in enumerate(sums):
            wanted = int(count * edge / total + 0.5) - made
            made += wanted
            if not wanted:
                yield hour, []
                continue
            pool = weighted_pool(self.by_zone, self.hour_weights[hour], 256)
            calls = [self.call(hour, pool) for _ in range(wanted)]
            calls.sort(key=_start)
            yield hour, calls

    def call(self, hour: int, pool: list[list[Service]]) -> Call:
        """Make one call in an hour."""
        random_ = self.rng.random
        services = pool[int(random_() * len(pool))]
        service = services[int(random_() * len(services))]
        second = hour * 3600 + int(random_() * 3600)
        dice = random_()
        if random_() < 0.65:
            disposition = "ANSWERED"
            answered = self.answered[int(random_() * POOL)]
        else:
            answered = 0
            fate = random_()
            disposition = (
                "NO ANSWER"
                if fate < 0.55
                else "BUSY"
                if fate < 0.83
                else "FAILED"
                if fate < 0.94
                else "CONGESTION"
                if fate < 0.98
                else "CANCEL"
            )
        ring = self.rings[int(random_() * POOL)]
        if self.outbound_only:
            kind = "outbound" if dice < 0.985 else "stranger"
        elif dice < 0.60:
            kind = "outbound"
        elif dice < 0.84:
            kind = "inbound"
        elif dice < 0.88:
            kind = "on_net"
        elif dice < 0.945:
            kind = "internal"
        elif dice < 0.955:
            kind = "star"
        elif dice < 0.965:
            kind = "directory"
        elif dice < 0.968:
            kind = "emergency"
        elif dice < 0.988:
            kind = "anonymous"
        else:
            kind = "stranger"
        account = service.account
        if kind == "outbound":
            calling = self._own_or_extension(service)
            called = self._destination(account)
        elif kind == "inbound":
            calling = self._outsider(account)
            called = service.toll_free or self._own_number(service)
        elif kind == "on_net":
            calling = self._own_number(service)
            called = self._own_number(self.everyone[int(random_() * len(self.everyone))])
        elif kind == "internal":
            calling = str(100 + int(random_() * 80))
            called = str(100 + int(random_() * 80)) if random_() < 0.85 else "s"
        elif kind == "star":
            calling = str(100 + int(random_() * 80))
            called = ("*98", "*72", "*60", "#31#")[int(random_() * 4)]
        elif kind == "directory":
            calling = self._own_number(service)
            called = "411"
        elif kind == "emergency":
            calling = self._own_number(service)
            called = ("911", "911", "933", "988")[int(random_() * 4)]
        elif kind == "anonymous":
            calling = ("anonymous", "Restricted", "", "unavailable")[int(random_() * 4)]
            called = service.toll_free or self._own_number(service)
        else:
            calling = self._outsider(account)
            called = self._destination(account)
        return Call(second, service, kind, calling, called, answered, ring, disposition)

    def _own_number(self, service: Service) -> str:
        numbers = service.numbers
        if numbers:
            return numbers[int(self.rng.random() * len(numbers))]
        if service.pattern_stem:
            return f"{service.pattern_stem}{int(self.rng.random() * 1000):03d}"
        if service.toll_free:
            return service.toll_free
        return self._outsider(service.account)

    def _own_or_extension(self, service: Service) -> str:
        if service.account_key and self.rng.random() < 0.5:
            return str(100 + int(self.rng.random() * 80))
        if service.toll_free and not service.numbers:
            return self._own_number(self.everyone[int(self.rng.random() * len(self.everyone))])
        return self._own_number(service)

    def _outsider(self, account: Account) -> str:
        dice = self.rng.random()
        if dice < 0.06:
            stem, digits = self.destinations.international[int(self.rng.random() * POOL)]
            return f"{stem}{int(self.rng.random() * 10**digits):0{digits}d}"
        stems = (
            self.destinations.by_state[account.state] if dice < 0.55 else self.destinations.anywhere
        )
        stem = stems[int(self.rng.random() * len(stems))]
        return f"{stem}{int(self.rng.random() * 10000):04d}"

    def _destination(self, account: Account) -> str:
        dice = self.rng.random()
        if dice < 0.18:
            stem, digits = self.destinations.international[int(self.rng.random() * POOL)]
            return f"{stem}{int(self.rng.random() * 10**digits):0{digits}d}"
        if dice < 0.235:
            stems = self.destinations.toll_free
        elif dice < 0.55:
            stems = self.destinations.by_state[account.state]
        elif dice < 0.551:
            return f"1900{555 if dice < 0.5505 else 976}{int(self.rng.random() * 10000):04d}"
        elif dice < 0.552:
            return f"1212976{int(self.rng.random() * 10000):04d}"
        else:
            stems = self.destinations.anywhere
        stem = stems[int(self.rng.random() * len(stems))]
        return f"{stem}{int(self.rng.random() * 10000):04d}"


def _distinct_weights(services: list[Service]) -> list[float]:
    """Weight of each account once, however many services it has."""
    return list({s.account.code: s.account.weight for s in services}.values())


def _start(call: Call) -> int:
    return call.second
