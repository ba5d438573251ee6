"""What a round does to its lifecycles, from a seed: as data, so that it can be said again, and halved."""

import json
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from random import Random
from typing import Any

from bench.faults.points import BOUNDARIES, VIEW

KEYED = (
    "create_customer", "create_subscription", "activate_order", "start_billing", "amend_subscription",
    "renew_subscription", "ensure_company", "launch_onboarding", "start_playbook", "create_renewal_opportunity",
)  # fmt: skip
LEVELS = ("set_health", "write_status")
SHARE = {"start_billing": 2.5, "amend_subscription": 0.7, "renew_subscription": 0.1, "start_playbook": 0.3}
SHARE |= {"create_renewal_opportunity": 0.3, "set_health": 2.0, "write_status": 2.0, VIEW: 1.0}
"""How often an effect happens, for each lifecycle; once where nothing is said."""
PLACES = tuple(product(KEYED, BOUNDARIES)) + tuple(product(LEVELS, ("sent", "committed")))
PLACES += ((VIEW, "answered"), (VIEW, "recorded"))

VICTIMS = ("temporal", "gateway", "dispatcher", "worker", "sandbox", "database")
OUTSIDE: tuple[dict[str, Any], ...] = (
    {"kind": "slow", "seconds": 1.5, "times": 6},
    {"kind": "slow", "seconds": 4.0, "times": 3},
    {"kind": "rate_limit", "retry_after": "1", "times": 12},
    {"kind": "error", "status": 500, "times": 8},
    {"kind": "error", "status": 503, "times": 8},
    {"kind": "down", "retry_after": "2", "times": 12},
    {"kind": "lose_answer", "times": 6},
    {"kind": "lose_answer", "cut": True, "times": 6},
    {"kind": "commit_late", "seconds": 0.7, "times": 4},
    {"kind": "hang", "seconds": 4.0, "times": 3},
    {"kind": "garbage", "times": 5},
)
SYSTEMS = ("erp", "cs", "crm")
DRILLS = ("", "box", "store", "temporal", "disk")
CLOCKS = ("worker", "dispatcher", "gateway")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. `do`: die (a point of the worker), kill (a process), outside (a fault of the box),
    clock (of a process), or a drill. `when`: after which share of all events were sent."""

    do: str
    what: str
    when: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        at = f" at {self.when:.2f}" if self.when else ""
        return f"{self.do} {self.what}{at}{' ' + json.dumps(self.more) if self.more else ''}"


@dataclass(frozen=True)
class Plan:
    """A round. The same seed makes the same lives, whatever faults are left of it."""

    seed: int
    lives: int
    postgres: bool
    faults: tuple[Fault, ...]

    @property
    def letter(self) -> str:
        return f"{self.seed % 10_000:04d}"

    def dice(self, what: str) -> Random:
        return Random(f"{self.seed}:{what}")

    def only(self, numbers: "tuple[int, ...] | list[int]") -> "Plan":
        return replace(self, faults=tuple(self.faults[number] for number in numbers))

    def of(self, do: str) -> list[Fault]:
        return [fault for fault in self.faults if fault.do == do]

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Plan":
        told = json.loads(text)
        return cls(**{**told, "faults": tuple(Fault(**fault) for fault in told["faults"])})


def rounds(seed: int, lives: int, each: int = 200) -> list[Plan]:
    """As many rounds as the lifecycles need. Each place at which a worker can die comes up in turn, each drill too."""
    dice = Random(seed)
    places = list(PLACES)
    dice.shuffle(places)
    plans, number = [], 0
    while lives > 0:
        count = min(each, lives)
        here = [places[(number * 12 + n) % len(places)] for n in range(min(12, max(3, count // 8)))]
        plans.append(_round(seed * 1000 + number, count, here, DRILLS[(number + seed) % len(DRILLS)]))
        lives -= count
        number += 1
    return plans


def _round(seed: int, lives: int, places: list[tuple[str, str]], drill: str) -> Plan:
    dice = Random(seed)
    postgres = seed % 2 == 1 and drill != "store"
    faults = [_point(dice, lives, *place) for place in places]
    for victim in VICTIMS:
        if victim != "database" or postgres:
            faults.append(Fault("kill", victim, round(dice.uniform(0.1, 0.95), 3)))
    for fault in dice.sample(OUTSIDE, 6):
        more = {"system": dice.choice(SYSTEMS), **fault}
        faults.append(Fault("outside", str(fault["kind"]), round(dice.uniform(0.0, 0.9), 3), more))
    faults.append(Fault("clock", dice.choice(CLOCKS), 0.0, {"seconds": dice.choice((-240, -90, 90, 240))}))
    if drill:
        faults.append(Fault("drill", drill, round(dice.uniform(0.4, 0.7), 3)))
    return Plan(seed, lives, postgres, tuple(faults))


def _point(dice: Random, lives: int, operation: str, boundary: str) -> Fault:
    most = max(1, int(lives * SHARE.get(operation, 1.0) * 0.8))
    return Fault("die", operation, 0.0, {"boundary": boundary, "nth": dice.randint(1, most)})
