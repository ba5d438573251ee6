"""A contract that goes from one account to another, and back: its keys, its steps and its cases follow."""

from collections.abc import Callable

from domain import keys
from domain.messages import MoveAccount
from domain.refused import Refused
from domain.state import LifecycleState, Moved
from domain.steps import (
    CreateCustomer,
    CreateRenewalOpportunity,
    CreateSubscription,
    EnsureCompany,
    LaunchOnboarding,
    PostNote,
    StartPlaybook,
    Step,
)

OF_COMPANY = (LaunchOnboarding, StartPlaybook, PostNote)


def move(state: LifecycleState, command: MoveAccount) -> None:
    """Belong to the account `into`. Again, it changes nothing.

    A contract that has a subscription keeps its customer: it is billed there. What is still to be made goes to the
    customer and the company that `into` has.
    """
    if state.account != command.account:
        return

    def new(key: str) -> str:
        return keys.rekeyed(key, command.account, command.into)

    former = {key: id for key, id in state.effects.items() if new(key) != key}
    effects = {key: id for key, id in state.effects.items() if key not in former}
    if command.back:
        effects |= state.account_moves.pop().effects
    else:
        state.account_moves.append(Moved(id=command.move, account=command.account, into=command.into, effects=former))
        effects |= {new(key): _follows(state, command, new(key), id) for key, id in former.items()}
    _rename(state, new)
    asked = {
        step.key for step in (*state.queue, *state.doubts.values()) if isinstance(step, CreateCustomer | EnsureCompany)
    }
    for key in asked & command.known.keys():
        effects[key] = command.known[key]
        _settle(state, key)
    state.effects, state.account = effects, command.into
    if state.sheet is not None:
        state.sheet = state.sheet.model_copy(update={"account": command.into})
    state.queue = [step if step.key in command.sent else _redirected(state, step) for step in state.queue]


def check_back(state: LifecycleState, account: str, into: str) -> None:
    """Raises Refused when the way back is closed: the contract has taken what it can't give back."""
    if state.account != account or not state.account_moves:
        return  # it has not come, or is back already
    last = state.account_moves[-1]
    if (last.account, last.into) != (into, account):
        raise Refused(f"{state.contract} has come from {last.account}")
    for key, id in state.effects.items():
        was = keys.rekeyed(key, account, into)
        if was != key and was not in last.effects:
            raise Refused(f"{state.contract} has taken {id} of {account} for its {was.partition(':')[0]} since")


def _follows(state: LifecycleState, command: MoveAccount, key: str, id: str) -> str:
    """What stands under a key of the new account: of two customers that of the subscription, if there is one."""
    billed = state.subscription is not None or keys.subscription(state.contract) in command.sent
    return id if key.startswith("customer:") and billed else command.known.get(key, id)


def _rename(state: LifecycleState, new: Callable[[str], str]) -> None:
    """Under way, a step keeps its old key: nobody waits for it any more, and it is asked anew under the new one."""
    state.queue = [_named(step, new) for step in state.queue]
    state.doubts = {new(key): _named(step, new) for key, step in state.doubts.items()}
    state.generations = {new(key): generation for key, generation in state.generations.items()}
    for key in [key for key in state.cases if new(key) != key]:
        case = state.cases.pop(key)
        case.view = case.view.model_copy(update={"id": new(key), "mend": case.view.mend.replace(key, new(key))})
        state.cases[new(key)] = case


def _named(step: Step, new: Callable[[str], str]) -> Step:
    return step if new(step.key) == step.key else step.model_copy(update={"key": new(step.key)})


def _settle(state: LifecycleState, key: str) -> None:
    state.queue = [step for step in state.queue if step.key != key]
    state.doubts.pop(key, None)
    state.cases.pop(key, None)


def _redirected(state: LifecycleState, step: Step) -> Step:
    """A step that was not sent is asked of what the contract has now."""
    update: dict[str, str | None] = {}
    if isinstance(step, CreateCustomer | EnsureCompany):
        update = {"account": state.account if state.account_moves else None}
    elif isinstance(step, CreateRenewalOpportunity):
        update = {"account": state.account}
    elif isinstance(step, CreateSubscription) and state.customer is not None:
        update = {"customer": state.customer}
    elif isinstance(step, OF_COMPANY) and state.company is not None:
        update = {"company": state.company}
    return step.model_copy(update=update) if update else step
