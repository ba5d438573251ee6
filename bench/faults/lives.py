"""The lifecycles of a campaign: what happens to each, made from dice, and what the outside must hold afterwards.

What is expected follows from the inputs alone, by rules that are written here once more; no code of ours is asked.
"""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any

from bench.events import CUSTOMER, SUBSCRIPTION, TEMPLATE, UPSELL, Happening
from domain import keys

OPPORTUNITY = "opportunity"
"""Asked of the CRM: the renewal opportunity that Tenure has made there."""
WINDOW, TERM = 90, 365
AGES = (3, 20, 60, 300, 320)
SEATED, SEATS = "PLATFORM", 50
AT_ONCE = ("ONBOARDING", "SUPPORT-PREMIUM")
"""Billed from signature or activation; what has seats from go-live."""
WRONG_TAX, RIGHT_TAX = "DE123456789", "DE123456788"


@dataclass(frozen=True)
class Life:
    """One deal of an account of its own. `broken`: its order is wrong, and nobody corrects it."""

    number: int
    round: str
    today: date
    age: int
    mistaken: bool = False
    broken: bool = False
    late_order: bool = False
    live: bool = True
    upsells: tuple[int, ...] = ()
    invoice: str = ""
    renewal: str = ""

    @property
    def deal(self) -> str:
        return f"006F{self.round}{self.number:05d}"

    @property
    def account(self) -> str:
        return f"acc-{self.deal}"

    @property
    def contract(self) -> str:
        return keys.contract_id("crm", self.deal)

    @property
    def in_window(self) -> bool:
        return self.age > TERM - WINDOW

    def record(self, **changes: Any) -> dict[str, Any]:
        """The deal in the CRM, signed `age` days ago."""
        record: dict[str, Any] = json.loads(json.dumps(TEMPLATE))
        record["Account"] |= {"ParentId": None, "Name": f"Fault {self.number} GmbH", "VAT_Id__c": RIGHT_TAX}
        record["Account"]["Billing_Email__c"] = f"ap@{self.deal.lower()}.example"
        ours = {
            "Id": self.deal,
            "AccountId": self.account,
            "CloseDate": self.day(0),
            "Time_Zone__c": "UTC",
            "Contract_Start__c": "on_signature",
            "PO_Required__c": self.late_order,
            "Purchase_Order__c": None,
        }
        return {**record, **ours, **changes}

    def day(self, after: int) -> str:
        """So many days after the signature."""
        return (self.today - timedelta(days=self.age - after)).isoformat()

    def happenings(self) -> list[Happening]:
        """In the order in which they happen: at random stages, some of them before the one before is carried out."""
        wrong = {"VAT_Id__c": WRONG_TAX} if self.mistaken or self.broken else {}
        said = [self._won(1, self.record(), wrong)]
        if self.broken:
            return said
        if self.mistaken:
            said.append(self._won(2, self.record(), {}, "deal.corrected"))
        if self.late_order:
            said.append(self._says("crm", "purchase_order.received", {"deal": self.deal, "number": "PO-4711"}))
        if self.live:
            for milestone in ("kick-off", "go-live"):
                data = {"deal": self.deal, "milestone": milestone, "completed_on": self.day(2)}
                said.append(self._says("cs", "milestone.completed", data, f"-{milestone}"))
        said += [self._upsell(number, seats) for number, seats in enumerate(self.upsells)]
        said += self._invoice()
        if self.renewal:
            type = "deal.closed_won" if self.renewal == "won" else "deal.lost"
            said.append(Happening(f"{self.deal}:renewal", "crm", type, {}, (OPPORTUNITY,)))
        return said

    def _says(self, source: str, type: str, data: dict[str, Any], more: str = "", *asks: str) -> Happening:
        return Happening(f"{self.deal}:{type}{more}", source, type, data, asks)

    def _won(
        self, version: int, record: dict[str, Any], account: dict[str, Any], type: str = "deal.closed_won"
    ) -> Happening:
        stamp = f"{self.day(1)}T09:{version:02d}:00.000+0000"
        told = {**record, "Account": {**record["Account"], **account}, "SystemModstamp": stamp}
        return self._says("crm", type, {"record": told})

    def _upsell(self, number: int, seats: int) -> Happening:
        record: dict[str, Any] = json.loads(json.dumps(UPSELL))
        record["OpportunityLineItems"]["records"][0]["Quantity"] = float(seats)
        ours = {"Id": f"{self.deal}UP{number}", "AccountId": self.account, "Amends_Deal__c": self.deal}
        return self._says("crm", "deal.closed_won", {"record": {**record, **ours}}, f"-up{number}")

    def _invoice(self) -> list[Happening]:
        if not self.invoice:
            return []
        due_on = (self.today - timedelta(days=45)).isoformat()
        told = {"invoice": f"inv-{self.deal}", "amount": "100.00", "currency": "EUR", "due_on": due_on}
        said = [self._says("erp", "invoice.overdue", {**told, "version": 1}, "", SUBSCRIPTION)]
        if self.invoice == "paid":
            paid = {**told, "version": 2, "paid_on": self.today.isoformat(), "payment": f"pay-{self.deal}"}
            said.append(self._says("erp", "invoice.paid", paid, "", CUSTOMER))
        return said


@dataclass(frozen=True)
class Promise:
    """What must be outside. `counts`: how often, by (system, kind). `events`: which of it only an event can have
    caused, by that event's id. `billed`: products. `risk`: what CS must show, None where it shows nothing. `waits`: for
    a person, with a case."""

    counts: dict[tuple[str, str], int]
    billed: frozenset[str]
    seats: int
    term: int
    risk: str | None
    waits: bool = False
    events: dict[str, tuple[str, str]] = field(default_factory=dict)


@cache
def promise(life: Life) -> Promise:
    """By the rules: lines bill on signature, on activation, and on go-live; CS is told of an invoice 30 days late."""
    once = 0 if life.broken else 1
    renewing = int(life.in_window and not life.broken)
    counts = {
        ("erp", "customers"): once,
        ("erp", "subscriptions"): once,
        ("erp", "activations"): once,
        ("erp", "billing_starts"): once * (3 if life.live else 2),
        ("erp", "amendments"): len(life.upsells),
        ("erp", "renewals"): int(life.renewal == "won"),
        ("erp", "endings"): 0,
        ("erp", "cancellations"): 0,
        ("cs", "companies"): once,
        ("cs", "plans"): once,
        ("cs", "playbooks"): renewing,
        ("crm", "renewal opportunities"): renewing,
    }
    events = {happening.id: caused for happening in life.happenings() if (caused := _causes(happening))}
    return Promise(
        counts=counts,
        billed=frozenset() if life.broken else frozenset({*AT_ONCE, *([SEATED] if life.live else [])}),
        seats=SEATS + sum(life.upsells),
        term=2 if life.renewal == "won" else 1,
        risk=None if life.broken else "high" if life.invoice == "overdue" else "low",
        waits=life.broken,
        events=events,
    )


def _causes(happening: Happening) -> tuple[str, str] | None:
    if happening.id.endswith("go-live"):
        return "erp", "billing_starts"
    if "-up" in happening.id:
        return "erp", "amendments"
    if happening.id.endswith(":renewal") and happening.type == "deal.closed_won":
        return "erp", "renewals"
    return None


def some_lives(dice: Random, round: str, count: int, today: date) -> list[Life]:
    """At random stages: some wait for a correction, a purchase order or go-live, some are in service, some renew."""
    return [_life(dice, round, number, today) for number in range(count)]


def _life(dice: Random, round: str, number: int, today: date) -> Life:
    age = dice.choice(AGES)
    broken = dice.random() < 0.04
    live = dice.random() < 0.75
    renews = age > TERM - WINDOW and live and not broken
    return Life(
        number=number,
        round=round,
        today=today,
        age=age,
        mistaken=not broken and dice.random() < 0.15,
        broken=broken,
        late_order=not broken and dice.random() < 0.2,
        live=live and not broken,
        upsells=() if broken else tuple(dice.randint(1, 9) for _ in range(dice.choice((0, 0, 1, 1, 2)))),
        invoice="" if broken else dice.choice(("", "overdue", "paid")),
        renewal=dice.choice(("won", "won", "lost", "")) if renews else "",
    )
