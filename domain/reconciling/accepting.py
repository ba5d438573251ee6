"""Taking over what the outside holds: the lifecycle goes on from there, and nothing is performed for it."""

from datetime import date
from typing import Literal

from domain import keys
from domain.reconciling.ground import Ground, Unrepairable
from domain.reconciling.mends import Adopt, Amended, Close, Mend, Tell
from domain.reconciling.taking import DoneOutside, TakeOver
from domain.steps import EndSubscription, RenewSubscription, StartBilling, Step


def accept(g: Ground) -> list[Mend]:
    said = g.difference
    if said.kind == "run_orphaned":
        return [Adopt(workflow=said.subject)]
    e = g.contract
    it = e.subscription or ""
    match said.kind:
        case "run_missing" | "run_over":
            return [Close(contract=e.contract)]
        case "erp_quantity" | "erp_amendment_missing":
            change = {"kind": "amend", "quantities": {said.subject: said.theirs}}
            return [Amended(contract=e.contract, change=change)]
        case "erp_term_end":
            later = date.fromisoformat(said.theirs) if said.theirs else None
            if later is None or e.ends is None or later < e.ends:
                raise Unrepairable("a term that ends earlier is not taken over; end the contract, or re-drive it")
            return [Amended(contract=e.contract, change={"kind": "extend", "ends": said.theirs})]
        case "erp_billed_unasked":
            on = date.fromisoformat(said.theirs)
            key = keys.billing_start(e.leg, said.subject, 1)
            step: Step = StartBilling(key=key, subscription=it, line=said.subject, starts=on, accepted_on=on)
            return [_tell(g, step, on)]
        case "erp_renewed_unasked":
            key, ends = keys.renewal(e.contract, e.term + 1), date.fromisoformat(said.theirs) if said.theirs else None
            step = RenewSubscription(key=key, subscription=it, term=e.term + 1, starts=e.ends or g.today, ends=ends)
            return [_tell(g, step, decision="renew")]
        case "erp_cancelled" | "erp_ended":
            step = EndSubscription(key=keys.ending(e.leg), subscription=it, ends=g.today, reason=g.reason)
            return [_tell(g, step, ends_on=g.today)]
        case "crm_decided_unasked":
            outcome: Literal["renew", "end"] = "renew" if said.theirs == "won" else "end"
            return [Tell(contract=e.contract, command=TakeOver(by=g.by, reason=g.reason, decision=outcome))]
    raise Unrepairable("what the outside has can't be taken over")


def _tell(
    g: Ground,
    step: Step,
    on: date | None = None,
    *,
    decision: Literal["renew", "end"] | None = None,
    ends_on: date | None = None,
) -> Mend:
    it = g.contract.subscription or ""
    done = [DoneOutside(step=step, id=it, on=on)]
    command = TakeOver(by=g.by, reason=g.reason, done=done, decision=decision, ends_on=ends_on)
    return Tell(contract=g.contract.contract, command=command, entries={step.key: it})
