"""What is done about an order that is wrong, and about what happened outside: a correction, a milestone."""

from datetime import date
from typing import Any

from domain import reactions
from domain.access import Permission
from domain.changes.expected import expected
from domain.commands import check_fix
from domain.document import apply_fixes
from domain.messages import FixOrder, MilestoneReached
from domain.outcomes import ORDER_CASE
from domain.policies.validation import verdict
from domain.refused import Refused
from domain.view import LifecycleView, Stage
from experience.console.commands.command import TODAY, Command, Field, Given, Preview
from starter.changing import parse_assignment
from starter.mistakes import Mistake, Refusal
from starter.office import Office
from store.orders import SqlOrders

OVER = (Stage.ENDED, Stage.CANCELLED)
SUGGESTED = 8


def _wrong(view: LifecycleView) -> list[str]:
    """The paths that the order's check has found wrong, in its own order."""
    reasons = [reason for case in view.cases if case.id == ORDER_CASE for reason in case.reasons]
    return list(dict.fromkeys(reason.partition(":")[0] for reason in reasons if ":" in reason))


def _fix_fields(view: LifecycleView) -> tuple[Field, ...]:
    reasons = {path: text for case in view.cases for path, _, text in (each.partition(": ") for each in case.reasons)}
    suggested = (Field(f"set.{path}", path, hint=reasons.get(path, "")) for path in _wrong(view)[:SUGGESTED])
    how = "one a line, as ship_to.address.postal_code=94105; nothing after the = takes a field away"
    return (*suggested, Field("more", "Other fields", "lines", hint=how))


def _fixes(given: Given) -> dict[str, Any]:
    """Every field that was filled in. Raises Mistake when none was."""
    named = {
        name.removeprefix("set."): said.strip()
        for name, said in given.answers.items()
        if name.startswith("set.") and said.strip()
    }
    fixes: dict[str, Any] = {**named, **dict(map(parse_assignment, given.lines("more")))}
    if not fixes:
        raise Mistake("nothing is corrected yet: fill in a field")
    return fixes


async def _preview_fix(office: Office, given: Given) -> Preview:
    """The order's check, as the lifecycle will make it, on the corrected document. Nothing is kept."""
    orders = await SqlOrders(office.database).revisions(given.life.contract)
    newest = orders[-1]
    try:
        document = apply_fixes(newest.document, _fixes(given))
        check_fix(await office.state(given.life), FixOrder(revision=newest.revision + 1, by=given.by))
    except ValueError as error:
        raise Mistake(str(error)) from None
    except Refused as refused:
        raise Refusal(str(refused)) from None
    # whether a parent is known only the CRM can say: it is asked when the correction is made
    judged = verdict(document, office.company, newest.revision + 1, parent_known=True)
    if judged.reasons:
        return Preview(("still wrong:", *(f"{reason.path}: {reason.message}" for reason in judged.reasons)))
    return Preview(("the order is valid then, and goes on",))


async def _fix(office: Office, given: Given) -> str:
    return (await office.fix_and_wait(given.life, _fixes(given), given.by)).message


def _reached(office: Office, given: Given) -> tuple[str, date]:
    name = given.needed("milestone", "the milestone")
    if name not in office.company.milestones:
        raise Mistake(f"unknown milestone {name!r}; the plan has {', '.join(sorted(office.company.milestones))}")
    on = given.day("on")
    if on is None:
        raise Mistake("the day on which it was reached is needed")
    return name, on


async def _preview_milestone(office: Office, given: Given) -> Preview:
    """What the lifecycle would make of it, tried on a copy of its state."""
    (name, on), state = _reached(office, given), await office.state(given.life)
    after = state.model_copy(deep=True)
    try:
        reactions.react(after, MilestoneReached(milestone=name, on=on), on)
    except Refused as refused:
        raise Refusal(str(refused)) from None
    coming, then = expected(state, on), expected(after, on)
    words = [f"{name} is reached on {on}"]
    for line in after.known.lines:
        starts = after.line_starts(line, on) if line.id not in after.billing else None
        if starts and not state.line_starts(line, on):
            words.append(f"billing of {line.product} (line {line.id}) starts on {starts}")
    return Preview(
        tuple(words),
        effects=tuple(each for each in then if each not in coming),
        dropped=tuple(each for each in coming if each not in then),
    )


async def _report_milestone(office: Office, given: Given) -> str:
    name, on = _reached(office, given)
    data = {"contract": given.life.contract, "milestone": name, "completed_on": on.isoformat()}
    sent = await office.send("tenure.milestone.completed.v1", data, event_id=f"console:{given.id}")
    outcome = await office.outcome(sent)
    if outcome.unused:
        raise Refusal(outcome.reason or "; ".join(outcome.answers.values()))
    return f"{name} is reported as reached on {on}"


def _milestone_fields(view: LifecycleView) -> tuple[Field, ...]:
    return (
        Field("milestone", "Milestone", required=True, hint="such as go-live"),
        Field("on", "Reached on", "date", required=True, value=TODAY),
    )


ORDERS = (
    Command(
        "fix",
        "Correct the order",
        "A corrected revision of the order is checked, and the activation goes on from where it stood.",
        Permission.LIFECYCLE_FIX,
        lambda view: view.stage is Stage.ORDER_ACTIVATION,
        _fix_fields,
        _preview_fix,
        _fix,
    ),
    Command(
        "milestone",
        "Report a milestone",
        "Something that the contract waits for was reached, such as its go-live.",
        Permission.MILESTONE_REPORT,
        lambda view: view.term > 0 and view.stage not in OVER,
        _milestone_fields,
        _preview_milestone,
        _report_milestone,
    ),
)
