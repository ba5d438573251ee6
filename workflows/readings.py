"""The readings behind the renewal readiness: each source asked once, side by side; one that is down is marked stale."""

import asyncio
from datetime import date, datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import options

with workflow.unsafe.imports_passed_through():
    from activities.crm import CrmActivities
    from activities.cs import CsActivities
    from activities.desk import DeskActivities
    from activities.erp import ErpActivities
    from activities.signals import SupportActivities, UsageActivities
    from domain.calendar import civil_date
    from domain.policies.readiness import Readings, RenewalReadiness, SourceReading
    from domain.ports import OpportunityRef
    from domain.readings import AssessReadiness, OpportunityStage, Read
    from domain.state import LifecycleState


async def assemble_readiness(state: LifecycleState, now: datetime) -> RenewalReadiness:
    """What ERP, support, usage, CS and CRM say today, and what follows from it."""
    today = civil_date(now, state.zone)

    async def ask(system: str, activity: Any, subject: str | None, subscription: str | None = None) -> Any:
        if subject is None:
            return None
        try:
            return await workflow.execute_activity_method(
                activity,
                Read(contract=state.contract, as_of=now, subject=subject, subscription=subscription),
                **options.at(state.connection(system), f"read {system} for the renewal", options.READING),
            )
        except ActivityError:
            return None

    told = workflow.patched("the ERP tells entitlement and revenue")
    erp, support, usage, tasks, opportunity = await asyncio.gather(
        ask("erp", ErpActivities.read_history, state.customer, state.subscription if told else None),
        ask("support", SupportActivities.read_cases, state.account),
        ask("usage", UsageActivities.read_adoption, state.account),
        ask("cs", CsActivities.read_tasks, state.company),
        ask("crm", CrmActivities.read_opportunity, state.opportunity),
    )
    readings = Readings(
        erp=SourceReading(as_of=today, value=erp) if erp else None,
        support=SourceReading(as_of=today, value=support) if support else None,
        usage=SourceReading(as_of=today, value=usage) if usage else None,
        cs=SourceReading(as_of=today, value=tasks.count) if tasks else None,
        crm=_opportunity(state, today, opportunity),
    )
    # by the company's policy of today: data from outside, so an activity decides and history records the decision
    return await workflow.execute_local_activity_method(
        DeskActivities.assess_readiness, AssessReadiness(readings=readings, today=today), **options.STORE
    )


def _opportunity(
    state: LifecycleState, today: date, read: OpportunityStage | None
) -> SourceReading[OpportunityRef | None] | None:
    """That there is no opportunity is known without asking; one that could not be read is stale."""
    if state.opportunity is None:
        return SourceReading[OpportunityRef | None](as_of=today, value=None)
    if read is None:
        return None
    return SourceReading[OpportunityRef | None](
        as_of=today, value=OpportunityRef(id=state.opportunity, stage=read.stage)
    )
