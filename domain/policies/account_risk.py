"""What the risks of several contracts amount to for the customer: one account risk, which customer success is shown."""

from collections.abc import Mapping

from domain.policies.risk import Level, Priority, Risk
from domain.ports import Health
from domain.view import Stage

LEVELS: tuple[Level, ...] = ("low", "medium", "high")
PRIORITIES: tuple[Priority, ...] = ("normal", "raised", "urgent")
STAGES = tuple(
    stage.value
    for stage in (
        *(Stage.OUT_OF_TERM, Stage.RENEWAL, Stage.ENDING, Stage.ORDER_ACTIVATION, Stage.ONBOARDING),
        *(Stage.BILLING_ACTIVATION, Stage.SERVING, Stage.ENDED, Stage.CANCELLED),
    )
)
"""What of several contracts a CSM has to know first."""

OVER = (Stage.ENDED.value, Stage.CANCELLED.value)


def health_of(risk: Risk, company: str, stage: str) -> Health:
    """What one contract's risk says of its company."""
    return Health(
        company=company,
        risk=risk.level,
        renewal_priority=risk.renewal_priority,
        lifecycle_stage=stage,
        reasons=risk.reasons,
    )


def roll_up(contracts: Mapping[str, Health]) -> Health:
    """The worst risk, the highest priority, the stage that matters most and every reason once, of the contracts that
    live; of all, when none does.

    What is a fact of the account, such as a support case, reads the same for each contract, so that it is one news.
    """
    if not contracts:
        raise ValueError("a customer without contracts has no risk")
    by_name = [contracts[name] for name in sorted(contracts)]
    counting = [health for health in by_name if health.lifecycle_stage not in OVER] or by_name
    return Health(
        company=counting[0].company,
        risk=max((health.risk for health in counting), key=LEVELS.index),
        renewal_priority=max((health.renewal_priority for health in counting), key=PRIORITIES.index),
        lifecycle_stage=min((health.lifecycle_stage for health in counting), key=STAGES.index),
        reasons=tuple(dict.fromkeys(reason for health in counting for reason in health.reasons)),
    )
