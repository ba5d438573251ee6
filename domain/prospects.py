"""What a lifecycle's state says of its future: the forecast of its renewal, and what the customer may use."""

from datetime import date, datetime

from domain import calendar
from domain.messages import ForecastRenewal
from domain.policies.entitlement import EntitlementFacts, EntitlementStanding, entitlement
from domain.policies.forecast import Outlook, forecast
from domain.refused import Refused
from domain.state import HandForecast, LifecycleState
from domain.terms import ChargeType
from domain.view import BookingView, ForecastView


def entitlement_of(s: LifecycleState, now: datetime) -> EntitlementStanding:
    """What the customer may use at a business instant."""
    over = s.term_over() if s.activated_on is not None else None
    undecided = s.decision is None and s.ends_on is None
    return entitlement(
        EntitlementFacts(
            today=calendar.civil_date(now, s.zone),
            cancelled=s.cancelled is not None,
            activated_on=s.activated_on,
            ends_on=s.ends_on,
            closed=s.closed,
            term_over=calendar.civil_date(over, s.zone) if over and over <= now and undecided else None,
            hold=s.hold,
            overdue_since=s.overdue_since,
            grace_over=s.grace_over,
            erp_status=s.erp_status,
            erp_entitled=s.erp_entitled,
            erp_ends=s.erp_ends,
        )
    )


def forecast_of(s: LifecycleState, now: datetime) -> ForecastView | None:
    """What the renewal of the running term is expected to become. None where there is none: before the activation, and
    for what nothing can follow, or what runs on without an end that anybody has set."""
    term = s.term_now() if s.activated_on is not None else None
    over = s.cancelled is not None or s.closed
    if term is None or over or s.ends_by_itself or (term.ends is None and s.ends_on is None):
        return None
    computed = forecast(outlook(s, now))
    said = forecast_by_hand(s)
    category = said.category if said else computed.category
    return ForecastView(
        term=s.term,
        category=category,
        reasons=[said.reason, *computed.reasons] if said else list(computed.reasons),
        computed=computed.category,
        by=said.by if said else "",
        booking=booking(s) if category != "churn" else None,
    )


def check_forecast(s: LifecycleState, command: ForecastRenewal) -> None:
    """Refuses a forecast of nothing or of what is decided, one without a reason, and a withdrawal of none."""
    if s.activated_on is None:
        raise Refused("the order is not activated yet, so there is nothing to forecast")
    if s.decision is not None or s.ends_on is not None:
        raise Refused(f"the renewal after term {s.term} is decided: it is not forecast any more")
    term = s.term_now()
    if term is None or term.ends is None or s.ends_by_itself:
        raise Refused("no renewal follows on the running term, so there is none to forecast")
    if command.category is None and forecast_by_hand(s) is None:
        raise Refused("nobody has forecast this renewal by hand, so there is nothing to withdraw")
    if command.category is not None and not command.reason.strip():
        raise Refused("a forecast needs a reason")


def take_forecast(s: LifecycleState, command: ForecastRenewal, today: date) -> str:
    """Record it, or take it back. Answers in words."""
    if command.category is None:
        s.forecast = None
        return "withdrawn: the facts forecast again"
    s.forecast = HandForecast(term=s.term, category=command.category, reason=command.reason, by=command.by, on=today)
    return f"the renewal after term {s.term} is forecast as {command.category.replace('_', ' ')}"


def forecast_by_hand(s: LifecycleState) -> HandForecast | None:
    """What somebody forecast, while it stands."""
    said, decided = s.forecast, s.decision is not None or s.ends_on is not None
    return said if said is not None and said.term == s.term and not decided else None


def outlook(s: LifecycleState, now: datetime) -> Outlook:
    """What is known of the renewal of the running term."""
    term, read = s.term_now(), s.readiness
    today = calendar.civil_date(now, s.zone)
    decided = "end" if s.ends_on is not None else s.decision.outcome if s.decision else None
    terms = s.known.terms
    return Outlook(
        decided=decided,
        by=s.end_reason if s.ends_on is not None else s.decision.by if s.decision else "",
        days=(term.ends - today).days if term and term.ends else None,
        auto_renew=s.if_undecided is calendar.Undecided.RENEWS,
        notice_until=calendar.notice_cut_off(terms, term) if term else None,
        readiness=read.verdict if read else None,
        score=read.score if read else None,
        risk=s.risk.level if s.risk else "low",
        overdue=bool(s.delinquent),
        long_overdue=s.long_overdue,
        opportunity=read.opportunity.says if read and read.opportunity else None,
        opportunity_stage=read.opportunity.stage if read and read.opportunity else "",
        escalated=s.escalated == s.term,
    )


def booking(s: LifecycleState) -> BookingView | None:
    """The term that would follow and, of what is charged again and again, how many of each line then."""
    following = s.term_number(s.term + 1)
    if following is None:
        return None
    agreed, decided = s.at_renewal, s.decision.quantities if s.decision else {}
    lines = [
        line
        for line in (*s.known.lines, *agreed.added)
        if line.charge is not ChargeType.ONE_TIME
        and line.id not in agreed.removed
        and (line.ends is None or line.ends > following.starts)
    ]
    quantities = s.quantities | agreed.quantities | decided
    return BookingView(
        term=following.number,
        starts=following.starts,
        ends=following.ends,
        quantities={line.id: str(quantities.get(line.id, line.quantity)) for line in lines},
    )
