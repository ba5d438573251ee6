"""What the outcome of a step does to the state: a done step records its fact, a failed one opens a case."""

from datetime import date, datetime, timedelta

from pydantic import ValidationError

from domain import keys, projection
from domain.changes.kinds import AtRenewal
from domain.changes.undoing import given_up
from domain.errors import ERRORS, AccountFenced, ConnectionFrozen, Internal
from domain.finance import approval, credit, purchasing
from domain.order import OrderVerdict, Reason
from domain.standins import BILLED_ELSEWHERE
from domain.state import LifecycleState, OpenCase
from domain.steps import (
    ActivateOrder,
    AmendSubscription,
    CreateCustomer,
    CreateRenewalOpportunity,
    CreateSubscription,
    LaunchOnboarding,
    Level,
    Performed,
    PostNote,
    RenewSubscription,
    SetCreditHold,
    SetHealth,
    StartBilling,
    StartPlaybook,
    Step,
    TakenOver,
    ValidateOrder,
    WriteStatus,
    fingerprint,
)
from domain.view import CaseView

ORDER_CASE = "order"
SIGNAL_CASE = "signal"
CANCEL_CASE = "cancel-requested"
DROPPED = "dropped"  # stands where the id of a record outside would
DOUBTFUL = "?"  # stands where what was last told would, while nobody knows whether it arrived
NOTICES = (SIGNAL_CASE, CANCEL_CASE, "refused-amendment:", "price-notice:", purchasing.CHANGED_CASE)
"""What the ids of cases without a step begin with: a person reads them, and puts them away."""

FOR_THE_LIVING = (LaunchOnboarding, StartPlaybook, PostNote, CreateRenewalOpportunity)

# failures after which it is certain that the outside system holds nothing of the step
NOTHING_DONE = {"INVALID_INPUT", "REJECTED", "PERIOD_CLOSED", "NOT_FOUND", "ALREADY_EXISTS", "AUTH"}

TITLES = {
    "crm.validate_order": "check the order",
    "crm.create_renewal_opportunity": "create the renewal opportunity in the CRM",
    "crm.write_status": "show the contract's status on the CRM's deal",
    "erp.set_credit_hold": "set or lift the customer's credit hold in the ERP",
    "erp.create_customer": "create the customer in the ERP",
    "erp.create_subscription": "create the subscription in the ERP",
    "erp.activate_order": "activate the order in the ERP",
    "erp.start_billing": "start billing of line {line}",
    "erp.amend_subscription": "amend the subscription",
    "erp.change_term": "move the end of the running term to {ends}",
    "erp.renew_subscription": "renew the subscription into term {term}",
    "erp.end_subscription": "end the subscription on {ends}",
    "erp.cancel_subscription": "cancel the subscription in the ERP",
    "cs.ensure_company": "make the company known in CS",
    "cs.launch_onboarding": "launch onboarding in CS",
    "cs.start_playbook": "start the renewal playbook in CS",
    "cs.post_note": "tell the CSM about the renewal's readiness",
    "cs.set_health": "show risk and renewal priority in CS",
}


def title(step: Step) -> str:
    """What a step does, in words that an ops person reads in the Temporal UI."""
    said = {name: "no end" if value is None else value for name, value in step.model_dump().items()}
    return TITLES[step.do].format_map(said)


def done(state: LifecycleState, step: Step, performed: Performed, now: datetime) -> None:
    """Record what a step's success means, and settle its case."""
    state.queue = [queued for queued in state.queue if queued.key != step.key]
    state.cases.pop(step.key, None)
    match step:
        case ValidateOrder():
            if (
                state.cancelled is None
                and performed.verdict is not None
                and performed.verdict.revision == state.order_revision
            ):
                judged(state, performed.verdict, now)
            return
        case SetHealth():
            state.risk = performed.risk
            state.told[step.key] = fingerprint(step)
            return
        case WriteStatus() | SetCreditHold():
            state.told[step.key] = fingerprint(step)
            return
        case ActivateOrder() if step.key == keys.activation(state.contract):
            state.activated_on = performed.on or step.on
            state.quantities = {line.id: line.quantity for line in state.known.lines}
        case RenewSubscription():
            state.renewed_as = performed.subscription or state.renewed_as
        case StartBilling():
            state.billing.setdefault(step.line, performed.on or step.starts)
        case AmendSubscription() if step.key in state.won:
            state.won[step.key].on = step.effective  # a closed period may have dated it anew
    state.effects[step.key] = performed.id


def failed(state: LifecycleState, step: Step, kind: str, message: str, now: datetime, delay: timedelta) -> None:
    """Open or renew the step's case. A doubt leaves the lane to the others and waits for a person."""
    if state.cancelled is not None and isinstance(step, CreateSubscription) and kind in NOTHING_DONE:
        state.queue = [queued for queued in state.queue if queued.key != step.key]
        state.cases.pop(step.key, None)
    if not isinstance(step, Level) and all(queued.key != step.key for queued in state.queue):
        return  # dropped while it was under way: nobody waits for it
    if isinstance(step, SetCreditHold) and kind not in NOTHING_DONE:
        state.told.setdefault(step.key, DOUBTFUL)
    error = ERRORS.get(kind, Internal)
    former = state.cases.get(step.key)
    held = error in (ConnectionFrozen, AccountFenced)
    tries = former.failures if former else 0
    doubtful = kind == "IN_DOUBT"
    mistaken = _mistaken(step, kind)
    state.cases[step.key] = OpenCase(
        view=CaseView(
            id=step.key,
            kind=kind.lower(),
            title=f"could not {title(step)}",
            reasons=[message],
            opened_at=former.view.opened_at if former else now,
            actor=error.actor if error.actor != "nobody" else "ops",
            mend=_mend(state, step, kind, mistaken=mistaken),
            connection=state.connection(step.system),
        ),
        failures=tries if held else tries + 1,
        retry_at=None if doubtful or mistaken else now + delay,
    )
    if not error.retried and not doubtful and not held:
        next_generation(state, step.key)  # what was refused for good is a new try in the ledger
    if doubtful:
        state.queue = [queued for queued in state.queue if queued.key != step.key]
        state.doubts[step.key] = step


def _mistaken(step: Step, kind: str) -> bool:
    """Whether the id that a person gave is none: then the person is asked again, whatever time passes."""
    if not isinstance(step, TakenOver) or step.done_as is None or kind != "NOT_FOUND":
        return False
    step.done_as = None
    return True


def _mend(state: LifecycleState, step: Step, kind: str, *, mistaken: bool) -> str:
    retry = f"tenure fix {state.contract} --retry '{step.key}'"
    if kind == ConnectionFrozen.kind:
        thaw = f"tenure thaw {state.connection(step.system)}"
        return (
            f"{thaw} (or tenure thaw, where everything is frozen), once the reason is gone; it then goes on by itself"
        )
    if kind == AccountFenced.kind:
        return f"nothing: it goes on by itself; tenure accounts list shows what moves, {retry} tries it now"
    if mistaken:
        return f"{retry} --done-as ID (with the right one) or {retry} (without one, it is looked for again)"
    if kind == "PERIOD_CLOSED":
        return f"{retry} --on DATE (a day that is open), or {retry} once the period is open again"
    if kind != "IN_DOUBT":
        return retry
    if isinstance(step, CreateCustomer):
        return f"{retry} --done-as ID (take that customer) or {retry} (it is none of them: make a new one)"
    return f"{retry} --done-as ID (it happened) or {retry} (it did not)"


def retried(state: LifecycleState, case_id: str, done_as: str | None, now: datetime, *, recorded: bool = False) -> None:
    """A person moved a case on: the step is tried now, or taken as done outside under `done_as`.

    `recorded`: what others may share, or hear of by its id, is taken over by the step itself, which tells the ledger.
    """
    case = state.cases[case_id]
    if case_id.startswith(NOTICES):
        del state.cases[case_id]
        return
    step, doubt = find_step(state, case_id), state.doubts.pop(case_id, None)
    if recorded and isinstance(step, TakenOver):
        step.done_as = done_as or step.done_as  # what a person said outlasts a retry that only says "now"
    elif done_as is not None and step is not None:
        done(state, step, Performed(id=done_as), now)
        return
    case.retry_at = now
    if doubt is not None:
        if isinstance(doubt, CreateCustomer):
            doubt.anew = done_as is None
        next_generation(state, case_id)
        state.queue.append(doubt)


def dropped(state: LifecycleState, case_id: str, now: datetime) -> None:
    """A person gives a step up: what was decided with it is taken back, and it is never asked again."""
    step = find_step(state, case_id)
    state.queue = [queued for queued in state.queue if queued.key != case_id]
    state.doubts.pop(case_id, None)
    del state.cases[case_id]
    if isinstance(step, AmendSubscription):
        amendment_dropped(state, step)
        state.won.pop(step.key, None)
    if step is not None:
        given_up(state, step)
        state.effects[case_id] = DROPPED
        _bill_no_more(state)
    for level in projection.levels(state, now):
        if level.key == case_id:  # as if it were told, until there is something else to tell
            state.told[case_id] = fingerprint(level)


def amendment_dropped(state: LifecycleState, step: AmendSubscription) -> None:
    """The quantities are what they were. A later amendment keeps its target, and has what was before to go back to."""
    if state.decision is not None and step.key == keys.renewal_amendment(state.contract, state.term + 1):
        # the next term has not begun: nothing has changed yet
        state.decision.quantities, state.at_renewal = {}, AtRenewal()
        return
    waiting = [each for each in (*state.queue, *state.doubts.values()) if isinstance(each, AmendSubscription)]
    for line, quantity in step.former.items():
        later = next((each for each in waiting if each.former.get(line) == step.quantities[line]), None)
        if later is not None:
            later.former[line] = quantity
        elif state.quantities[line] == step.quantities[line]:
            state.quantities[line] = quantity


def _bill_no_more(state: LifecycleState) -> None:
    """Lines that the contract does not get after all are not billed."""
    for step in [each for each in state.queue if isinstance(each, StartBilling) and state.line(each.line) is None]:
        state.queue.remove(step)
        state.cases.pop(step.key, None)
        state.effects[step.key] = DROPPED


def find_step(state: LifecycleState, key: str) -> Step | None:
    """A step that is queued or in doubt; None for a level, which is never queued."""
    return state.doubts.get(key) or next((queued for queued in state.queue if queued.key == key), None)


def settle_levels(state: LifecycleState, now: datetime) -> None:
    """Close the case of a level that could not be told, and then went back to what was told before."""
    for level in projection.levels(state, now):
        if level.key in state.cases and state.told.get(level.key) == fingerprint(level):
            del state.cases[level.key]


def next_generation(state: LifecycleState, key: str) -> None:
    state.generations[key] = state.generations.get(key, 1) + 1


def revised(state: LifecycleState, revision: int) -> None:
    """Nothing goes on until the new revision is judged; what an earlier one asked for is dropped."""
    state.order_revision, state.sheet = revision, None
    approval.withdrawn(state)
    for step in [each for each in state.queue if isinstance(each, ValidateOrder | CreateCustomer | CreateSubscription)]:
        state.queue.remove(step)
        state.cases.pop(step.key, None)
    for key in [key for key, step in state.doubts.items() if isinstance(step, CreateCustomer)]:
        del state.doubts[key]  # it is asked again, perhaps with the tax id that was missing; the ledger has its doubt
        state.cases.pop(key, None)


def judged(state: LifecycleState, verdict: OrderVerdict, now: datetime) -> None:
    """A verdict on the current revision: every reason in one case, or a sheet that the activation goes on with."""
    if verdict.sheet is not None and (elsewhere := _goes_elsewhere(state, verdict)):
        verdict = OrderVerdict(revision=verdict.revision, reasons=(elsewhere,))
    state.reasons, state.sheet = verdict.reasons, verdict.sheet
    if verdict.sheet is None:
        fixes = " ".join(f"--set {reason.path}=…" for reason in verdict.reasons)
        state.cases[ORDER_CASE] = OpenCase(
            view=CaseView(
                id=ORDER_CASE,
                kind="invalid_order",
                title="the order can't be activated as it is",
                reasons=[f"{reason.path}: {reason.message}" for reason in verdict.reasons],
                opened_at=now,
                mend=f"tenure fix {state.contract} {fixes}",
            )
        )
        return
    state.connections, state.scopes = verdict.connections, verdict.scopes
    state.stages = {**verdict.stages, **state.stages}  # what a person chose for this one stays
    state.cases.pop(ORDER_CASE, None)
    approval.asked(state, verdict.approval, now)
    purchasing.ordered(state, verdict)
    if state.billed_elsewhere:  # told before anybody knew whose business it is
        state.delinquent, state.overdue_since, state.long_overdue = (), None, False
        credit.overdue(state, ())


def _goes_elsewhere(state: LifecycleState, verdict: OrderVerdict) -> Reason | None:
    """Why a corrected order can't go to another ERP any more: the customer would be left behind in the first one."""
    was, now = state.scopes.get("erp"), verdict.scopes.get("erp")
    if was == now or not any(key.startswith(keys.customer(state.account, "")) for key in state.effects):
        return None
    message = (
        f"The order would go to {verdict.connections.get('erp', 'erp')} now, and its customer is in "
        f"{state.connection('erp')} already: take the change back, or cancel the order and win a new deal for it."
    )
    return Reason(path="selling_entity", message=message)


def cancelled(state: LifecycleState, reason: str) -> None:
    """Nothing more is begun for this order; what was done is undone by the workflow.

    A subscription that is being made, or may have been, is settled first: only what is known can be undone.
    """

    def unsettled(step: Step) -> bool:
        case = state.cases.get(step.key)
        return isinstance(step, CreateSubscription) and (case is None or case.view.kind.upper() not in NOTHING_DONE)

    state.cancelled = reason
    state.queue = [step for step in state.queue if unsettled(step)]
    state.doubts = {key: step for key, step in state.doubts.items() if unsettled(step)}
    state.cases = {
        step.key: state.cases[step.key] for step in (*state.queue, *state.doubts.values()) if step.key in state.cases
    }
    for step in state.queue:
        if step.key in state.cases:
            state.cases[step.key].retry_at = state.cases[step.key].view.opened_at  # at once


def ended(state: LifecycleState, on: date | None, today: date, reason: str) -> None:
    """The contract ends on a day, or with its term; never in the past. A renewal that the ERP refused is given up."""
    term, renewal = state.term_now(), keys.renewal(state.contract, state.term + 1)
    state.queue = [step for step in state.queue if step.key != renewal]
    state.cases.pop(renewal, None)
    state.decision = None
    state.ends_on = max(on or (term.ends if term and term.ends else today), today)
    state.end_reason = reason


def billed_elsewhere(state: LifecycleState, line: str, starts: date) -> None:
    """A reseller bills the line: from when on is a fact, and nothing is asked of the ERP."""
    state.billing[line] = starts
    state.effects[keys.billing_start(state.contract, line, 1)] = BILLED_ELSEWHERE


def closed(state: LifecycleState) -> None:
    """The contract is over: what was to serve or renew it, and has not been done, is given up."""
    state.closed = True
    for step in [each for each in state.queue if isinstance(each, FOR_THE_LIVING)]:
        state.queue.remove(step)
        state.cases.pop(step.key, None)
        state.effects[step.key] = DROPPED


def unusable_signal(state: LifecycleState, error: ValueError, now: datetime) -> None:
    """A signal that can't be used is seen by people; the next one like it renews the same case."""
    what = error.errors(include_input=False) if isinstance(error, ValidationError) else [{"msg": str(error)}]
    state.cases[SIGNAL_CASE] = OpenCase(
        view=CaseView(
            id=SIGNAL_CASE,
            kind="unusable_signal",
            title="a signal could not be used",
            reasons=[str(problem["msg"]) for problem in what],
            opened_at=now,
            actor="engineer",
            mend=f"tenure fix {state.contract} --retry {SIGNAL_CASE}   # after sending it once more, corrected",
        )
    )


def amendment_refused(state: LifecycleState, deal: str, reason: str, now: datetime) -> None:
    """An upsell that was won early can't be applied to the order that was activated."""
    case = f"refused-amendment:{deal}"
    state.cases[case] = OpenCase(
        view=CaseView(
            id=case,
            kind="refused_amendment",
            title=f"the upsell {deal} could not be applied",
            reasons=[reason],
            opened_at=now,
            mend=f"settle the reason in the CRM; tenure fix {state.contract} --retry {case} puts this away",
        )
    )


def cancel_requested(state: LifecycleState, now: datetime) -> None:
    """Somebody asked Temporal to cancel the workflow. It lives on: a contract is ended by a command, with a reason."""
    state.cases[CANCEL_CASE] = OpenCase(
        view=CaseView(
            id=CANCEL_CASE,
            kind="cancel_requested",
            title="somebody asked Temporal to cancel this lifecycle; it goes on",
            opened_at=now,
            mend=f"tenure cancel or tenure end {state.contract} --reason …; else tenure fix {state.contract} "
            f"--retry {CANCEL_CASE} puts this away",
        )
    )
