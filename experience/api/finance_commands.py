"""What finance decides: approvals, credit, purchase orders, price notices; and what somebody forecasts."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from domain.finance.commands import ApproveOrder, HoldCredit, PriceNoticeGiven, RejectOrder, ReleaseCredit
from domain.messages import ForecastRenewal
from domain.policies.forecast import Category
from experience.api.asking import Contract
from experience.api.capability import capability
from experience.api.commanding import Commanded, Reason, Told
from experience.api.lifecycle_commands import settled
from experience.endpoints import endpoint
from starter import crediting
from starter.office import Office

router = capability("finance commands")

Revision = Annotated[int, Field(ge=1, description="The revision of the order that was looked at")]


class Approval(BaseModel, extra="forbid"):
    revision: Revision


class Rejection(BaseModel, extra="forbid"):
    revision: Revision
    reason: Reason


class Hold(BaseModel, extra="forbid"):
    reason: Reason


class PurchaseOrderGiven(BaseModel, extra="forbid"):
    """`limit`: what may be billed against it. `expires_on`: the last day on which it may be."""

    number: str = Field(min_length=1, max_length=200)
    limit: Annotated[Decimal, Field(gt=0, le=10**15)] | None = None
    expires_on: date | None = None


class Noticed(BaseModel, extra="forbid"):
    """`on`: the day on which the customer was told; today when null."""

    on: date | None = None


class Expected(BaseModel, extra="forbid"):
    """Without a category, what was forecast by hand is withdrawn."""

    category: Category | None = None
    reason: str = Field("", max_length=2000)


@router.post("/activations/{contract:path}/approval")
@endpoint(owner="finance", permission="billing.approve", since="1.0")
async def approve_order(command: Commanded, contract: Contract, approval: Approval) -> Told:
    """Approve an order that waits for finance."""
    return await _give(command, contract, "approve", ApproveOrder(revision=approval.revision, by=command.by))


@router.post("/activations/{contract:path}/rejection")
@endpoint(owner="finance", permission="billing.approve", since="1.0")
async def reject_order(command: Commanded, contract: Contract, rejection: Rejection) -> Told:
    """Don't approve an order that waits for finance: it is to be corrected, or cancelled."""
    told = RejectOrder(revision=rejection.revision, by=command.by, reason=rejection.reason)
    return await _give(command, contract, "reject", told)


@router.post("/credit/{contract:path}/hold")
@endpoint(owner="finance", permission="billing.hold", since="1.0")
async def hold_credit(command: Commanded, contract: Contract, hold: Hold) -> Told:
    """Put the customer of a contract on credit hold: all its contracts with the same selling entity."""

    async def give(office: Office) -> Told:
        life = await office.exactly(contract)
        answers = await crediting.hold(office, life, HoldCredit(by=command.by, reason=hold.reason))
        return _told(life.contract, answers)

    return await command.tell(give)


@router.post("/credit/{contract:path}/release")
@endpoint(owner="finance", permission="billing.hold", since="1.0")
async def release_credit(command: Commanded, contract: Contract) -> Told:
    """Release the credit hold that was set by hand."""

    async def give(office: Office) -> Told:
        life = await office.exactly(contract)
        return _told(life.contract, await crediting.release(office, life, ReleaseCredit(by=command.by)))

    return await command.tell(give)


@router.post("/purchase-orders/{contract:path}")
@endpoint(owner="finance", permission="billing.hold", since="1.0")
async def report_purchase_order(command: Commanded, contract: Contract, order: PurchaseOrderGiven) -> Told:
    """Report a customer's purchase order: what waits for it goes on."""

    async def report(office: Office) -> Told:
        life = await office.exactly(contract)
        data = {"contract": life.contract, **order.model_dump(mode="json", exclude_none=True)}
        sent = await office.send("tenure.purchase_order.received.v1", data, event_id=command.id)
        return await settled(office, sent, life.contract)

    return await command.tell(report)


@router.post("/renewals/{contract:path}/price-notice")
@endpoint(owner="finance", permission="billing.hold", since="1.0")
async def report_price_notice(command: Commanded, contract: Contract, notice: Noticed) -> Told:
    """Report that the customer was told of the price increase for the next term."""
    return await _give(command, contract, "price_notice_given", PriceNoticeGiven(by=command.by, on=notice.on))


@router.post("/renewals/{contract:path}/forecast")
@endpoint(owner="customer-success", permission="renewal.forecast", since="1.0")
async def forecast_renewal(command: Commanded, contract: Contract, expected: Expected) -> Told:
    """Forecast a renewal by hand, beside what the facts say; or withdraw that."""
    told = ForecastRenewal(by=command.by, category=expected.category, reason=expected.reason)
    return await _give(command, contract, "forecast", told)


async def _give(command: Commanded, contract: str, update: str, told: Any) -> Told:
    async def give(office: Office) -> Told:
        life = await office.exactly(contract)
        return Told(message=(await office.give(life, update, told)).message, contract=life.contract)

    return await command.tell(give)


def _told(contract: str, answers: dict[str, str]) -> Told:
    return Told(message="; ".join(f"{each}: {answer}" for each, answer in answers.items()), contract=contract)
