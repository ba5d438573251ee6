"""The recording customer-success platform: companies, plans and their tasks, health, playbooks, notes."""

from collections.abc import Mapping

from adapters.recording.journal import Journal
from adapters.recording.system import KEY, LEVEL, Line, RecordingSystem, record_id, there
from domain.base import Frozen
from domain.effects import EffectClass
from domain.errors import Rejected
from domain.ports import Health, NewCompany, NewOnboarding, NewPlaybook, OnboardingTask, Ref


class Note(Frozen):
    company: str
    text: str


class RecordingCs(RecordingSystem):
    effects: Mapping[str, EffectClass] = {
        "ensure_company": KEY,
        "launch_onboarding": KEY,
        "set_health": LEVEL,
        "start_playbook": KEY,
        "post_note": KEY,
    }

    def __init__(self, name: str, journal: Journal, line: Line) -> None:
        super().__init__(name, journal, line)
        self.companies: dict[str, str] = {}
        self.plans: dict[str, NewOnboarding] = {}
        self.tasks: dict[str, list[OnboardingTask]] = {}
        self.health: dict[str, Health] = {}
        self.playbooks: dict[str, NewPlaybook] = {}
        self.notes: list[Note] = []

    def has(self, company: str, account: str, tasks: tuple[OnboardingTask, ...] = ()) -> None:
        """The company is there, with these tasks open."""
        self.companies[company] = account
        self.tasks[company] = list(tasks)

    def reach(self, milestone: str) -> None:
        """The task with this milestone is done, and so is every one before it."""
        for company, tasks in self.tasks.items():
            reached = next((n for n, task in enumerate(tasks, 1) if task.milestone == milestone), 0)
            self.tasks[company] = tasks[reached:]

    async def ensure_company(self, new: NewCompany, *, key: str) -> Ref:
        """The account is unique there, whatever the key."""

        def ensure() -> Ref:
            known = next((each for each, account in self.companies.items() if account == new.account), None)
            made = known or record_id("company", new.account)
            self.companies[made] = new.account
            self.tasks.setdefault(made, [])
            return Ref(id=made)

        return await self._once("ensure_company", key, new, ensure, known_by=new.account)

    async def launch_onboarding(self, new: NewOnboarding, *, key: str) -> Ref:
        def launch() -> Ref:
            self._need(new.company)
            self.plans[key] = new
            self.tasks[new.company] += new.tasks
            return Ref(id=record_id("plan", key))

        return await self._once("launch_onboarding", key, new, launch)

    async def find_onboarding(self, key: str) -> Ref | None:
        return await self._read(
            "find_onboarding", lambda: Ref(id=record_id("plan", key)) if key in self.plans else None
        )

    async def set_health(self, health: Health) -> None:
        def show() -> None:
            there(self.companies, health.company, "company")
            self.health[health.company] = health

        await self._level("set_health", health, show)

    async def start_playbook(self, new: NewPlaybook, *, key: str) -> Ref:
        def start() -> Ref:
            self._need(new.company)
            self.playbooks[key] = new
            return Ref(id=record_id("playbook", key))

        return await self._once("start_playbook", key, new, start)

    async def find_playbook(self, key: str) -> Ref | None:
        return await self._read(
            "find_playbook", lambda: Ref(id=record_id("playbook", key)) if key in self.playbooks else None
        )

    async def post_note(self, company: str, text: str, *, key: str) -> Ref:
        def post() -> Ref:
            there(self.companies, company, "company")
            self.notes.append(Note(company=company, text=text))
            return Ref(id=record_id("note", key))

        return await self._once("post_note", key, Note(company=company, text=text), post)

    async def open_tasks(self, company: str) -> int:
        def count() -> int:
            there(self.companies, company, "company")
            return len(self.tasks[company])

        return await self._read("open_tasks", count)

    def _need(self, company: str) -> None:
        if company not in self.companies:
            raise Rejected("no such company")
