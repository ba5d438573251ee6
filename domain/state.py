"""The whole state of a lifecycle: facts, decisions, what is still to be done. It crosses continue-as-new in one piece.

Everything else (stage, view, what is due) is derived from it by pure functions.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field

from domain import billing, calendar, keys
from domain.base import Tolerant
from domain.billing import BillingFacts
from domain.changes.kinds import AtRenewal, ChangeRecord, Moving
from domain.finance.records import Approval, Redated
from domain.messages import AmendmentWon, Succession
from domain.order import ContractSheet, Reason
from domain.policies.forecast import Category
from domain.policies.readiness import RenewalReadiness
from domain.policies.risk import URGENT_WITHIN_DAYS, Risk
from domain.readings import Look
from domain.standins import is_real
from domain.steps import Step
from domain.terms import ContractKind, LineTerms, PurchaseOrder
from domain.view import CaseView


class Decision(Tolerant):
    """The renewal decision of a term: who or what made it, and when. `quantities`: lines that change with the next;
    `months`: how long that is, where it is not as long as the terms say."""

    outcome: Literal["renew", "end"]
    by: str
    on: date
    quantities: dict[str, Decimal] = {}
    months: int | None = Field(default=None, exclude_if=lambda months: months is None)


class HandForecast(Tolerant):
    """What somebody expects of the renewal of a term, and why. It stands until it is withdrawn, or the decision."""

    term: int
    category: Category
    reason: str
    by: str
    on: date


class OpenCase(Tolerant):
    """An exception case of a step (or of the order): what failed, how often, when it is tried again by itself.

    `retry_at` None: only a person (or a corrected order) moves it on.
    """

    view: CaseView
    failures: int = 1
    retry_at: datetime | None = None


class Withheld(Tolerant):
    """A step that was decided and not performed, since its stage only observes or the lifecycle is in shadow.

    `on`: the day on which it was due. `settled`: what became of it once the stage acted; empty while it is withheld.
    """

    step: Step
    on: date
    why: str
    title: str
    settled: str = ""


class Moved(Tolerant):
    """The contract has gone from one account to another. `effects`: what stood under the former account's keys."""

    id: str
    account: str
    into: str
    effects: dict[str, str] = {}


class WonAmendment(Tolerant):
    """What a won deal amended, and from which day on: the day is the deal's own."""

    on: date
    lines: tuple[str, ...]


class LifecycleState(Tolerant):
    """Argument and continue-as-new payload of the workflow. Every field added later needs a default.

    `thrifty`: this run spends actions as docs/cost.md says. The run itself sets it, when it begins.
    """

    tenant: str
    contract: str
    account: str = ""
    deal: str = ""
    selling_entity: str = ""
    shift_seconds: float = 0
    former: dict[str, Succession] = {}
    account_moves: list[Moved] = []

    order_revision: int = 1
    reasons: tuple[Reason, ...] = ()
    sheet: ContractSheet | None = None
    connections: dict[str, str] = {}
    scopes: dict[str, str] = {}
    cancelled: str | None = None

    effects: dict[str, str] = {}
    queue: list[Step] = []
    doubts: dict[str, Step] = {}
    generations: dict[str, int] = {}
    told: dict[str, str] = {}
    cases: dict[str, OpenCase] = {}
    last_seq: int = 0
    refusals: dict[int, str] = {}

    activated_on: date | None = None
    milestones: dict[str, date] = {}
    early: list[AmendmentWon] = []
    quantities: dict[str, Decimal] = {}
    won: dict[str, WonAmendment] = Field(default={}, exclude_if=lambda won: not won)
    billing: dict[str, date] = {}

    overdue_since: date | None = None
    delinquent: tuple[str, ...] = ()
    long_overdue: bool = False
    grace_over: bool = False
    severities: dict[int, int] = {}
    adoption: Decimal | None = None
    risk: Risk | None = None

    approval: Approval | None = None
    mode: Literal["live", "shadow"] = "live"
    stages: dict[str, str] = {}
    withheld: dict[str, Withheld] = {}
    cut_over: date | None = None
    thrifty: bool = Field(default=False, exclude_if=lambda thrifty: not thrifty)

    hold: str | None = None
    erp_status: str | None = None
    erp_entitled: bool | None = None
    erp_ends: date | None = None
    held_by_hand: str | None = None
    held_for: tuple[str, ...] = ()
    purchase_order: PurchaseOrder | None = None
    purchase_order_days: int | None = None
    purchase_orders_asked: list[str] = []
    redated: dict[str, Redated] = {}
    price_notices: dict[int, date] = {}
    price_notice_asked: int = 0
    price_notice_missed: int = 0
    paused: str | None = None
    paused_until: date | None = None

    term: int = 1
    moved: dict[int, date] = {}
    at_renewal: AtRenewal = AtRenewal()
    leg: int = 1
    renewed_as: str | None = Field(default=None, exclude_if=lambda other: other is None)
    moving: Moving | None = None
    changes: list[ChangeRecord] = []
    window_opened: int = 0
    readiness: RenewalReadiness | None = None
    prepared: int = 0
    look: Look | None = None
    noted: RenewalReadiness | None = None
    escalated: int = 0
    reviewed_on: date | None = None
    review_prepared: date | None = None
    forecast: HandForecast | None = None
    decision: Decision | None = None
    ends_on: date | None = None
    end_reason: str = ""
    closed: bool = False

    # ── what the facts say ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def known(self) -> ContractSheet:
        """The valid order. Only code behind its validation may ask."""
        if self.sheet is None:
            raise ValueError("the order has not been validated")
        return self.sheet

    @property
    def zone(self) -> str:
        return self.sheet.terms.zone if self.sheet else "UTC"

    @property
    def cleared(self) -> bool:
        """The order is valid, and finance has nothing to approve any more: it may reach the ERP."""
        return self.sheet is not None and (self.approval is None or self.approval.given)

    @property
    def billed_elsewhere(self) -> bool:
        """Whether a reseller or marketplace bills the customer: billing and overdue invoices are its business."""
        return self.sheet is not None and self.sheet.terms.kind is ContractKind.RESELLER

    @property
    def customer(self) -> str | None:
        return self.made(self.customer_key) if self.sheet else None

    def made(self, key: str) -> str | None:
        """The id of the record outside that a step has made, or that was there before; None where none is known."""
        ref = self.effects.get(key)
        return ref if is_real(ref) else None

    @property
    def customer_key(self) -> str:
        """Of the ERP's customer: one for each account, selling entity and ERP."""
        return keys.customer(self.account, self.known.selling_entity, self.scopes.get("erp"))

    @property
    def company_key(self) -> str:
        """Of the company in CS: one for each account and CS platform."""
        return keys.company(self.account, self.scopes.get("cs"))

    def connection(self, kind: str) -> str:
        """The connection that serves this contract. A lifecycle from before they were recorded names the kind itself,
        which the worker of the kind's home serves too."""
        return self.connections.get(kind, kind)

    @property
    def subscription(self) -> str | None:
        """What the contract is billed by: the subscription that was made, or with which it goes on since a renewal."""
        return self.renewed_as or self.made(keys.subscription(self.leg_id))

    @property
    def leg_id(self) -> str:
        """What the ERP knows the contract by."""
        return keys.leg(self.contract, self.leg)

    @property
    def held(self) -> bool:
        """Whether nothing is decided at the moment, though it may be due."""
        return self.paused is not None or self.between_legs

    @property
    def between_legs(self) -> bool:
        """Whether it is moving to another legal entity or currency at this moment: nothing else is begun."""
        return self.moving is not None and self.moving.begun

    @property
    def company(self) -> str | None:
        return self.made(self.company_key)

    @property
    def opportunity(self) -> str | None:
        """The CRM's renewal opportunity for the term that runs."""
        return self.made(keys.renewal_opportunity(self.contract, self.term))

    @property
    def renewed(self) -> bool:
        """Whether the ERP already holds the next term."""
        return keys.renewal(self.contract, self.term + 1) in self.effects

    @property
    def billing_facts(self) -> BillingFacts:
        signed = self.known.signed_on
        # one that was reported before the order could be read may be older than the signature
        reached = {name: max(day, signed) for name, day in self.milestones.items()}
        if self.known.terms.kind is ContractKind.TRIAL and (self.renewed or self.term > 1):
            converted = self.term_number(2)
            reached |= {billing.CONVERSION: converted.starts} if converted else {}
        return BillingFacts(signed_on=signed, activated_on=self.activated_on, milestones=reached)

    def term_now(self) -> calendar.Term | None:
        return self.term_number(self.term)

    def agreed_term(self) -> calendar.Term | None:
        """The last term that is agreed: the next one, as soon as the ERP holds it."""
        return self.term_number(self.term + 1 if self.renewed else self.term)

    def term_number(self, number: int) -> calendar.Term | None:
        """None while nothing anchors the first term yet."""
        if self.sheet is None:
            return None
        anchor = calendar.anchor(self.sheet.terms, self.sheet.signed_on, self.activated_on)
        return calendar.term(self.sheet.terms, anchor, number, self.moved) if anchor else None

    def first_term(self, activated_on: date) -> calendar.Term:
        """The first term of an order that is activated on this day."""
        anchor = calendar.anchor(self.known.terms, self.known.signed_on, activated_on)
        return calendar.term(self.known.terms, anchor or activated_on, 1)

    def window_opens(self) -> datetime | None:
        """The instant at which the renewal window of the running term opens; None for an evergreen contract."""
        term = self.term_now()
        day = calendar.window_opens(self.known.terms, term) if term else None
        return calendar.start_of_day(day, self.zone) if day else None

    def cut_off(self) -> datetime | None:
        """The instant after the last day on which notice may be given."""
        term = self.term_now()
        day = calendar.notice_cut_off(self.known.terms, term) if term else None
        return calendar.start_of_day(day + timedelta(days=1), self.zone) if day else None

    @property
    def if_undecided(self) -> calendar.Undecided:
        """What becomes of the contract if nobody decides about the running term."""
        return calendar.if_undecided(self.known.terms, self.term)

    @property
    def ends_by_itself(self) -> bool:
        """Whether nothing can follow the running term: no renewal is worked on."""
        return self.known.terms.kind is ContractKind.ONE_OFF

    def last_word(self) -> datetime | None:
        """The instant at which the running term is decided by itself, or is over undecided."""
        return self.cut_off() if self.if_undecided is calendar.Undecided.RENEWS else self.term_over()

    def last_month(self) -> datetime | None:
        """The instant from which the term's end is so near that any concern is urgent."""
        term = self.term_now()
        return (
            calendar.start_of_day(term.ends - timedelta(days=URGENT_WITHIN_DAYS), self.zone)
            if term and term.ends and not self.ends_by_itself
            else None
        )

    def term_over(self) -> datetime | None:
        """The instant at which the running term is over."""
        term = self.term_now()
        return calendar.start_of_day(term.ends, self.zone) if term and term.ends else None

    def line_starts(self, line: LineTerms, today: date) -> date | None:
        """The day on which a line's billing starts, if it has come by today."""
        return billing.line_starts(line, self.known.terms, self.billing_facts, today)

    def awaits_billing(self, line: LineTerms, today: date) -> bool:
        """Whether a line that runs today is not billed yet. One that begins later, or is over, is not waited for."""
        begun = line.starts is None or line.starts <= today
        return line.id not in self.billing and begun and not billing.is_over(line, today)

    def next_date(self, line: LineTerms, today: date) -> datetime | None:
        """The next day on which time alone may meet a line's billing rule: its own dates, and facts dated ahead."""
        if billing.is_over(line, today):
            return None
        facts = self.billing_facts
        rule = billing.rule_of(line, self.known.terms, facts)
        reached = [facts.milestones[name] for name in billing.awaited_milestones(rule) if name in facts.milestones]
        dated = [*billing.awaited_dates(rule), *reached, facts.signed_on, facts.activated_on]
        days = [day for day in dated if day is not None and day > today]
        return calendar.start_of_day(min(days), self.zone) if days else None

    def line(self, name: str) -> LineTerms | None:
        """The line with this id, as it is now."""
        return next((line for line in self.known.lines if line.id == name), None)

    def minimum_ends(self) -> date | None:
        """The day until which the contract runs at the least; None where its terms name no minimum."""
        first, months = self.term_number(1), self.known.terms.minimum_months
        return calendar.add_months(first.starts, months) if first and months else None

    def earliest_end(self, notice_on: date) -> date:
        """The first day not served, where notice is given on a day and the terms are kept to."""
        anchor = calendar.anchor(self.known.terms, self.known.signed_on, self.activated_on)
        if anchor is None:
            raise ValueError("nothing anchors the first term yet")
        return calendar.earliest_end(self.known.terms, anchor, self.moved, notice_on)

    def resumes(self) -> datetime | None:
        """The instant at which a pause is over by itself."""
        return calendar.start_of_day(self.paused_until, self.zone) if self.paused_until else None

    def end_instant(self) -> datetime | None:
        """The instant at which the contract ends, once that is decided."""
        return calendar.start_of_day(self.ends_on, self.zone) if self.ends_on else None
