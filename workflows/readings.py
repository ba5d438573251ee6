"""The readings behind the renewal readiness: each source asked once, side by side; one that is down is marked stale."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import options
from workflows.lanes import reason_of

with workflow.unsafe.imports_passed_through():
    from activities.crm import CrmActivities
    from activities.cs import CsActivities
    from activities.desk import DeskActivities
    from activities.erp import ErpActivities
    from activities.looking import LookActivities
    from activities.signals import SupportActivities, UsageActivities
    from domain import keys
    from domain.calendar import civil_date
    from domain.policies.readiness import Readings, RenewalReadiness, SourceReading
    from domain.ports import OpportunityRef
    from domain.readings import AssessReadiness, Look, Read, ReadSources, SourceRead
    from domain.standins import is_real
    from domain.state import LifecycleState
    from domain.urgency import urgency_of_reading

SOURCES = ("erp", "support", "usage", "cs", "crm")
Answers = dict[str, SourceReading[Any] | None]


class Seen(NamedTuple):
    """What a look has shown, and who did not answer."""

    look: Look
    readiness: RenewalReadiness


async def look(state: LifecycleState, now: datetime, occasion: str, *, review: bool = False) -> Seen:
    """What ERP, support, usage, CS and CRM say today, and what follows from it."""
    asked = tuple(name for name in SOURCES if not (review and name == "crm"))
    return await _judge(state, now, occasion, asked, await _ask(state, now, asked), review=review)


async def look_again(state: LifecycleState, now: datetime, former: Look, *, review: bool = False) -> Seen | None:
    """Ask those again that did not answer. As soon as one does, the others are asked with it, so that all is of one
    day. None: there is nothing new."""
    answers = await _ask(state, now, former.silent)
    if not answers:
        return None
    asked = tuple(name for name in SOURCES if not (review and name == "crm"))
    others = tuple(name for name in asked if name not in former.silent)
    return await _judge(state, now, former.occasion, asked, answers | await _ask(state, now, others), review=review)


async def _ask(state: LifecycleState, now: datetime, sources: Sequence[str]) -> Answers:
    """The answers by source; one that is down, or that has no record to be asked about yet, gives none. One that knows
    nothing of the customer has answered: None."""
    if state.thrifty:
        return await _ask_together(state, now, sources)
    told = workflow.patched("the ERP tells entitlement and revenue")
    asks: dict[str, tuple[Any, str | None]] = {
        "erp": (ErpActivities.read_history, state.customer),
        "support": (SupportActivities.read_cases, state.account),
        "usage": (UsageActivities.read_adoption, state.account),
        "cs": (CsActivities.read_tasks, state.company),
        "crm": (CrmActivities.read_opportunity, state.opportunity),
    }
    today = civil_date(now, state.zone)

    answers: Answers = {}

    async def ask(system: str) -> None:
        activity, subject = asks[system]
        if subject is None:
            return
        read = Read(
            contract=state.contract,
            as_of=now,
            subject=subject,
            subscription=state.subscription if told and system == "erp" else None,
        )
        try:
            answer = await workflow.execute_activity_method(
                activity,
                read,
                **options.at(
                    state.connection(system),
                    f"read {system} for the renewal",
                    options.READING,
                    urgency_of_reading(state),
                ),
            )
        except ActivityError as error:
            if reason_of(error)[0] == "NOT_FOUND":
                answers[system] = None
        else:
            answers[system] = SourceReading(as_of=today, value=_value(state, system, answer))

    await asyncio.gather(*(ask(source) for source in sources))
    return answers


async def _ask_together(state: LifecycleState, now: datetime, sources: Sequence[str]) -> Answers:
    """The same in one activity: each source has its own time there, and its own limit."""
    subjects = {
        "erp": state.customer,
        "support": state.account,
        "usage": state.account,
        "cs": state.company,
        "crm": state.opportunity,
    }
    reads = {
        source: SourceRead(
            connection=state.connection(source),
            read=Read(
                contract=state.contract,
                as_of=now,
                subject=subject,
                subscription=state.subscription if source == "erp" else None,
            ),
        )
        for source in sources
        if (subject := subjects[source]) is not None
    }
    if not reads:
        return {}
    summary = f"read {', '.join(reads)} for the renewal"
    try:
        seen = await workflow.execute_activity_method(
            LookActivities.read_sources,
            ReadSources(as_of=now, reads=reads),
            **options.at(options.LOOKS, summary, options.LOOK, urgency_of_reading(state)),
        )
    except ActivityError:
        return {}  # whoever was asked is silent
    today = civil_date(now, state.zone)
    said = {source: getattr(seen, source) for source in reads}
    answers: Answers = dict.fromkeys(seen.unknown)
    for source, answer in said.items():
        if answer is not None:
            answers[source] = SourceReading(as_of=today, value=_value(state, source, answer))
    return answers


def _value(state: LifecycleState, source: str, answer: Any) -> Any:
    if source == "cs":
        return answer.count
    return OpportunityRef(id=state.opportunity or "", stage=answer.stage) if source == "crm" else answer


async def _judge(
    state: LifecycleState,
    now: datetime,
    occasion: str,
    asked: Sequence[str],
    answers: Answers,
    *,
    review: bool,
) -> Seen:
    today = civil_date(now, state.zone)
    silent = tuple(name for name in asked if name not in answers and _may_answer(state, name))
    if "crm" in asked and state.opportunity is None:  # that there is none is known without asking; it may yet come
        answers = {**answers, "crm": SourceReading[OpportunityRef | None](as_of=today, value=None)}
    # by the company's policy of today: data from outside, so an activity decides and history records the decision
    readiness = await workflow.execute_local_activity_method(
        DeskActivities.assess_readiness,
        AssessReadiness(readings=Readings(**answers), today=today, former=_read_before(state, silent), review=review),
        **options.STORE,
    )
    again_at = now + options.ask_again(0) if silent else None
    return Seen(Look(occasion=occasion, on=today, silent=silent, again_at=again_at), readiness)


def _may_answer(state: LifecycleState, source: str) -> bool:
    """Whether it is worth asking again: not where our own record there is withheld, and so will not be made."""
    keys_of = {
        "erp": state.customer_key,
        "cs": state.company_key,
        "crm": keys.renewal_opportunity(state.contract, state.term),
    }
    made = state.effects.get(keys_of[source]) if source in keys_of else None
    return made is None or is_real(made)


def _read_before(state: LifecycleState, silent: Sequence[str]) -> dict[str, date]:
    """When those that did not answer were read last."""
    sources = state.readiness.sources if state.readiness else {}
    days = {name: sources[name].as_of for name in silent if name in sources}
    return {name: day for name, day in days.items() if day is not None}
