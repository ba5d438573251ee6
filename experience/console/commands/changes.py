"""Changes of a running contract: the same commands, previews and refusals as at the command line."""

from collections.abc import Callable

from domain.access import Permission
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Cancel,
    Change,
    ChangeContract,
    End,
    Extend,
    GiveNotice,
    Pause,
    Renew,
    Resume,
    Terminate,
    WithdrawNotice,
)
from domain.view import LifecycleView, Stage
from experience.console.commands.command import Command, Field, Given, Preview
from starter import changing
from starter.mistakes import Mistake
from starter.office import Office

OVER = (Stage.ENDED, Stage.CANCELLED)
REASON = Field("reason", "Why", required=True, hint="kept with the contract")
Fields = Callable[[LifecycleView], tuple[Field, ...]]


def _running(view: LifecycleView) -> bool:
    return view.term > 0 and view.stage not in OVER


def _staying(view: LifecycleView) -> bool:
    return _running(view) and view.stage is not Stage.ENDING


def _change(
    name: str,
    title: str,
    says: str,
    permission: Permission,
    fits: Callable[[LifecycleView], bool],
    fields: Fields,
    made: Callable[[Given], Change],
    *,
    dangerous: bool = False,
) -> Command:
    def command(given: Given) -> ChangeContract:
        return ChangeContract(id=given.id, by=given.by, change=made(given))

    async def preview(office: Office, given: Given) -> Preview:
        seen = await changing.foresee(office, given.life, command(given))
        return Preview((seen.message,), tuple(seen.differences), tuple(seen.effects), tuple(seen.dropped))

    async def act(office: Office, given: Given) -> str:
        return (await changing.make(office, given.life, command(given))).message

    return Command(name, title, says, permission, fits, fields, preview, act, dangerous)


def _quantities(view: LifecycleView) -> tuple[Field, ...]:
    lines = (
        Field(f"quantity.{line.id}", f"{line.product} (line {line.id})", "number", hint=f"{line.quantity} now")
        for line in view.lines
    )
    when = (("day", "on a day"), ("renewal", "with the next term"))
    return (
        *lines,
        Field("when", "From", "choice", choices=when, value="day"),
        Field("effective", "Day", "date", hint="today when empty; may be past"),
    )


def _amended(given: Given) -> Amend | AmendAtRenewal:
    asked = {line.id: given.text(f"quantity.{line.id}") for line in given.view.lines}
    changed = [f"{line}={said}" for line, said in asked.items() if said]
    if not changed:
        raise Mistake("no line gets another quantity: fill one in")
    quantities = changing.parse_quantities(changed)
    if given.text("when") == "renewal":
        return AmendAtRenewal(quantities=quantities)
    return Amend(quantities=quantities, effective=given.day("effective"))


def _extended(given: Given) -> Extend:
    given.needed("ends", "the day")
    ends = given.day("ends")
    if ends is None:
        raise Mistake("the day is needed")
    return Extend(ends=ends)


def _ended(given: Given) -> End | Terminate:
    reason, on = given.needed("reason", "a reason"), given.day("on")
    match given.text("ground"):
        case "cause":
            return Terminate(ground="cause", reason=reason, on=on)
        case "convenience":
            return Terminate(ground="convenience", reason=reason, on=on)
    return End(reason=reason, on=on)


_GROUNDS = (("", "we end it"), ("convenience", "the customer, for convenience"), ("cause", "for cause"))

CHANGES = (
    _change(
        "renew",
        "Renew",
        "The running term is followed by another.",
        Permission.RENEWAL_DECIDE,
        lambda view: _staying(view) and view.decision is None,
        lambda view: (
            Field("months", "Length of the next term in months", "number", hint="as the contract says, when empty"),
            *(() if view.stage is Stage.RENEWAL else (Field("starts", "Begins early, on", "date"),)),
        ),
        lambda given: Renew(
            early=given.view.stage is not Stage.RENEWAL, starts=given.day("starts"), months=given.whole("months")
        ),
    ),
    _change(
        "amend",
        "Change quantities",
        "Lines get another quantity, on a day or with the next term.",
        Permission.LIFECYCLE_CHANGE,
        _staying,
        _quantities,
        _amended,
    ),
    _change(
        "extend",
        "Extend the term",
        "The running term lasts longer; the terms after it are counted from its new end.",
        Permission.LIFECYCLE_CHANGE,
        lambda view: _staying(view) and view.term_ends is not None,
        lambda view: (Field("ends", "First day not served", "date", required=True, value=str(view.term_ends)),),
        _extended,
    ),
    _change(
        "notice",
        "Notice by the customer",
        "The contract ends with its term, or as soon as its notice allows.",
        Permission.RENEWAL_DECIDE,
        _staying,
        lambda view: (
            Field("received", "Received on", "date", hint="today when empty"),
            Field("reason", "Why", value="notice by the customer"),
        ),
        lambda given: GiveNotice(
            received_on=given.day("received"), reason=given.text("reason") or "notice by the customer"
        ),
        dangerous=True,
    ),
    _change(
        "withdraw",
        "Withdraw the end",
        "A notice, or another decided end, is taken back.",
        Permission.RENEWAL_DECIDE,
        lambda view: view.stage is Stage.ENDING,
        lambda view: (),
        lambda given: WithdrawNotice(),
    ),
    _change(
        "pause",
        "Pause",
        "Nothing is decided and no effect begun until it is resumed; events are still taken.",
        Permission.LIFECYCLE_CHANGE,
        lambda view: view.stage not in OVER and view.paused is None,
        lambda view: (REASON, Field("until", "Goes on by itself on", "date")),
        lambda given: Pause(reason=given.needed("reason", "a reason"), until=given.day("until")),
    ),
    _change(
        "resume",
        "Resume",
        "What fell due in the meantime is decided now.",
        Permission.LIFECYCLE_CHANGE,
        lambda view: view.paused is not None,
        lambda view: (),
        lambda given: Resume(),
    ),
    _change(
        "end",
        "End the contract",
        "It ends with its term, or on a day.",
        Permission.LIFECYCLE_END,
        _staying,
        lambda view: (
            REASON,
            Field("ground", "On whose account", "choice", choices=_GROUNDS),
            Field("on", "First day not served", "date", hint="the term's end when empty"),
        ),
        _ended,
        dangerous=True,
    ),
    _change(
        "cancel",
        "Cancel the order",
        "What was done for an order that is not activated yet is undone.",
        Permission.LIFECYCLE_END,
        lambda view: view.stage is Stage.ORDER_ACTIVATION,
        lambda view: (REASON,),
        lambda given: Cancel(reason=given.needed("reason", "a reason")),
        dangerous=True,
    ),
)
