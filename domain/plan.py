"""What each step asks for, made from the state: the decision is fixed here, with its key."""

from datetime import date

from domain import keys, reviews
from domain.calendar import Review, Term
from domain.finance import purchasing
from domain.state import LifecycleState
from domain.steps import (
    ActivateOrder,
    AmendSubscription,
    CancelSubscription,
    CreateCustomer,
    CreateRenewalOpportunity,
    CreateSubscription,
    EndSubscription,
    EnsureCompany,
    LaunchOnboarding,
    PostNote,
    RenewSubscription,
    StartBilling,
    StartPlaybook,
    ValidateOrder,
)


def validate_order(s: LifecycleState) -> ValidateOrder:
    return ValidateOrder(key=keys.order_check(s.contract, s.order_revision), revision=s.order_revision)


def create_customer(s: LifecycleState) -> CreateCustomer:
    return CreateCustomer(key=s.customer_key, revision=s.order_revision, account=s.account if s.account_moves else None)


def create_subscription(s: LifecycleState) -> CreateSubscription:
    term = s.term_now()
    return CreateSubscription(
        key=keys.subscription(s.leg_id),
        revision=s.order_revision,
        customer=s.customer or "",
        starts=term.starts if term else None,
        ends=term.ends if term else None,
    )


def activate_order(s: LifecycleState, today: date) -> ActivateOrder:
    """Where activation anchors the first term, today is the anchor."""
    first = s.first_term(today)
    return ActivateOrder(
        key=keys.activation(s.contract),
        subscription=s.subscription or "",
        on=today,
        starts=first.starts,
        ends=first.ends,
    )


def start_billing(s: LifecycleState, line: str, starts: date) -> StartBilling:
    """The day on which the line's rule was met is also the day of acceptance, which triggers revenue."""
    return StartBilling(
        key=keys.billing_start(s.leg_id, line, 1),
        subscription=s.subscription or "",
        line=line,
        starts=starts,
        accepted_on=starts,
        purchase_order=purchasing.unknown_to_erp(s),
    )


def ensure_company(s: LifecycleState) -> EnsureCompany:
    return EnsureCompany(key=s.company_key, revision=s.order_revision, account=s.account if s.account_moves else None)


def launch_onboarding(s: LifecycleState, today: date) -> LaunchOnboarding:
    return LaunchOnboarding(key=keys.onboarding(s.contract), company=s.company or "", starts=today)


def create_renewal_opportunity(s: LifecycleState, term: Term) -> CreateRenewalOpportunity:
    return CreateRenewalOpportunity(
        key=keys.renewal_opportunity(s.contract, term.number),
        account=s.account,
        renews_deal=s.deal,
        close_by=term.ends or term.starts,
    )


def start_playbook(s: LifecycleState, term: Term, review: Review | None = None) -> StartPlaybook:
    """For the renewal of a term, or for a yearly review in it."""
    name = reviews.name(review) if review else ""
    due = review.on if review else term.ends or term.starts
    return StartPlaybook(key=keys.playbook(s.contract, term.number, name), company=s.company or "", due=due)


def post_note(s: LifecycleState, term: Term, occasion: str = "", text: str | None = None) -> PostNote:
    """The readiness in words; on a later `occasion` in the term with what else there is to say."""
    words = text if text is not None else s.readiness.summary() if s.readiness else ""
    return PostNote(key=keys.readiness_note(s.contract, term.number, occasion), company=s.company or "", text=words)


def renew_subscription(s: LifecycleState) -> RenewSubscription:
    """Into the next term, which may be without end. ValueError for a term that has none itself: nothing follows it."""
    following = s.term_number(s.term + 1)
    if following is None:
        raise ValueError("nothing anchors the first term yet")
    return RenewSubscription(
        key=keys.renewal(s.contract, following.number),
        subscription=s.subscription or "",
        term=following.number,
        starts=following.starts,
        ends=following.ends,
        purchase_order=purchasing.unknown_to_erp(s),
    )


def amend_with_renewal(s: LifecycleState) -> AmendSubscription | None:
    """What changes with the first day of the next term: as was agreed before, and where it differs as it was decided.
    None where nothing does."""
    agreed, decided = s.at_renewal, s.decision.quantities if s.decision else {}
    removed = tuple(line for line in agreed.removed if line not in decided)
    quantities = agreed.quantities | decided
    if not (quantities or removed or agreed.added):
        return None
    return AmendSubscription(
        key=keys.renewal_amendment(s.contract, s.term + 1),
        subscription=s.subscription or "",
        effective=renew_subscription(s).starts,
        quantities=quantities,
        former={line: s.quantities[line] for line in quantities},
        revision=agreed.revision,
        added=tuple(line.id for line in agreed.added),
        removed=removed,
    )


def end_subscription(s: LifecycleState, today: date) -> EndSubscription:
    return EndSubscription(
        key=keys.ending(s.leg_id),
        subscription=s.subscription or "",
        ends=s.ends_on or today,
        reason=s.end_reason,
    )


def cancel_subscription(s: LifecycleState) -> CancelSubscription:
    return CancelSubscription(
        key=keys.cancellation(s.contract), subscription=s.subscription or "", reason=s.cancelled or ""
    )
