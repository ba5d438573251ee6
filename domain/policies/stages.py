"""Stages as policy: which stage a step belongs to, and whether that stage acts, only observes, or is off."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from domain.steps import Step

StageName = Literal["activation", "onboarding", "billing", "serving", "renewal", "ending"]
Policy = Literal["off", "observe", "act"]

STAGES: tuple[StageName, ...] = ("activation", "onboarding", "billing", "serving", "renewal", "ending")
POLICIES: tuple[Policy, ...] = ("off", "observe", "act")

STAGE_OF: dict[str, StageName] = {
    "crm.create_renewal_opportunity": "renewal",
    "erp.create_customer": "activation",
    "erp.create_subscription": "activation",
    "erp.activate_order": "activation",
    "erp.cancel_subscription": "activation",
    "erp.start_billing": "billing",
    "erp.amend_subscription": "serving",
    "erp.change_term": "serving",
    "erp.set_credit_hold": "serving",
    "erp.renew_subscription": "renewal",
    "erp.end_subscription": "ending",
    "cs.ensure_company": "onboarding",
    "cs.launch_onboarding": "onboarding",
    "cs.start_playbook": "renewal",
    "cs.post_note": "renewal",
    "cs.set_health": "serving",
}
STAGE_OF_STATUS: dict[str, StageName] = {"renewed": "renewal", "ending": "ending", "ended": "ending"}
"""By what `crm.write_status` tells; any other status is the activation's."""

READS = frozenset({"crm.validate_order"})
"""What changes nothing outside belongs to no stage, and is always done."""


def stage_of(step: "Step") -> StageName | None:
    """None: the step only reads."""
    if step.do in READS:
        return None
    if step.do == "crm.write_status":
        return STAGE_OF_STATUS.get(step.status, "activation")
    if step.do == "erp.amend_subscription" and step.key.rpartition(":")[2].startswith("renewal-"):
        return "renewal"
    return STAGE_OF[step.do]


def policy_of(step: "Step", stages: dict[str, str], mode: str) -> Policy:
    """What is to be done with a step: in shadow nothing acts."""
    stage = stage_of(step)
    if stage is None:
        return "act"
    return policy(stage, stages, mode)


def policy(stage: StageName, stages: dict[str, str], mode: str) -> Policy:
    chosen: Policy = next((each for each in POLICIES if each == stages.get(stage)), "act")
    return "observe" if mode == "shadow" and chosen == "act" else chosen
