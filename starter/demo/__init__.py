"""`tenure demo`: one customer's life, played on the running stack with the real worker, from closed-won to term two."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console
from rich.table import Table

from domain.view import LifecycleView, Stage
from starter.cli.running import open_office, show
from starter.demo.box import Box, Customer, until
from starter.demo.erp import erp_side
from starter.demo.proof import holdings
from starter.local_erp import remember
from starter.mistakes import Mistake
from starter.settings import Settings
from starter.stack import LocalStack, OtherSettings
from starter.timemachine import TimeMachine

if TYPE_CHECKING:
    from starter.office import Office

FIXES = {"sold_to.tax_id": "DE123456788", "lines[0].product": "ONBOARDING"}
GO_LIVE_TASK = "go-live"


async def play(settings: Settings, *, as_json: bool) -> int:
    """Bring the stack up, play, prove, leave it running. The exit code: 0 when everything happened exactly once."""
    console = Console(stderr=as_json)
    began = time.monotonic()
    console.print("[bold]Tenure: one customer from closed-won to the second term[/bold]\n")
    stack = LocalStack(settings)
    _bring_up(stack, console)
    remember(settings)
    async with open_office(settings) as office:
        story = Story(settings, stack, office, console)
        try:
            await story.tell()
        except AssertionError as failure:
            console.print(f"[red]✗ {failure}[/red]")
            return 1
        proof = await holdings(story.box, story.erp, office, story.customer, story.contract)
    holds = all(wanted == found for wanted, found in proof.values())

    def text() -> None:
        table = Table("what the outside systems hold", "wanted", "found", title_justify="left")
        for what, (wanted, found) in proof.items():
            mark = "green" if wanted == found else "bold red"
            table.add_row(what, str(wanted), f"[{mark}]{found}[/{mark}]")
        console.print(table)

    show(as_json, {what: {"wanted": wanted, "found": found} for what, (wanted, found) in proof.items()}, text)
    ui = f"http://127.0.0.1:{settings.temporal.ui_port}/namespaces/default/workflows"
    console.print(
        f"\nConsole      {settings.experience_url}/console\nAPI          {settings.experience_url}/api/v1"
        f"\nTemporal UI  {ui}\nGateway      {settings.gateway_url}\nSandbox      {settings.sandbox_url}/admin/state"
        + (f"\n{story.erp.name:<12} {story.erp.url}" if settings.erp.system != "sandbox" else "")
    )
    console.print(f"Look closer  tenure show {story.contract}\nStop         make down")
    console.print(f"\n{'Everything once' if holds else 'NOT everything once'}, in {time.monotonic() - began:.0f} s.")
    return 0 if holds else 1


class Story:
    """The acts of the demo. Each waits for what it shows, and fails with what did not happen."""

    def __init__(self, settings: Settings, stack: LocalStack, office: "Office", console: Console) -> None:
        self._settings = settings
        self._stack = stack
        self._office = office
        self._console = console
        self.customer = Customer(settings.path(settings.company).parent.parent)
        self.contract = f"{office.crm}/{self.customer.deal}/1"
        self.box = Box(settings.sandbox_url, settings.token(settings.connection_of("crm")))
        self.erp = erp_side(settings, self.box)

    async def tell(self) -> None:
        await self.box.reset_clock()
        await self.box.do("PUT", f"/usage/accounts/{self.customer.account}", {"active": 41, "entitled": 50})
        await self.a_deal_is_won()
        await self.two_mistakes_are_mended_while_cs_is_down()
        await self.cs_catches_up()
        await self.the_worker_dies_and_the_customer_goes_live()
        await self.an_invoice_goes_overdue_and_is_paid()
        await self.more_seats_are_won()
        await self.the_renewal_window_opens()
        await self.the_renewal_is_won()

    async def a_deal_is_won(self) -> None:
        self._act("A deal is won in the CRM; its signed webhook arrives twice, and once forged")
        await self.box.do("POST", "/crm/accounts", {"Id": self.customer.parent, "Name": "Hooli Group"})
        await self.box.do("POST", "/crm/opportunities", self.customer.closed_won())
        await self.box.win(self.customer.deal)
        view = await self._view("the lifecycle starts and finds the mistakes", lambda view: bool(view.cases))
        webhook = await self.box.webhook_of(self.customer.deal)
        await self.box.do("POST", f"/admin/webhooks/{webhook['id']}/again")
        stamp = str(int(time.time()))
        headers = {"webhook-id": "forged", "webhook-timestamp": stamp, "webhook-signature": "v1,Zm9yZ2Vk"}
        async with httpx.AsyncClient(base_url=self._settings.gateway_url, trust_env=False) as forger:
            forged = await forger.post("/webhooks/crm", json=webhook["body"], headers=headers)
        if forged.status_code != httpx.codes.UNAUTHORIZED:
            raise AssertionError(f"the forged webhook was answered {forged.status_code}")
        self._note(f"lifecycle {view.contract} is running; the forged webhook got 401")
        for reason in view.cases[0].reasons:
            self._note(f"waits as a case: {reason}")

    async def two_mistakes_are_mended_while_cs_is_down(self) -> None:
        self._act("The CS platform goes down; ops mends both mistakes, and the ERP work goes on without CS")
        await self.box.do("POST", "/admin/faults", {"system": "cs", "kind": "down"})
        fixes = " ".join(f"--set {path}={value}" for path, value in FIXES.items())
        self._note(f"$ tenure fix {self.contract} {fixes}")
        await self._office.fix_and_wait(await self._life(), dict(FIXES), "demo")
        await self._view("the order is activated", lambda view: view.stage is Stage.ONBOARDING)
        view = await self._view("the line billed on signature starts", lambda view: _billed(view, "ONBOARDING"))
        if _billed(view, "PLATFORM"):
            raise AssertionError("the platform line waits for go-live, and was billed before")
        deal = await until("the CRM's deal shows ids and status", self._deal_shows)
        self._note(f"ERP customer {deal['ERP_Customer__c']}, subscription {deal['ERP_Subscription__c']}")
        self._note(
            f"the CRM's deal says {deal['Tenure_Status__c']!r}; ONBOARDING is billed, PLATFORM waits for go-live"
        )
        if await self._of_contract("cs", "plans"):
            raise AssertionError("CS was down, and has a plan")

    async def cs_catches_up(self) -> None:
        self._act("The CS platform is back and catches up")
        await self.box.do("DELETE", "/admin/faults")
        plan = (await until("onboarding is launched from a plan", lambda: self._of_contract("cs", "plans")))[0]
        self._note(f"CS company {plan['company']}, onboarding plan {plan['id']}")

    async def the_worker_dies_and_the_customer_goes_live(self) -> None:
        self._act("The worker is killed with SIGKILL; the go-live milestone comes in while it is dead")
        pid = self._stack.kill("worker")
        tasks = await self._of_contract("cs", "tasks")
        for task in tasks:
            await self.box.do("POST", f"/cs/tasks/{task['id']}/complete", {})
        self._stack.start("worker")
        self._note(f"process {pid} died, a new one is up")
        view = await self._view("the platform line is billed", lambda view: _billed(view, "PLATFORM"))
        self._note(f"go-live on {view.milestones[GO_LIVE_TASK]}: PLATFORM is billed; stage {view.stage.value}")

    async def an_invoice_goes_overdue_and_is_paid(self) -> None:
        self._act("An invoice goes overdue, and is paid")
        await self._view("billing is active", lambda view: view.stage is Stage.SERVING)
        late = await self.erp.bill_late(self.contract)
        self._note(late.told)
        health = await until("risk rises in CS", lambda: self._health(lambda health: health["risk"] != "low"))
        self._note(f"overdue: CS shows risk {health['risk']}, renewal priority {health['renewal_priority']}")
        await self.erp.pay(late.id)
        health = await until("risk falls in CS", lambda: self._health(lambda health: health["risk"] == "low"))
        self._note(f"paid: CS shows risk {health['risk']}, renewal priority {health['renewal_priority']}")

    async def more_seats_are_won(self) -> None:
        self._act("A won upsell deal amends the quantity")
        await self.box.do("POST", "/crm/opportunities", self.customer.expansion())
        await self.box.win(self.customer.upsell)
        await until("the ERP holds 75 seats", self._seats("75"))
        self._note("PLATFORM: 50 + 25 = 75, in the ERP too")

    async def the_renewal_window_opens(self) -> None:
        view = await self._view("the contract is at rest", lambda view: not view.pending)
        self._act(f"The clock is moved to {view.window_opens}, 90 days before the term ends")
        self._note(f"$ tenure fast-forward {self.contract} --to {view.window_opens}")
        await self._travel(view.window_opens)
        view = await self._view("the window is open", lambda view: view.stage is Stage.RENEWAL and not view.pending)
        playbook = (await until("a playbook in CS", lambda: self._of_contract("cs", "playbooks")))[0]
        readiness: dict[str, Any] = view.readiness or {}
        self._note(f"readiness: {readiness['verdict']}, {readiness['score']} of 100 {'; '.join(readiness['reasons'])}")
        self._note(f"CS playbook {playbook['id']}, CRM renewal opportunity {self._opportunity(view)}")

    async def the_renewal_is_won(self) -> None:
        view = await self._view("the opportunity is there", lambda view: bool(self._opportunity(view)))
        self._act("The renewal opportunity is won in the CRM; the second term begins")
        await self.box.win(self._opportunity(view))
        ends = await until("the ERP holds the renewal", lambda: self.erp.renewed_until(self.contract))
        await self._travel(view.term_ends)
        after = await self._view("the second term runs", lambda view: view.term == 2)
        seats = next(line for line in after.lines if line.product == "PLATFORM").quantity
        dates = (after.term_starts, after.term_ends)
        if dates != (view.term_ends, ends) or seats != "75":
            raise AssertionError(f"the second term is wrong: {dates}, {seats} seats; the ERP's ends {ends}")
        self._note(f"term 2: {after.term_starts} until {after.term_ends}, {seats} seats")

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _life(self) -> Any:
        return await self._office.find(self.contract)

    async def _view(self, what: str, met: Callable[[LifecycleView], bool]) -> LifecycleView:
        async def look() -> LifecycleView | None:
            try:
                view = await self._office.view(await self._life())
            except Mistake:  # the lifecycle is not there yet
                return None
            return view if met(view) else None

        found: LifecycleView = await until(what, look)
        return found

    async def _of_contract(self, system: str, kind: str) -> list[dict[str, Any]]:
        return await self.box.records(system, kind, lambda record: record.get("contract") == self.contract)

    async def _deal_shows(self) -> dict[str, Any] | None:
        deal: dict[str, Any] = await self.box.do("GET", f"/crm/opportunities/{self.customer.deal}")
        return deal if deal.get("ERP_Subscription__c") and deal.get("Tenure_Status__c") == "active" else None

    async def _health(self, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        company = (await self._of_contract("cs", "plans"))[0]["company"]
        health = await self.box.records(
            "cs", "health", lambda record: company in (record.get("id"), record.get("company"))
        )
        return health[0] if health and met(health[0]) else None

    def _seats(self, wanted: str) -> Callable[[], Awaitable[bool]]:
        async def hold() -> bool:
            return await self.erp.seats(self.contract, "PLATFORM") == wanted

        return hold

    def _opportunity(self, view: LifecycleView) -> str:
        return next((ref for key, ref in view.effects.items() if key.startswith("renewal-opportunity:")), "")

    async def _travel(self, to: Any) -> None:
        await TimeMachine(self._office, self._settings).go(await self._life(), day=to, by=timedelta())

    def _act(self, title: str) -> None:
        self._console.print(f"\n[bold cyan]▸[/bold cyan] [bold]{title}[/bold]")

    def _note(self, text: str) -> None:
        self._console.print(f"  {text}", highlight=False, soft_wrap=True)


def _bring_up(stack: LocalStack, console: Console) -> None:
    """Up with time travel. A stack that is up without it is started again: its data stays."""

    def say(line: str) -> None:
        console.print(f"  {line}", style="dim")

    try:
        stack.up(time_travel=True, on_progress=say)
    except OtherSettings:
        say("the stack is up with other settings: starting it again with these, and time travel")
        stack.down()
        stack.up(time_travel=True, on_progress=say)


def _billed(view: LifecycleView, product: str) -> bool:
    return any(line.product == product and line.billing_starts is not None for line in view.lines)
