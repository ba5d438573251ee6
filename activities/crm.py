"""Activities on the CRM: the order's check, the deal's status, the renewal opportunity."""

from temporalio import activity

from activities.boundary import temporal_failures
from activities.effects import Effects
from activities.performing import operation, perform_once, step_of
from domain.books import OrderBook
from domain.company import Company
from domain.policies.validation import parse_order, verdict
from domain.ports import Crm, DealStatus, NewRenewalOpportunity, OpportunityRef
from domain.readings import OpportunityStage, Read
from domain.routes import Landscape
from domain.steps import CreateRenewalOpportunity, Perform, Performed, ValidateOrder, WriteStatus


class CrmActivities:
    """Runs on the task queue of the connection to the CRM, which is named `connection`. `landscape`: which orders go
    where."""

    def __init__(
        self,
        crm: Crm,
        effects: Effects,
        orders: OrderBook,
        company: Company,
        *,
        connection: str = "crm",
        landscape: Landscape | None = None,
    ) -> None:
        self._connection = connection
        self._landscape = landscape
        self._crm = crm
        self._effects = effects
        self._orders = orders
        self._company = company

    @activity.defn(name="crm.validate_order")
    async def validate_order(self, request: Perform) -> Performed:
        """Check a revision of the order by the company's rules, and decide to which connections it goes.

        Reads only: the parent account is asked of the CRM.
        """
        with temporal_failures():
            step = step_of(request, ValidateOrder)
            document = await self._orders.read(request.contract, step.revision)
            parent = parse_order(document)[0].account.parent_id
            known = await self._crm.account_exists(parent) if parent else None
            judged = verdict(document, self._company, step.revision, parent_known=known, landscape=self._landscape)
            return Performed(id=step.key, verdict=judged)

    @activity.defn(name="crm.write_status")
    async def write_status(self, request: Perform) -> Performed:
        """Show ids and status on the deal. LEVEL."""
        with temporal_failures():
            step = step_of(request, WriteStatus)
            status = DealStatus(
                deal_id=step.deal,
                contract=request.contract,
                status=step.status,
                erp_customer=step.erp_customer,
                erp_subscription=step.erp_subscription,
                renewal_date=step.renewal_date,
            )
            declared = self._crm.effects["write_status"]
            await self._effects.level(
                operation(self._connection, step), declared, lambda: self._crm.write_status(status)
            )
            return Performed(id=step.deal)

    @activity.defn(name="crm.create_renewal_opportunity")
    async def create_renewal_opportunity(self, request: Perform) -> Performed:
        """An opportunity for the next term, in which the renewal is decided."""
        with temporal_failures():
            step = step_of(request, CreateRenewalOpportunity)
            new = NewRenewalOpportunity(
                account=step.account,
                renews_deal=step.renews_deal,
                contract=request.contract,
                name=f"Renewal of {request.contract} from {step.close_by}",
                close_by=step.close_by,
            )
            made = await perform_once(
                self._effects,
                self._connection,
                request,
                self._crm.effects["create_renewal_opportunity"],
                new,
                OpportunityRef,
                lambda: self._crm.create_renewal_opportunity(new, key=step.key),
                lambda: self._crm.find_renewal_opportunity(step.key),
            )
            return Performed(id=made.id)

    @activity.defn(name="crm.read_opportunity")
    async def read_opportunity(self, request: Read) -> OpportunityStage:
        """The stage of the renewal opportunity, for the readiness view."""
        with temporal_failures():
            found = await self._crm.read_opportunity(request.subject)
            return OpportunityStage(stage=found.stage)
