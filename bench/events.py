"""What happens to one customer, as its systems would tell it: a valid sequence, made from dice alone.

Every event carries state and version, or is a movement that adds. What the ERP's ids are is known only when it has made
its records: `Happening.about` fills them in.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

TEMPLATE = json.loads(
    (Path(__file__).parents[1] / "examples/payloads/salesforce_new_hooli.json").read_text(encoding="utf-8")
)
UPSELL = json.loads(
    (Path(__file__).parents[1] / "examples/payloads/salesforce_upsell.json").read_text(encoding="utf-8")
)
AMOUNT = Decimal("100.00")
DUE_IN_DAYS = (-400, -45, -12, 20, 120)  # far from every line that a day alone crosses
ADOPTED_SEATS = (5, 12, 17, 18, 33, 45)  # of 50: on both sides of the policy's lines, and more than once on the same
SUBSCRIPTION, CUSTOMER = "subscription", "customer"

Thread = list["Happening"]


@dataclass(frozen=True)
class Happening:
    """One event. `asks` names the ERP's ids that are still to be filled in."""

    id: str
    source: str
    type: str
    data: dict[str, Any]
    asks: tuple[str, ...] = ()

    def about(self, ids: dict[str, str]) -> dict[str, Any]:
        """The event's data with the ERP's ids."""
        return {**self.data, **{name: ids[name] for name in self.asks}}

    def body(self, ids: dict[str, str]) -> str:
        """The CloudEvent, as it is sent: the same text each time."""
        return json.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": f"/{self.source}",
                "type": f"tenure.{self.type}.v1",
                "subject": self.id,
                "data": self.about(ids),
            }
        )


@dataclass
class Customer:
    """A deal of an account of its own, and all that happens to it. `today` is the day that everything is dated by."""

    dice: Random
    deal: str
    today: date
    _count: int = field(default=0, init=False)

    @property
    def account(self) -> str:
        return f"acc-{self.deal}"

    @property
    def contract(self) -> str:
        return f"crm/{self.deal}/1"

    def happenings(self, size: int) -> list[Happening]:
        """At least `size` events, in an order in which they may happen: the deal is won first."""
        threads = [self._deal(), *self._milestones(), *self._upsells(), self._usage(), self._notices()]
        while sum(map(len, threads)) < size:
            threads.append(self._invoice(len(threads)) if self.dice.random() < 0.7 else self._support(len(threads)))
        return [threads[0].pop(0), *_merged(self.dice, threads[0], threads[1:])]

    def record(self, **changes: Any) -> dict[str, Any]:
        """The deal in the CRM: signed three weeks ago, everything in it dated by `today`."""
        record: dict[str, Any] = json.loads(json.dumps(TEMPLATE))
        record["Account"]["ParentId"] = None
        record["OpportunityLineItems"]["records"][2]["Billing_Start__c"] = f"on_date:{self._day(-10)}"
        signed = {"CloseDate": self._day(-21), "Time_Zone__c": "UTC", "Contract_Start__c": "on_signature"}
        return {**record, "Id": self.deal, "AccountId": self.account, **signed, "PO_Required__c": False, **changes}

    # ── what happens, thread by thread ──────────────────────────────────────────────────────────────────────────

    def _deal(self) -> Thread:
        """Won; with mistakes that are corrected later, or opened again and won again."""
        tax, number = self.dice.random() < 0.4, self.dice.random() < 0.3
        won = {"PO_Required__c": number, "Purchase_Order__c": None}
        mistaken = {
            **won,
            **({"Account": {**TEMPLATE["Account"], "ParentId": None, "VAT_Id__c": "DE123456789"}} if tax else {}),
        }
        thread = [self._of_deal("deal.closed_won", 1, mistaken)]
        match self.dice.randrange(4):
            case 0:
                thread.append(
                    self._of_deal("deal.corrected", 2, {**won, "Description": "nothing that the order holds"})
                )
            case 1:
                opened = {"StageName": "Negotiation", "IsClosed": False, "IsWon": False}
                thread.append(self._of_deal("deal.reopened", 2, {**won, **opened}))
                thread.append(self._of_deal("deal.closed_won", 3, won))
            case _ if tax:
                thread.append(self._of_deal("deal.corrected", 2, won))
        if number:
            order = {"deal": self.deal, "number": "PO-4711"}
            thread.insert(self.dice.randint(1, len(thread)), self._happening("crm", "purchase_order.received", order))
        return thread

    def _of_deal(self, type: str, version: int, changes: dict[str, Any]) -> Happening:
        record = self.record(SystemModstamp=f"{self._day(-20)}T09:{version:02d}:00.000+0000", **changes)
        return self._happening("crm", type, {"record": record})

    def _milestones(self) -> list[Thread]:
        names = [name for name in ("kick-off", "trained", "go-live") if self.dice.random() < 0.8]
        return [
            [
                self._happening(
                    "cs",
                    "milestone.completed",
                    {"deal": self.deal, "milestone": name, "completed_on": self._day(-9 + day)},
                )
            ]
            for day, name in enumerate(names)
        ]

    def _upsells(self) -> list[Thread]:
        return [[self._upsell(number)] for number in range(self.dice.randrange(3))]

    def _upsell(self, number: int) -> Happening:
        record: dict[str, Any] = json.loads(json.dumps(UPSELL))
        record["OpportunityLineItems"]["records"][0]["Quantity"] = float(self.dice.randint(1, 30))
        changes = {"Id": f"{self.deal}UP{number}", "AccountId": self.account, "Amends_Deal__c": self.deal}
        return self._happening("crm", "deal.closed_won", {"record": {**record, **changes}})

    def _usage(self) -> Thread:
        thread = []
        for day in range(self.dice.randint(1, 6)):
            type = self.dice.choice(("usage.reported", "usage.reported", "adoption.dropped"))
            report = {"active": str(self.dice.choice(ADOPTED_SEATS)), "entitled": "50", "as_of": self._day(day - 8)}
            thread.append(self._happening("usage", type, {"account": self.account, **report}))
        return thread

    def _notices(self) -> Thread:
        """What is kept, or asks a person, and changes nothing by itself."""
        about, account = {"deal": self.deal}, {"account": self.account}
        all_of_them = [
            self._happening("cs", "task.overdue", {**about, "task": "Import data", "due_on": self._day(-1)}),
            self._happening("cs", "adoption_milestone.reached", {**account, "milestone": "first report"}),
            self._happening("crm", "expansion_opportunity.identified", {**account, "opportunity": "opp-1"}),
            self._happening("erp", "order.approved", {}, SUBSCRIPTION),
            self._happening("erp", "order.activated", {"activated_on": self._day(0)}, SUBSCRIPTION),
            self._happening("cs", "service_delivery.failed", {**about, "reason": "no room for the training"}),
            self._happening("erp", "legal_entity.changed", {**account, "changed": ["name"]}),
        ]
        return self.dice.sample(all_of_them, self.dice.randint(0, 3))

    def _support(self, number: int) -> Thread:
        """A case that is opened, becomes worse and better, is closed, and may be opened again."""
        case, version, thread = f"case-{self.deal}-{number}", 0, []
        for _ in range(self.dice.randint(1, 2)):
            turns = ["opened", *["severity_changed"] * self.dice.randrange(3), "closed"]
            for turn in turns[: len(turns) if self.dice.random() < 0.6 else -1]:
                version += 1
                data = {"account": self.account, "case": case, "severity": self.dice.randint(1, 4), "version": version}
                thread.append(self._happening("support", f"support_case.{turn}", data))
        return thread

    def _invoice(self, number: int) -> Thread:
        """An invoice that is posted, and then goes one of the ways that invoices go."""
        return list(_Invoice(self, f"inv-{self.deal}-{number}").life())

    def _happening(self, source: str, type: str, data: dict[str, Any], *asks: str) -> Happening:
        self._count += 1
        return Happening(f"{self.deal}:{self._count}", source, type, data, asks)

    def _day(self, days: int) -> str:
        return (self.today + timedelta(days=days)).isoformat()

    # ── for an invoice ──────────────────────────────────────────────────────────────────────────────────────────

    def of_invoice(self, type: str, data: dict[str, Any]) -> Happening:
        """About an invoice: the ERP names the subscription, sometimes the customer, sometimes both."""
        asks = self.dice.choice(((SUBSCRIPTION,), (SUBSCRIPTION,), (CUSTOMER,), (SUBSCRIPTION, CUSTOMER)))
        return self._happening("erp", type, data, *asks)

    def due(self) -> str:
        return self._day(self.dice.choice(DUE_IN_DAYS))


@dataclass
class _Invoice:
    """One invoice while it is made: what it demands, and which of its payments stand."""

    customer: Customer
    name: str
    version: int = 0
    due_on: str = ""
    payments: int = 0
    standing: list[str] = field(default_factory=list)
    ended: bool = False

    def life(self) -> Iterator[Happening]:
        dice = self.customer.dice
        self.due_on = self.customer.due()
        yield self._demand("invoice.posted")
        for _ in range(dice.randint(0, 5)):
            if self.ended:
                return
            yield from self._turn(dice.randrange(9))

    def _turn(self, face: int) -> Iterator[Happening]:
        match face:
            case 0:
                self.due_on = self.customer.due()
                yield self._demand("invoice.due_date_changed")
            case 1:
                yield self._demand("invoice.overdue")
            case 2:
                yield self._event(
                    "invoice.partly_paid", payment=self._payment(), paid=self.customer.dice.choice(("40.00", "60.00"))
                )
            case 3:
                payment = self._payment() if self.customer.dice.random() < 0.7 else ""
                yield self._demand("invoice.paid", paid_on=self.customer.today.isoformat(), payment=payment)
            case 4:
                yield self._event("invoice.credited", credit_note=f"{self.name}-c{self.version}", credited="30.00")
            case 5:
                yield self._event("invoice.disputed", reason="not what was agreed")
                if self.customer.dice.random() < 0.5:
                    yield self._event("invoice.dispute_resolved")
            case 6:
                yield self._event("payment.failed", payment=f"{self.name}-f{self.version}", reason="no funds")
            case 7 if self.standing:
                yield self._event("payment.reversed", payment=self.standing.pop())
            case 8 if self.customer.dice.random() < 0.4:
                self.ended = True
                yield self._event(self.customer.dice.choice(("invoice.voided", "invoice.written_off")))

    def _payment(self) -> str:
        self.payments += 1
        self.standing.append(f"{self.name}-p{self.payments}")
        return self.standing[-1]

    def _demand(self, type: str, **more: Any) -> Happening:
        return self._event(type, amount=str(AMOUNT), currency="EUR", due_on=self.due_on, **more)

    def _event(self, type: str, **data: Any) -> Happening:
        self.version += 1
        return self.customer.of_invoice(type, {"invoice": self.name, "version": self.version, **data})


def _merged(dice: Random, deal: Thread, others: Sequence[Thread]) -> Iterator[Happening]:
    """The threads run beside each other; each keeps its own order. The ERP has records to speak of when the deal is
    as it should be."""
    while waiting := [thread for thread in (deal, *others) if thread and not (deal and thread[0].asks)]:
        yield dice.choice(waiting).pop(0)


def disturbed(dice: Random, happenings: Sequence[Happening], *, copies: int, window: int) -> list[Happening]:
    """Each event one to `copies` times, and none more than `window` places from where it belongs."""
    sent = [each for each in happenings for _ in range(dice.randint(1, copies))]
    places = sorted(range(len(sent)), key=lambda place: place + dice.random() * window)
    return [sent[place] for place in places]
