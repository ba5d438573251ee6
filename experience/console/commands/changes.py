"""Changes of a running contract: the same commands, previews and refusals as at the command line."""

from collections.abc import Callable

from domain.access import Permission
from domain.changes.kinds import Cancel, End, Extend, GiveNotice, Pause, Renew, Resume, Terminate, Undo, WithdrawNotice
from domain.view import LifecycleView, Stage
from experience.console.commands.command import Command, Field, Given, Preview
from starter import asking, changing
from starter.asking import ChangeLines, ChangeLinesAtRenewal, MoveTo, TermWith, Wish
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
    made: Callable[[Given], Wish],
    *,
    dangerous: bool = False,
) -> Command:
    async def preview(office: Office, given: Given) -> Preview:
        seen = await asking.preview(office, given.landscape, given.life, made(given), given.by)
        return Preview((seen.message,), tuple(seen.differences), tuple(seen.effects), tuple(seen.dropped))

    async def act(office: Office, given: Given) -> str:
        answer = await asking.make(office, given.landscape, given.life, made(given), given.by, given.id)
        return f"{answer.message} (to take it back, undo {given.id})"

    return Command(name, title, says, permission, fits, fields, preview, act, dangerous)


def _line_fields(view: LifecycleView) -> tuple[Field, ...]:
    lines = (
        Field(f"quantity.{line.id}", f"{line.product} (line {line.id})", "number", hint=f"{line.quantity} now")
        for line in view.lines
    )
    when = (("day", "on a day"), ("renewal", "with the next term"))
    return (
        *lines,
        Field("add", "New lines", "lines", hint="one a line, as product=ANALYTICS,quantity=10,unit_price=20"),
        Field("remove", "Lines that go", hint="their numbers or products, with blanks; with a new line: a swap"),
        Field("when", "From", "choice", choices=when, value="day"),
        Field("effective", "Day", "date", hint="today when empty; may be past"),
    )


def _amended(given: Given) -> Wish:
    asked = {line.id: given.text(f"quantity.{line.id}") for line in given.view.lines}
    quantities = changing.parse_quantities([f"{line}={said}" for line, said in asked.items() if said])
    add, remove = [changing.parse_line(line) for line in given.lines("add")], given.text("remove").split()
    if not (quantities or add or remove):
        raise Mistake("no line changes: give a quantity, a new line, or one that goes")
    if given.text("when") == "renewal":
        return ChangeLinesAtRenewal(quantities=quantities, add=add, remove=remove)
    return ChangeLines(quantities=quantities, add=add, remove=remove, effective=given.day("effective"))


def _moved(given: Given) -> MoveTo:
    return MoveTo(
        selling_entity=given.needed("entity", "the legal entity"),
        currency=given.needed("currency", "the currency"),
        on=given.day("on"),
        fixes=dict(changing.parse_assignment(line) for line in given.lines("fixes")),
    )


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
        "Change lines",
        "Lines get another quantity, come, go or are swapped, on a day or with the next term.",
        Permission.LIFECYCLE_CHANGE,
        _staying,
        _line_fields,
        _amended,
    ),
    _change(
        "co-term",
        "Co-term",
        "The running term ends with another contract's.",
        Permission.LIFECYCLE_CHANGE,
        lambda view: _staying(view) and view.term_ends is not None,
        lambda view: (Field("other", "Contract whose term's end is taken over", required=True),),
        lambda given: TermWith(other=given.needed("other", "the other contract")),
    ),
    _change(
        "move",
        "Move to another company or currency",
        "From a day on another legal entity sells, or another currency is paid in: the subscription ends here, and "
        "begins there.",
        Permission.LIFECYCLE_CHANGE,
        _staying,
        lambda view: (
            Field("entity", "Legal entity that sells from then on", required=True, value=view.selling_entity),
            Field("currency", "Currency that is paid in from then on", required=True, hint="such as EUR"),
            Field("on", "First day there", "date", hint="today when empty"),
            Field(
                "fixes", "What is other in the order of there", "lines", hint="one a line, as lines[0].unit_price=90"
            ),
        ),
        _moved,
        dangerous=True,
    ),
    _change(
        "undo",
        "Undo a change",
        "A change is taken back, or it is said why it can't be.",
        Permission.LIFECYCLE_CHANGE,
        lambda view: view.term > 0,
        lambda view: (Field("change", "The change's id", required=True, hint="said when it was made"),),
        lambda given: Undo(change=given.needed("change", "the change's id")),
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
