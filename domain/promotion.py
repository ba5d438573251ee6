"""Letting a lifecycle act: a stage that only observed, or one in shadow. Each withheld step is settled once."""

from datetime import date
from typing import get_args

from domain import keys, outcomes
from domain.comparison import IN_ERP
from domain.messages import Promote, SetStages
from domain.policies.stages import POLICIES, STAGES, StageName, policy, policy_of, stage_of
from domain.refused import Refused
from domain.standins import ELSEWHERE, is_real
from domain.state import LifecycleState, Withheld
from domain.steps import Level, Step

NEEDS: dict[StageName, str] = {
    "billing": "subscription",
    "renewal": "subscription",
    "ending": "subscription",
    "onboarding": "company",
    "serving": "company",
}
"""What a stage that acts must know outside."""


def check_stages(state: LifecycleState, command: SetStages, *, performing: set[str]) -> None:
    """Raises Refused where a policy can't be had at this moment, or makes no sense. `performing`: keys of steps that
    are under way."""
    for name, chosen in command.stages.items():
        if name not in STAGES:
            raise Refused(f"there is no stage {name!r}; there are {', '.join(STAGES)}")
        if chosen not in POLICIES:
            raise Refused(f"a stage is {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, not {chosen!r}")
    if not command.stages:
        raise Refused("name a stage and its policy, such as onboarding=observe")
    changed = {name for name, chosen in command.stages.items() if state.stages.get(name, "act") != chosen}
    for step in (*state.queue, *state.doubts.values()):
        if stage_of(step) in changed and step.key in performing:
            raise Refused(f"this is being done at this moment: {outcomes.title(step)}; try again in a minute")
        if stage_of(step) in changed and (step.key in state.cases or step.key in state.doubts):
            raise Refused(f"nobody knows yet what became of it: {outcomes.title(step)}; settle that case first")
    after = state.model_copy(deep=True)
    set_stages(after, command)
    for stage in changed:
        if policy(_stage(stage), after.stages, state.mode) == "act":
            _check_known(after, _stage(stage))


def set_stages(state: LifecycleState, command: SetStages) -> None:
    """What was withheld since `since` is performed now, where its stage acts from now on; the rest stays withheld."""
    state.stages = {**state.stages, **command.stages}
    released(state, command.since, {}, ())


def check_promote(state: LifecycleState, command: Promote, today: date) -> None:
    """Raises Refused with every reason why a lifecycle in shadow can't be made live."""
    if state.mode != "shadow":
        raise Refused("the lifecycle is live already")
    if command.cut_over > today:
        raise Refused(f"the cut-over is on {command.cut_over}, and today is {today} in the contract's zone")
    if unknown := [key for key in (*command.perform, *command.leave) if key not in state.withheld]:
        raise Refused(f"{unknown[0]} is not withheld; `tenure import report` names what is")
    reasons = []
    for name, key in (("customer", state.customer_key), ("subscription", _key(state, "subscription"))):
        if not is_real(command.done.get(key) or state.effects.get(key)):
            reasons.append(f"the ERP's {name} is not known: import the contract again with existing.{name}")
    reasons += [
        f"{held.title} was due on {held.on}, before the cut-over, and the ERP does not have it: do it there, or say "
        f"--perform or --leave '{key}'"
        for key, held in state.withheld.items()
        if isinstance(held.step, IN_ERP) and _due(held, command) == "nobody"
    ]
    if reasons:
        raise Refused("; ".join(reasons))


def promote(state: LifecycleState, command: Promote) -> None:
    """From now on the lifecycle acts. What the old process did, or had to do, is recorded and never performed."""
    state.mode, state.cut_over = "live", command.cut_over
    for key, ref in command.done.items():
        if key not in state.withheld and not is_real(state.effects.get(key)):
            state.effects[key] = ref
    released(state, command.cut_over, command.done, command.perform, command.leave)


def released(
    state: LifecycleState,
    since: date | None,
    done: dict[str, str],
    perform: tuple[str, ...],
    leave: tuple[str, ...] = (),
) -> None:
    """Settle what is withheld and whose stage acts now: done by somebody else, left to them, or to be performed."""
    command = Promote(cut_over=since or date.max, by="", done=done, perform=perform, leave=leave)
    for key, held in list(state.withheld.items()):
        if held.settled or policy_of(held.step, state.stages, state.mode) != "act":
            continue
        if _is_level(held.step):
            state.told.pop(key, None)  # it is written as it is now
            del state.withheld[key]
            continue
        match _due(held, command):
            case "done":
                state.effects[key] = done[key]
                held.settled = f"done by the old process ({done[key]})"
            case "ours":
                del state.effects[key], state.withheld[key]
                state.queue.append(held.step)
            case _ if since is not None:
                state.effects[key] = ELSEWHERE
                held.settled = "left to the old process"


def _due(held: Withheld, command: Promote) -> str:
    """Whose a withheld step is: `done` there, `ours` to do, left by a person or by its day (`theirs`), or nobody's."""
    key = held.step.key
    if key in command.done:
        return "done"
    if key in command.perform:
        return "ours"
    if key in command.leave:
        return "theirs"
    return "ours" if held.on >= command.cut_over else "nobody"


def _is_level(step: Step) -> bool:
    return isinstance(step, get_args(Level))


def _check_known(state: LifecycleState, stage: StageName) -> None:
    if (name := NEEDS.get(stage)) is None:
        if any(stage_of(held.step) == stage and not held.settled for held in state.withheld.values()):
            raise Refused("the order was activated by somebody else meanwhile; import the contract instead")
        return
    key = _key(state, name)
    if key in state.effects and getattr(state, name) is None:
        raise Refused(f"{stage} can't act: the {name} outside is not known, since it was not made by Tenure")


def _key(state: LifecycleState, name: str) -> str:
    return state.company_key if name == "company" else keys.subscription(state.contract)


def _stage(name: str) -> StageName:
    return next(stage for stage in STAGES if stage == name)
