"""One simulated life: from a state on, through a script, to a day. Real workflow, real activities, real store."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain import calendar
from domain.base import Frozen
from domain.company import Company
from domain.counting import many
from domain.messages import EndContract, EventBatch, RenewContract
from domain.projection import view as view_of
from domain.state import LifecycleState
from domain.view import CaseView
from starter.changing import sell_lines
from starter.handles import LifecycleHandle
from starter.mistakes import Mistake
from starter.simulation.clockwork import Clockwork
from starter.simulation.deciding import morning, undecided, when_to_look
from starter.simulation.lines import Kind, Line, effect_line, in_order, turn_line
from starter.simulation.outside import House
from starter.simulation.script import Decider, Entry, Outage, Script
from store.orders import SqlOrders
from store.outgoing import told_by
from workflows.desk import at_start
from workflows.lifecycle import CustomerLifecycle

NO_MORE = "not told: the lifecycle has ended"
LONGEST_JUMP = timedelta(days=60)
TOO_MUCH = 12_000
"""Events of a history: as many come about only where something is tried again for years, since nothing mends it."""


class Future(Frozen):
    """What became of a contract until a day. `history`: how many events its Temporal history has. `stuck`: it was
    given up on that day, since nothing mends what is open."""

    contract: str
    begins: date
    until: date
    stage: str
    term: int
    lines: tuple[Line, ...]
    cases: tuple[CaseView, ...] = ()
    history: int = 0
    stuck: bool = False


class Life:
    """`begins` is the business instant at which `state` is so; `zone` the contract's."""

    def __init__(
        self, client: Client, house: House, company: Company, state: LifecycleState, begins: datetime, zone: str
    ) -> None:
        self._client = client
        self._company = company
        self._house = house
        self._begins = begins
        self._zone = zone
        shift = begins - datetime.now(UTC)
        self._state = state.model_copy(update={"shift_seconds": shift.total_seconds()}, deep=True)
        self._id = f"simulation/{house.task_queue}"
        self._clock = Clockwork(client, self._id, shift)
        self._lines: list[Line] = []
        self._seq = state.last_seq
        self._look: datetime | None = None

    async def live(self, script: Script, until: date) -> Future:
        """From the beginning to the start of a day."""
        self._outages(script)
        handle = await self._client.start_workflow(
            CustomerLifecycle.run,
            self._state,
            id=self._id,
            task_queue=self._house.task_queue,
            search_attributes=at_start(self._state.account, self._state.selling_entity),
        )
        entries = sorted((each for each in script.entries if each.update), key=lambda entry: (entry.on, entry.number))
        alive = await self._clock.rest()
        goal = calendar.start_of_day(until, self._zone)
        while alive:
            alive = await self._tell_due(handle, entries, script)
            if not alive:
                break
            now = await self._clock.now()
            if now >= goal:
                break
            if self._clock.history > TOO_MUCH:
                return await self._told(handle, calendar.civil_date(now, self._zone), stuck=True)
            alive = await self._clock.go(self._next_stop(entries, now, goal))
        for entry in entries:
            self._note(entry.on, entry, NO_MORE)
        return await self._told(handle, until)

    def _outages(self, script: Script) -> None:
        for entry in script.entries:
            if isinstance(entry.what, Outage):
                begins = calendar.start_of_day(entry.on, self._zone)
                ends = calendar.start_of_day(entry.on + timedelta(days=entry.what.days), self._zone)
                self._house.world.outage(entry.what.system, begins, ends)
                self._note(entry.on, entry, f"{entry.what.system} is down for {many(entry.what.days, 'day')}")

    def _next_stop(self, entries: list[Entry], now: datetime, goal: datetime) -> datetime:
        stops = [goal, now + LONGEST_JUMP, *([self._at(entries[0])] if entries else [])]
        if self._look is not None:
            stops.append(self._look if self._look > now else now + timedelta(days=1))
        return min(stops)

    async def _tell_due(self, handle: LifecycleHandle, entries: list[Entry], script: Script) -> bool:
        """Everything whose time has come; False when the lifecycle has ended."""
        now = await self._clock.now()
        while entries and self._at(entries[0]) <= now:
            entry = entries.pop(0)
            self._note(calendar.civil_date(now, self._zone), entry, await self._tell(handle, entry))
            if not await self._clock.rest():
                return False
        return script.decide == "nobody" or await self._decide(handle, script.decide, now)

    async def _decide(self, handle: LifecycleHandle, decider: Decider, now: datetime) -> bool:
        """Decide on the renewal, when it is time; and see when to look again. False when the lifecycle has ended."""
        state = await handle.query(CustomerLifecycle.state)
        self._look = when_to_look(state, now)
        if self._look is None or self._look > now or not undecided(state):
            return True
        renew = decider == "renew"
        command = RenewContract(by="simulation") if renew else EndContract(by="simulation", reason="not renewed")
        update = CustomerLifecycle.renew if renew else CustomerLifecycle.end
        answer = await self._command(handle, update, command)
        on = calendar.civil_date(now, self._zone)
        self._lines.append(Line(on=on, key=f"command:{decider}", kind="command", what=f"{decider}: {answer}"))
        if not await self._clock.rest():
            return False
        self._look = when_to_look(await handle.query(CustomerLifecycle.state), now)
        return True

    async def _tell(self, handle: LifecycleHandle, entry: Entry) -> str:
        if entry.update == "deliver":
            return await self._deliver(handle, entry.what)
        command = entry.what
        if entry.sold:
            try:
                command = command.model_copy(update={"change": await self._sold(command.change, entry.sold)})
            except Mistake as mistake:
                return f"refused: {mistake}"
        if getattr(command, "revision", None) == 0:
            state = await handle.query(CustomerLifecycle.state)
            command = command.model_copy(update={"revision": state.order_revision})
        return await self._command(handle, getattr(CustomerLifecycle, entry.update or ""), command)

    async def _sold(self, change: Any, rows: Sequence[dict[str, Any]]) -> Any:
        """The change, with its added lines in a revision of the order, as `tenure amend --add` makes it."""
        orders = SqlOrders(self._house.database)
        return await sell_lines(orders, self._company, self._state.contract, change, rows, "script")

    async def _deliver(self, handle: LifecycleHandle, event: Any) -> str:
        self._seq += 1
        told = event.model_copy(update={"seq": self._seq})
        if getattr(told, "opportunity", None) == "":
            state = await handle.query(CustomerLifecycle.state)
            told = told.model_copy(update={"opportunity": state.opportunity or ""})
        self._house.world.hears(self._state.account, told)
        answer = await handle.execute_update(CustomerLifecycle.deliver, EventBatch(events=[told]))
        [each] = answer.answers
        return each.outcome if not each.reason else f"{each.outcome}: {each.reason}"

    async def _command(self, handle: LifecycleHandle, update: Any, command: Any) -> str:
        try:
            return str((await handle.execute_update(update, command)).message)
        except WorkflowUpdateFailedError as error:
            return f"refused: {error.cause.message if isinstance(error.cause, ApplicationError) else error.cause}"

    def _at(self, entry: Entry) -> datetime:
        """In the morning of its day; what is said of the day on which the life begins, right after that."""
        return max(morning(calendar.start_of_day(entry.on, self._zone)), self._begins)

    def _note(self, on: date, entry: Entry, outcome: str) -> None:
        kinds: dict[str | None, Kind] = {"deliver": "event", "change": "change", None: "outage"}
        kind = kinds.get(entry.update, "command")
        name = entry.what.change.kind if kind == "change" else entry.kind
        told = _told(entry)
        self._lines.append(Line(on=on, key=f"{kind}:{name}", kind=kind, what=f"{told}: {outcome}" if told else outcome))

    async def _told(self, handle: LifecycleHandle, until: date, stuck: bool = False) -> Future:
        described = await handle.describe()
        # a closed lifecycle answers from its history
        state = await handle.query(CustomerLifecycle.state)
        seen = view_of(state, await self._clock.now())
        events = await self._house.database.read(lambda session: told_by(session, state.contract))
        turns = [line for event in events if (line := turn_line(event)) is not None]
        effects = [effect_line(each, self._zone) for each in self._house.world.effects]
        return Future(
            contract=state.contract,
            begins=calendar.civil_date(self._begins, self._zone),
            until=until,
            stage=seen.stage.value,
            term=seen.term,
            lines=tuple(in_order([*self._lines, *effects, *turns])),
            cases=tuple(seen.cases),
            history=int(described.raw_description.workflow_execution_info.history_length),
            stuck=stuck,
        )


def _told(entry: Entry) -> str:
    """The entry's own facts in few words; an outage's are its outcome."""
    if entry.update is None:
        return ""
    what = entry.what.change if entry.update == "change" else entry.what
    facts = what.model_dump(mode="json", exclude={"kind", "by", "seq", "id", "revision"}, exclude_defaults=True)
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {each}" for name, each in value.items())
    return str(value)
