"""What the ERPs said when they were last asked: each contract's subscription, and each customer's invoices."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text
from sqlmodel import Field, Session, SQLModel, and_, col, func, or_, select

from domain import keys
from domain.ports import Invoice
from domain.standins import is_real
from domain.view import LifecycleView, Stage
from store.columns import Json, Moment
from store.database import insert_once, moment
from store.tables import LifecycleRow, LifecycleViewRow

TRY_AGAIN, AFTER_A_PROBLEM = timedelta(minutes=1), timedelta(minutes=10)
STILL_INVOICED = timedelta(days=90)
"""How long after a contract's end its customer's invoices are read on."""
NOTHING_THERE = (Stage.ORDER_ACTIVATION, Stage.CANCELLED)


class ErpStateRow(SQLModel, table=True):
    """A contract's subscription as the ERP had it at `read_at`. `problem`: why the last try, at `tried_at`, read
    nothing new; empty when it did. `state` None: it was never read. `run_started`, `sequence`: the lifecycle's view
    that had been published when it was read. `settled`: it was read after the contract's end, and is not served: there
    will be no news.
    """

    __tablename__ = "erp_states"

    contract: str = Field(primary_key=True)
    connection: str
    customer: str | None = None
    subscription: str | None = None
    state: dict[str, Any] | None = Field(default=None, sa_type=Json)
    read_at: datetime | None = Field(default=None, sa_type=Moment)
    run_started: datetime | None = Field(default=None, sa_type=Moment)
    sequence: int | None = None
    tried_at: datetime = Field(sa_type=Moment, index=True)
    problem: str = Field(default="", sa_type=Text)
    settled: bool = False

    def read_after(self, shown: LifecycleViewRow) -> bool:
        """Whether it was read when this view had been published: then the two can be held against each other."""
        return (self.run_started, self.sequence) == (shown.run_started, shown.sequence)


class ErpCustomerRow(SQLModel, table=True):
    """When the invoices of a customer were last read, to the end of their list."""

    __tablename__ = "erp_customers"

    connection: str = Field(primary_key=True)
    customer: str = Field(primary_key=True)
    read_at: datetime | None = Field(default=None, sa_type=Moment)
    tried_at: datetime = Field(sa_type=Moment)
    problem: str = Field(default="", sa_type=Text)


class ErpInvoiceRow(SQLModel, table=True):
    """An invoice as the ERP had it at `read_at`. Amounts are texts of decimals in `currency`, with tax. `contract` is
    None where it bills several, or none of ours."""

    __tablename__ = "erp_invoices"

    connection: str = Field(primary_key=True)
    invoice: str = Field(primary_key=True)
    customer: str = Field(index=True)
    contract: str | None = Field(default=None, index=True)
    number: str | None = None
    status: str
    currency: str
    total: str
    open_amount: str
    issued_on: date | None = None
    due_on: date | None = None
    read_at: datetime = Field(sa_type=Moment)


class Due(NamedTuple):
    """A subscription to be read. None: its lifecycle knows of none in the ERP. `run_started`, `sequence`: its view.
    `over`: the contract has ended."""

    contract: str
    connection: str
    subscription: str | None
    run_started: datetime
    sequence: int
    over: bool


class DueCustomer(NamedTuple):
    connection: str
    customer: str


def rested(session: Session, rest: timedelta) -> list[ColumnElement[bool]]:
    """That a view has not changed for so long."""
    return [col(LifecycleViewRow.updated_at) <= moment(session) - rest] if rest else []


def claim_states(
    session: Session, at: datetime, every: timedelta, limit: int, rest: timedelta = timedelta()
) -> list[Due]:
    """Subscriptions to be read now, which nobody else reads for a minute: those whose lifecycle has changed since they
    were read, and not within `rest`, and those that were last read `every` ago."""
    view, erp = LifecycleViewRow, ErpStateRow
    again = or_(
        col(erp.tried_at) <= at - AFTER_A_PROBLEM,
        and_(erp.problem == "", col(erp.tried_at) <= at - TRY_AGAIN),
    )
    rests = rested(session, rest)
    changed = or_(
        col(erp.run_started).is_distinct_from(col(view.run_started)),
        col(erp.sequence).is_distinct_from(col(view.sequence)),
    )
    due = or_(
        and_(col(erp.contract).is_(None), *rests),
        and_(again, changed, *rests),
        and_(~col(erp.settled), col(erp.tried_at) <= at - every),
    )
    query = (
        select(view, erp)
        .outerjoin(erp, col(erp.contract) == col(view.contract))
        .where(due, col(view.stage).not_in(NOTHING_THERE))
        .order_by(col(erp.tried_at).nulls_first(), col(view.contract))
        .limit(limit)
    )
    return [_claimed(session, shown, row, at) for shown, row in session.exec(query).all()]


def _claimed(session: Session, shown: LifecycleViewRow, row: ErpStateRow | None, moment: datetime) -> Due:
    view = LifecycleView.model_validate(shown.view)
    known = ErpStateRow(
        contract=view.contract,
        connection=view.connections.get("erp", "erp"),
        customer=_customer(view),
        subscription=view.subscription,
        tried_at=moment,
    )
    if row is None:
        insert_once(session, known, keys=("contract",))
    else:
        row.sqlmodel_update(known.model_dump(include={"connection", "customer", "subscription", "tried_at"}))
    over = view.stage is Stage.ENDED
    return Due(view.contract, known.connection, known.subscription, shown.run_started, shown.sequence, over)


def _customer(view: LifecycleView) -> str | None:
    """The ERP's id of the customer that the contract has now."""
    key = keys.customer(view.account, view.selling_entity)
    found = [ref for name, ref in view.effects.items() if name == key or name.startswith(f"{key}@")]
    return next((ref for ref in found if is_real(ref)), None)


def claim_customers(session: Session, moment: datetime, every: timedelta, limit: int) -> list[DueCustomer]:
    """Customers whose invoices are to be read now, which nobody else reads meanwhile."""
    state, read = ErpStateRow, ErpCustomerRow
    due = or_(
        col(read.customer).is_(None),
        and_(col(read.read_at).is_(None), col(read.tried_at) <= moment - AFTER_A_PROBLEM),
        col(read.tried_at) <= moment - every,
    )
    goes_on = or_(~col(state.settled), col(state.read_at) >= moment - STILL_INVOICED)
    same = and_(col(read.connection) == col(state.connection), col(read.customer) == col(state.customer))
    query = (
        select(state.connection, state.customer, func.min(read.tried_at))
        .outerjoin(read, same)
        .where(col(state.customer).is_not(None), goes_on, due)
        .group_by(col(state.connection), col(state.customer))
        .order_by(func.min(read.tried_at).nulls_first(), col(state.connection), col(state.customer))
        .limit(limit)
    )
    found = [DueCustomer(connection, str(customer)) for connection, customer, _ in session.exec(query)]
    for connection, customer in found:
        row = ErpCustomerRow(connection=connection, customer=customer, tried_at=moment)
        if not insert_once(session, row, keys=("connection", "customer")):
            session.get_one(ErpCustomerRow, (connection, customer)).tried_at = moment
    return found


def keep_state(session: Session, due: Due, state: dict[str, Any], served: bool, moment: datetime) -> None:
    """What a subscription is, as of the moment before it was read."""
    row = session.get_one(ErpStateRow, due.contract)
    row.state, row.read_at, row.problem = state, moment, ""
    row.run_started, row.sequence = due.run_started, due.sequence
    row.settled = due.over and not served


def state_unread(session: Session, contract: str, problem: str) -> None:
    session.get_one(ErpStateRow, contract).problem = problem


def keep_invoices(session: Session, of: DueCustomer, invoices: Sequence[Invoice], moment: datetime) -> None:
    """A page of a customer's invoices, each as the ERP has it."""
    for each in invoices:
        contract = keys.contract_of(each.contract) if each.contract else None
        ours = contract if contract and session.get(LifecycleRow, contract) else None
        row = ErpInvoiceRow(
            connection=of.connection,
            invoice=each.id,
            customer=of.customer,
            contract=ours,
            number=each.number,
            status=each.status,
            currency=each.currency,
            total=str(each.total),
            open_amount=str(each.open_amount),
            issued_on=each.issued_on,
            due_on=each.due_on,
            read_at=moment,
        )
        session.merge(row)


def customer_read(session: Session, of: DueCustomer, moment: datetime, problem: str = "") -> None:
    """Its invoices were read to the end; or why they could not be."""
    row = session.get_one(ErpCustomerRow, (of.connection, of.customer))
    row.problem = problem
    if not problem:
        row.read_at = moment


def first_invoice(session: Session, contract: str) -> date | None:
    """The day on which the first invoice was issued that demands something for a contract."""
    query = select(ErpInvoiceRow).where(ErpInvoiceRow.contract == contract, col(ErpInvoiceRow.issued_on).is_not(None))
    demands = query.where(col(ErpInvoiceRow.status).in_(("posted", "paid")))
    days = [row.issued_on for row in session.exec(demands) if row.issued_on and not row.total.startswith("-")]
    return min(days, default=None)


class Freshness(NamedTuple):
    """`oldest`: when the state was read that was read longest ago, None where none was read or one never was; `unread`:
    how many are known of and were never read; `problems`: by connection, one of those that stand."""

    oldest: datetime | None
    unread: int
    problems: dict[str, str]


def freshness(session: Session) -> Freshness:
    """How old is what is known of the ERPs, of the contracts for which there may be news."""
    living = select(ErpStateRow).where(~col(ErpStateRow.settled)).subquery()
    oldest, unread = session.execute(
        select(func.min(living.c.read_at), func.count().filter(living.c.read_at.is_(None)))
    ).one()
    wrong = select(ErpStateRow.connection, func.min(ErpStateRow.problem)).where(ErpStateRow.problem != "")
    problems = dict(session.exec(wrong.group_by(col(ErpStateRow.connection))).all())
    return Freshness(oldest, unread, problems)
