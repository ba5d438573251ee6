"""Activities on the customer-success platform: company, onboarding, health, renewal playbook, a word to the CSM."""

from temporalio import activity

from activities.boundary import temporal_failures
from activities.effects import Effects
from activities.performing import perform_once, step_of
from domain.base import Frozen
from domain.books import AccountHealth, OrderBook
from domain.calendar import civil_date
from domain.company import Company
from domain.errors import InvalidInput
from domain.intentions import CompanyOf
from domain.policies.account_risk import health_of
from domain.policies.risk import Risk, Signals, assess_risk
from domain.policies.validation import parse_order
from domain.ports import CustomerSuccess, Health, NewCompany, NewOnboarding, NewPlaybook, Ref
from domain.readings import OpenTasks, Read
from domain.steps import EnsureCompany, LaunchOnboarding, Perform, Performed, PostNote, SetHealth, StartPlaybook


class Note(Frozen):
    company: str
    text: str


def assessed(request: Perform, company: Company) -> Risk:
    """The contract's own risk, by the company's policy of today. An open renewal window raises the priority."""
    step = step_of(request, SetHealth)
    today = civil_date(request.as_of, step.zone)
    signals = Signals(
        overdue_since=step.overdue_since,
        severities=step.severities,
        adoption=step.adoption,
        as_of=today,
        days_to_renewal=(step.term_ends - today).days if step.term_ends else None,
        undecided=step.undecided,
    )
    risk = assess_risk(signals, company.risk)
    if step.window_open and risk.renewal_priority == "normal":
        return risk.model_copy(update={"renewal_priority": "raised"})
    return risk


class CsActivities:
    """Runs on the task queue of one connection to a CS platform, which is named `connection`."""

    def __init__(
        self,
        cs: CustomerSuccess,
        effects: Effects,
        orders: OrderBook,
        company: Company,
        account: AccountHealth,
        *,
        connection: str = "cs",
    ) -> None:
        self._connection = connection
        self._cs = cs
        self._account = account
        self._effects = effects
        self._orders = orders
        self._company = company

    @activity.defn(name="cs.ensure_company")
    async def ensure_company(self, request: Perform) -> Performed:
        """The company of an account: one, however many contracts it has."""
        with temporal_failures():
            step = step_of(request, EnsureCompany)
            account = parse_order(await self._orders.read(request.contract, step.revision))[0].account
            if account.id is None or account.name is None:
                raise InvalidInput("the order names no account")
            new = NewCompany(account=step.account or account.id, name=account.name, parent_account=account.parent_id)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._cs.effects["ensure_company"],
                CompanyOf(account=new.account),
                Ref,
                lambda: self._cs.ensure_company(new, key=step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="cs.launch_onboarding")
    async def launch_onboarding(self, request: Perform) -> Performed:
        """The onboarding plan, from the company's template."""
        with temporal_failures():
            step = step_of(request, LaunchOnboarding)
            template = self._company.onboarding
            new = NewOnboarding(
                company=step.company,
                contract=request.contract,
                template=template.name,
                starts=step.starts,
                tasks=template.tasks,
            )
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._cs.effects["launch_onboarding"],
                Note(company=step.company, text=request.contract),  # a template may change while this is retried
                Ref,
                lambda: self._cs.launch_onboarding(new, key=step.key),
                lambda: self._cs.find_onboarding(step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="cs.start_playbook")
    async def start_playbook(self, request: Perform) -> Performed:
        with temporal_failures():
            step = step_of(request, StartPlaybook)
            new = NewPlaybook(
                company=step.company,
                contract=request.contract,
                name="Renewal",
                due=step.due,
                steps=self._company.renewal_playbook,
            )
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._cs.effects["start_playbook"],
                Note(company=step.company, text=str(step.due)),
                Ref,
                lambda: self._cs.start_playbook(new, key=step.key),
                lambda: self._cs.find_playbook(step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="cs.post_note")
    async def post_note(self, request: Perform) -> Performed:
        """A message for the CSM. At most once."""
        with temporal_failures():
            step = step_of(request, PostNote)
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._cs.effects["post_note"],
                Note(company=step.company, text=step.text),
                Ref,
                lambda: self._cs.post_note(step.company, step.text, key=step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="cs.set_health")
    async def set_health(self, request: Perform) -> Performed:
        """Assess the contract's risk by the company's policy of today, and show the account's. LEVEL.

        The result is the contract's own assessment.
        """
        with temporal_failures():
            step, risk = step_of(request, SetHealth), assessed(request, self._company)
            await self._show(request.contract, health_of(risk, step.company, step.stage))
            return Performed(id=step.company, risk=risk)

    async def _show(self, contract: str, health: Health) -> None:
        """Roll the contract's risk up to the account's, and show that where CS shows another."""
        rolled = await self._account.assess(contract, health)
        while rolled.news:
            show = rolled.health
            declared = self._cs.effects["set_health"]
            await self._effects.level(f"{self._connection}.set_health", declared, lambda: self._cs.set_health(show))  # noqa: B023
            # Another contract may have been assessed while this was on its way: the newest must be what stands.
            rolled = await self._account.shown(contract, rolled)

    @activity.defn(name="cs.read_tasks")
    async def read_tasks(self, request: Read) -> OpenTasks:
        """Open onboarding tasks of a company, for the readiness view."""
        with temporal_failures():
            return OpenTasks(count=await self._cs.open_tasks(request.subject))
