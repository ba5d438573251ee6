"""The reference year: what a contract of a SaaS company lives through in a year, by which its cost is measured.

It comes in as in production, through the inbox and the dispatcher. Nothing asks the workflow, the store knows: a query
would cost an action of its own.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from sqlmodel import Session

from domain import calendar
from domain.view import LifecycleView
from starter.travel import fast_forward, workflow_clock
from store.tables import LifecycleRow, utc_now
from tests.dispatch import Post
from tests.house import Life
from tests.workflow.lives import ZONE, done, eventually, rests, set_box_clock

MILESTONES = {"kick-off": 5, "users": 14, "data": 21, "trained": 28, "go-live": 45}
"""After how many days of the first term."""
INVOICES = 12
OVERDUE = 5
"""The invoice that is paid too late."""
PAID_IN, DUE_IN, PAID_LATE = 20, 30, 25
SUPPORT, SOLVED, UPSELL = 200, 203, 230
"""A severe support case, its end, and an upsell: days of a term."""
DECIDED = 50
"""Days before the end of the term, when the renewal opportunity is won: at 90 and at 60 it was looked at."""


class Reference:
    """One contract, year after year."""

    def __init__(self, post: Post, number: str) -> None:
        self.post = post
        self.number = number
        self.term = 0
        self._life: Life | None = None
        self._version = 0

    @property
    def life(self) -> Life:
        assert self._life is not None, "it has not begun"
        return self._life

    async def first_year(self) -> None:
        """From the won deal to the first day of the second term."""
        await self.begin()
        await self._year(MILESTONES)

    async def begin(self) -> None:
        """The deal is won, and activated."""
        usage, token = {"active": 45, "entitled": 50}, {"Authorization": "Bearer sandbox"}
        await self.post.house.http.put(f"/usage/accounts/acc-{self.number}", json=usage, headers=token)
        await self.post.hear_of(self.number)
        await self.post.settle()
        self._life = await self.post.life(self.number)
        await self._shown(lambda view: done(view, "onboarding") and len(billed(view)) == 2 and rests(view))

    async def further_year(self) -> None:
        """The same without activation and onboarding."""
        await self._year({})

    async def _year(self, milestones: dict[str, int]) -> None:
        self.term += 1
        view = await self._shown(lambda view: view.term == self.term)
        assert view.term_starts is not None
        assert view.term_ends is not None
        days = agenda(view.term_starts, view.term_ends, milestones)
        for day in sorted(days):
            await self._to(day)
            for what in days[day]:
                await self._happens(what, day)
        await self._to(view.term_ends)
        await self._shown(lambda view: view.term == self.term + 1 and rests(view))

    async def _happens(self, what: str, day: date) -> None:
        post, life, number = self.post, self.life, f"{self.number}-{self.term}"
        kind, _, name = what.partition(" ")
        self._version += 1
        match kind:
            case "milestone":
                await post.milestone(life, name, day.isoformat())
                await post.settle()
                await self._shown(lambda view: name in view.milestones and rests(view))
                if name == "go-live":
                    await self._shown(lambda view: len(billed(view)) == len(view.lines) and rests(view))
            case "posted" | "paid":
                due = day + timedelta(days=DUE_IN)
                await post.invoice(life, kind, self._version, due, name=f"{number}-{name}")
                await post.settle()
            case "overdue":
                await post.sweep()
                await post.settle()
                await self._shown(lambda view: view.risk != "low" and rests(view))
            case "late":
                await post.invoice(life, "paid", self._version, day, name=f"{number}-{OVERDUE}")
                await post.settle()
                await self._shown(lambda view: view.risk == "low" and rests(view))
            case "support":
                await self._support("opened" if name == "opened" else "closed")
            case "upsell":
                await post.upsell(f"up-{number}", 5, to=self.number)
                await post.settle()
                await self._shown(lambda view: done(view, "amendment") and rests(view))
            case "window":
                await self._shown(lambda view: done_in(view, "readiness-note") and rests(view))
            case "decided":
                await self._decide()

    async def _support(self, kind: str) -> None:
        data = {"account": f"acc-{self.number}", "case": f"c-{self.term}", "severity": 1, "version": self._version}
        await self.post.desk.receive(f"support_case.{kind}", data)
        await self.post.settle()
        severe = kind == "opened"
        await self._shown(lambda view: (view.risk != "low") is severe and rests(view))

    async def _decide(self) -> None:
        view = await self._shown(rests)
        key = f"renewal-opportunity:{self.life.contract}:{self.term}"
        record = {"contract": self.life.contract, "opportunity": view.effects[key]}
        await self.post.desk.receive("renewal_opportunity.won", record)
        await self.post.settle()
        await self._shown(lambda view: done_in(view, "renewal", self.term + 1) and rests(view))

    # ── time, and what is known ──────────────────────────────────────────────────────────────────────────────────

    async def _to(self, day: date) -> None:
        """The morning of a day, for the lifecycle, the outside and the store."""
        client, handle = self.post.house.client, self.life.handle
        instant = calendar.start_of_day(day, ZONE) + timedelta(hours=6)
        ahead = instant - await workflow_clock(client, handle.id)
        if ahead < timedelta(seconds=1):
            return
        await set_box_clock(self.post.house, instant)
        await fast_forward(client, handle.id, timedelta(seconds=int(ahead.total_seconds()) + 1))
        await self.post.house.database.write(self._shift(await workflow_clock(client, handle.id)))

    def _shift(self, instant: datetime) -> Callable[[Session], None]:
        def write(session: Session) -> None:
            shift = (instant - utc_now()).total_seconds()
            session.get_one(LifecycleRow, self.life.contract).clock_shift = shift

        return write

    async def _shown(self, met: Callable[[LifecycleView], object]) -> LifecycleView:
        """The store's view, once it is as wanted."""
        seen: list[LifecycleView] = []

        async def wanted() -> bool:
            view = await self.post.views.get(self.life.contract)
            if view is not None and met(view):
                seen.append(view)
            return bool(seen)

        await eventually(wanted, 90)
        return seen[0]


def billed(view: LifecycleView) -> list[str]:
    return [key for key in view.effects if key.startswith("billing-start:")]


def done_in(view: LifecycleView, fact: str, term: int | None = None) -> bool:
    """Whether a fact of this kind is recorded for a term, the running one if none is named."""
    end = f":{term or view.term}"
    return any(key.startswith(f"{fact}:") and key.endswith(end) for key in view.effects)


def agenda(starts: date, ends: date, milestones: dict[str, int]) -> dict[date, list[str]]:
    """What happens on which day of a term, in words that `Reference` acts on."""
    days: dict[date, list[str]] = {}

    def on(day: date, what: str) -> None:
        days.setdefault(day, []).append(what)

    for name, after in milestones.items():
        on(starts + timedelta(days=after), f"milestone {name}")
    for number in range(1, INVOICES + 1):
        posted = calendar.add_months(starts, number - 1) + timedelta(days=2)
        on(posted, f"posted {number}")
        if number != OVERDUE:
            on(posted + timedelta(days=PAID_IN), f"paid {number}")
    late = calendar.add_months(starts, OVERDUE - 1) + timedelta(days=2 + DUE_IN)
    on(late + timedelta(days=10), "overdue")
    on(late + timedelta(days=PAID_LATE), "late")
    on(starts + timedelta(days=SUPPORT), "support opened")
    on(starts + timedelta(days=SOLVED), "support closed")
    on(starts + timedelta(days=UPSELL), "upsell")
    on(ends - timedelta(days=90), "window")
    on(ends - timedelta(days=DECIDED), "decided")
    return days
