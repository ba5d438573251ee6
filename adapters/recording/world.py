"""A whole world of recording systems: one for each connection, one journal, and what they hold when it begins."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.recording.crm import RecordingCrm
from adapters.recording.cs import RecordingCs
from adapters.recording.erp import RecordingErp
from adapters.recording.journal import Journal
from adapters.recording.signals import RecordingSupport, RecordingUsage
from adapters.recording.subscriptions import Subscription
from adapters.recording.system import Outages, RecordingSystem
from domain import keys
from domain.messages import CollectionsChanged, MilestoneReached, SupportChanged, UsageChanged
from domain.order import Address
from domain.ports import CreditHold, Invoice, NewCustomer, NewSubscription, OnboardingTask, SubscriptionLine
from domain.recorded import Recorded
from domain.standins import is_real
from domain.state import LifecycleState

SYSTEMS: Mapping[str, type[RecordingSystem]] = {
    "crm": RecordingCrm,
    "erp": RecordingErp,
    "cs": RecordingCs,
    "support": RecordingSupport,
    "usage": RecordingUsage,
}


class RecordingWorld:
    """`connections`: name → kind."""

    def __init__(self, connections: Mapping[str, str]) -> None:
        self.journal = Journal()
        self._kinds = dict(connections)
        self._lines = {name: Outages(name, self.journal) for name in connections}
        self.systems: dict[str, RecordingSystem] = {
            name: SYSTEMS[kind](name, self.journal, self._lines[name]) for name, kind in connections.items()
        }

    @property
    def effects(self) -> Sequence[Recorded]:
        """What has happened outside, in order."""
        return self.journal.entries

    @property
    def names(self) -> frozenset[str]:
        """What an outage may name: a connection, or a kind of which every connection is meant."""
        return frozenset({*self._kinds, *self._kinds.values()})

    def outage(self, system: str, begins: datetime, ends: datetime) -> None:
        """Nothing arrives there between two instants of business time."""
        for name, kind in self._kinds.items():
            if system in (name, kind):
                self._lines[name].add(begins, ends)

    def knows(self, account: str, deal: str, parent: str | None = None) -> None:
        """The customer that a life begins with, who uses what he has."""
        for crm in self._of(RecordingCrm):
            crm.has(account, deal)
            if parent is not None:
                crm.accounts.add(parent)
        for usage in self._of(RecordingUsage):
            usage.report(account, Decimal(1), Decimal(1))

    def hears(self, account: str, event: object) -> None:
        """The system that an event came from says the same when it is asked."""
        match event:
            case MilestoneReached():
                for cs in self._of(RecordingCs):
                    cs.reach(event.milestone)
            case SupportChanged():
                for support in self._of(RecordingSupport):
                    support.open[account] = dict(event.severities)
            case UsageChanged(adoption=Decimal() as adoption):
                for usage in self._of(RecordingUsage):
                    usage.report(account, adoption, Decimal(1))
            case UsageChanged():
                for usage in self._of(RecordingUsage):
                    usage.report(account, Decimal(1), Decimal(1))
            case CollectionsChanged():
                for erp in self._of(RecordingErp):
                    _owes(erp, account, event)

    def holds(self, state: LifecycleState, tasks: Sequence[OnboardingTask]) -> None:
        """What a lifecycle's state says is done outside. `tasks`: those of the onboarding plan that are still open."""
        self.knows(state.account, state.deal)
        for crm in self._of(RecordingCrm):
            for key, made in state.effects.items():
                if key.startswith(keys.renewal_opportunity(state.contract, 0).removesuffix("0")) and is_real(made):
                    crm.stages[made] = "Prospecting"
        for cs in self._of(RecordingCs):
            if state.company is not None:
                cs.has(state.company, state.account, tuple(tasks))
        for erp in self._of(RecordingErp):
            if state.sheet is not None and state.customer is not None:
                erp.customers.has(state.customer, _customer(state), state.customer_key)
                if state.subscription is not None:
                    erp.subscriptions[state.subscription] = _subscription(state)
                if state.hold is not None:
                    erp.customers.get(state.customer).hold = CreditHold(
                        customer=state.customer, held=True, reason=state.hold
                    )
        for level in (
            CollectionsChanged(delinquent=state.delinquent, overdue_since=state.overdue_since),
            SupportChanged(severities=state.severities),
            UsageChanged(adoption=state.adoption),
        ):
            self.hears(state.account, level)

    def _of(self, kind: type[Any]) -> list[Any]:
        return [system for system in self.systems.values() if isinstance(system, kind)]


def _owes(erp: RecordingErp, account: str, event: CollectionsChanged) -> None:
    """The invoices that are delinquent are overdue there; of how much, an event does not say."""
    for customer in erp.customers.known.values():
        if customer.facts.account == account:
            customer.invoices = [
                Invoice(
                    id=invoice,
                    number=invoice,
                    status="posted",
                    currency=customer.facts.currency,
                    total=Decimal(1),
                    open_amount=Decimal(1),
                    issued_on=None,
                    due_on=event.overdue_since,
                )
                for invoice in event.delinquent
            ]


def _customer(state: LifecycleState) -> NewCustomer:
    sheet = state.known
    return NewCustomer(
        account=state.account,
        selling_entity=sheet.selling_entity,
        name=state.account,
        currency=sheet.currency,
        billing_address=Address(),
        shipping_address=Address(),
    )


def _subscription(state: LifecycleState) -> Subscription:
    sheet, term = state.known, state.term_number(state.term + 1 if state.renewed else state.term)
    first = state.term_number(1)
    lines = tuple(
        SubscriptionLine(
            id=line.id,
            product=line.product,
            quantity=state.quantities.get(line.id, line.quantity),
            unit_price=None,
            charge=line.charge,
            frequency=line.frequency,
            starts=line.starts,
            ends=line.ends,
        )
        for line in sheet.lines
    )
    new = NewSubscription(
        contract=state.contract,
        customer=state.customer or "",
        selling_entity=sheet.selling_entity,
        currency=sheet.currency,
        starts=first.starts if first else None,
        ends=term.ends if term else None,
        payment_terms_days=sheet.terms.payment_terms_days,
        purchase_order=None,
        lines=lines,
    )
    made = Subscription(state.subscription or "", new, new.starts, new.ends)
    made.status = "ended" if state.closed else "active" if state.activated_on else "draft"
    made.billed = {line: (day, day) for line, day in state.billing.items()}
    return made
