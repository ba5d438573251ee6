"""What a change of view means for others: the turns that `tenure.lifecycle.*` tells, and their CloudEvents."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from domain import keys
from domain.books import ViewRow
from domain.calendar import civil_date
from domain.events.lifecycle import (
    LifecycleActivated,
    LifecycleBillingStarted,
    LifecycleCancelled,
    LifecycleCaseOpened,
    LifecycleCaseResolved,
    LifecycleEnded,
    LifecycleEntitlementChanged,
    LifecycleForecastChanged,
    LifecycleRenewalDecided,
    LifecycleRenewalOpened,
    LifecycleRiskChanged,
    LifecycleSaid,
    LifecycleStageChanged,
    LifecycleStarted,
    LifecycleTermBegun,
)
from domain.standins import is_real
from domain.view import LifecycleView, Stage

About = dict[str, Any]


def announce(before: LifecycleView | None, after: LifecycleView) -> list[LifecycleSaid]:
    """The turns between two views of one contract: what happened, where it stands since, and last how it ended.

    Only what differs is told, so that what came and went between the two is not. `after.as_of` gives the day. A
    lifecycle in shadow tells nothing; made live, it tells where it stands, and not what happened before.
    """
    if after.mode == "shadow":
        return []
    if after.as_of is None:
        raise ValueError(f"the view of {after.contract} names no instant")
    about: About = {
        "contract": after.contract,
        "account": after.account,
        "deal": after.deal,
        "on": civil_date(after.as_of, after.zone),
    }
    if after.cut_over is not None and (before is None or before.mode == "shadow"):
        nothing_open = after.model_copy(update={"cases": [], "risk": "low", "renewal_priority": "normal"})
        return [
            LifecycleStarted(**about),
            *_prospects(LifecycleView(contract=after.contract, stage=after.stage), after, about),
            *_attention(nothing_open, after, about),
            *_standing(None, after, about),
        ]
    was = before or LifecycleView(contract=after.contract, stage=Stage.ORDER_ACTIVATION)
    return [
        *([LifecycleStarted(**about)] if before is None else []),
        *_serving(was, after, about),
        *_renewal(was, after, about),
        *_prospects(was, after, about),
        *_attention(was, after, about),
        *_standing(before, after, about),
    ]


def cloud_event(said: LifecycleSaid, row: ViewRow, n: int, *, tenant: str | None, at: datetime) -> dict[str, Any]:
    """The CloudEvent, in structured mode, of the n-th turn that a view tells; `at` is its business time.

    `sequence` (CloudEvents' extension) grows with each event of a contract and is compared as text: a subscriber that
    is sent an event again can tell that it has seen newer ones.
    """
    event_id = keys.outgoing_event(row.contract, row.run_started, row.sequence, said.type, n)
    return envelope(said, event_id, tenant=tenant, at=at, sequence=sequence_of(row.run_started, row.sequence, n))


def envelope(said: LifecycleSaid, id: str, *, tenant: str | None, at: datetime, sequence: str) -> dict[str, Any]:
    """The CloudEvent of whatever is said of a contract."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": f"/tenure/{tenant}" if tenant else "/tenure",
        "type": said.type,
        "subject": said.contract,
        "time": at.astimezone(UTC).isoformat(),
        "datacontenttype": "application/json",
        "sequence": sequence,
        "data": said.model_dump(mode="json"),
    }


def sequence_of(run_started: datetime, sequence: int, n: int) -> str:
    """What follows on a view sorts behind it, and before the next one."""
    return f"{int(run_started.timestamp() * 1_000_000):017d}-{sequence:012d}-{n:03d}"


def _serving(was: LifecycleView, now: LifecycleView, about: About) -> Iterator[LifecycleSaid]:
    """The order's activation, each line's billing, and the terms that follow."""
    term: About = {"term_starts": now.term_starts, "term_ends": now.term_ends}
    if now.term and not was.term and _happened(now, keys.activation(now.contract)):
        customers = (ref for key, ref in now.effects.items() if key.startswith(keys.customer(now.account, "")))
        subscription = now.effects.get(keys.subscription(now.contract))
        yield LifecycleActivated(**about, **term, customer=next(customers, None), subscription=subscription)
    billed = {line.id for line in was.lines if line.billing_starts}
    for line in now.lines:
        started = line.billing_starts and _happened(now, keys.billing_start(now.contract, line.id, 1))
        if line.billing_starts and started and line.id not in billed:
            yield LifecycleBillingStarted(**about, line=line.id, product=line.product, starts=line.billing_starts)
    if now.term > max(was.term, 1):
        yield LifecycleTermBegun(**about, **term, term=now.term)


def _happened(now: LifecycleView, key: str) -> bool:
    """Not where a step counts as done though its stage only observes, or is off."""
    return key not in now.effects or is_real(now.effects[key])


def _renewal(was: LifecycleView, now: LifecycleView, about: About) -> Iterator[LifecycleSaid]:
    """Readiness and decision belong to a term: with the next one, the same again is news."""
    same_term = was.term == now.term
    renewed = now.term_ends is not None  # what runs on without an end is reviewed, not renewed
    if now.readiness is not None and renewed and not (same_term and was.readiness is not None):
        yield LifecycleRenewalOpened(**about, term=now.term, term_ends=now.term_ends)
    if now.decision is not None and not (same_term and was.decision == now.decision):
        decision, by = _decision(now.decision)
        yield LifecycleRenewalDecided(**about, term=now.term, decision=decision, by=by)


def _prospects(was: LifecycleView, now: LifecycleView, about: About) -> Iterator[LifecycleSaid]:
    """What is expected of the renewal, which belongs to a term like the decision, and what the customer may use."""
    expected, former = now.forecast, was.forecast
    if expected is not None and (
        former is None or (former.term, former.category) != (expected.term, expected.category)
    ):
        booked = expected.booking
        yield LifecycleForecastChanged(
            **about,
            term=expected.term,
            category=expected.category,
            computed=expected.computed,
            reasons=expected.reasons,
            by=expected.by,
            booked_term=booked.term if booked else None,
            booked_starts=booked.starts if booked else None,
            booked_ends=booked.ends if booked else None,
            booked_quantities=booked.quantities if booked else {},
        )
    if now.entitlement != was.entitlement:
        yield LifecycleEntitlementChanged(
            **about,
            before=was.entitlement,
            entitlement=now.entitlement,
            effective=now.entitlement_since or about["on"],
            reason=now.entitlement_reason,
        )


def _attention(was: LifecycleView, now: LifecycleView, about: About) -> Iterator[LifecycleSaid]:
    """Risk, and cases: one that has become of another kind needs somebody anew."""
    if (was.risk, was.renewal_priority) != (now.risk, now.renewal_priority):
        level: About = {"risk": now.risk, "renewal_priority": now.renewal_priority}
        yield LifecycleRiskChanged(**about, **level)
    known, live = {case.id: case.kind for case in was.cases}, {case.id for case in now.cases}
    for case in was.cases:
        if case.id not in live:
            yield LifecycleCaseResolved(**about, case=case.id)
    for case in now.cases:
        if known.get(case.id) != case.kind:
            yield LifecycleCaseOpened(**about, case=case.id, kind=case.kind, title=case.title, actor=case.actor)


def _standing(before: LifecycleView | None, now: LifecycleView, about: About) -> Iterator[LifecycleSaid]:
    if before is not None and before.stage is now.stage:
        return
    yield LifecycleStageChanged(**about, before=before.stage.value if before else "", stage=now.stage.value)
    if now.stage is Stage.ENDED:
        yield LifecycleEnded(**about)
    elif now.stage is Stage.CANCELLED:
        yield LifecycleCancelled(**about)


def _decision(text: str) -> tuple[Literal["renew", "end"], str]:
    """A view tells a decision as `renew (by whom)`."""
    outcome, _, by = text.partition(" (")
    return "renew" if outcome == "renew" else "end", by.removesuffix(")")
