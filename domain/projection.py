"""What is derived from a lifecycle's state: its stage, what is due next, the levels that others must show, the view."""

from datetime import date, datetime

from domain import billing, calendar, prospects, renewals, reviews
from domain.finance import dues, price_notice, purchasing
from domain.state import LifecycleState
from domain.steps import Level, SetCreditHold, SetHealth, WriteStatus
from domain.terms import BillingRule, LineTerms
from domain.view import ForecastView, LifecycleView, LineView, PriceNoticeView, Stage, WithheldView


def stage(state: LifecycleState, now: datetime) -> Stage:
    """Where the lifecycle stands, from its facts alone."""
    over = state.term_over() if state.activated_on else None
    if state.cancelled is not None:
        return Stage.CANCELLED
    if state.closed:
        return Stage.ENDED
    if state.activated_on is None:
        return Stage.ORDER_ACTIVATION
    if state.ends_on is not None:
        return Stage.ENDING
    if over is not None and now >= over and state.decision is None:
        return Stage.OUT_OF_TERM
    if state.window_opened == state.term and not state.renewed:
        return Stage.RENEWAL
    if state.known.go_live not in state.milestones:
        return Stage.ONBOARDING
    today = calendar.civil_date(now, state.zone)
    if any(state.awaits_billing(line, today) for line in state.known.lines):
        return Stage.BILLING_ACTIVATION
    return Stage.SERVING


def due(state: LifecycleState, now: datetime) -> list[tuple[datetime, str]]:
    """Everything that happens by itself when its time comes, soonest first: (instant, in words)."""
    coming = [(case.retry_at, f"try again: {case.view.title}") for case in state.cases.values() if case.retry_at]
    if state.activated_on is not None and not state.closed:
        today, end = calendar.civil_date(now, state.zone), state.end_instant()
        for line in state.known.lines:
            starts = state.next_date(line, today) if line.id not in state.billing else None
            if starts and (end is None or starts < end):
                coming.append((starts, f"billing of line {line.id} may start"))
        if state.ends_on is not None:
            coming.append((calendar.start_of_day(state.ends_on, state.zone), "the contract ends"))
        else:
            if state.window_opened < state.term and (opens := state.window_opens()):
                coming.append((opens, "the renewal window opens"))
            coming += [(matter.at, matter.what) for matter in reviews.agenda(state)]
            coming += [(each.at, each.what) for each in dues.coming(state)]
            if state.decision is None:
                coming += [(matter.at, matter.what) for matter in renewals.agenda(state)]
            elif over := state.term_over():
                coming.append((over, f"term {state.term} is over"))
    return sorted((at, what) for at, what in coming if at > now)


def levels(state: LifecycleState, now: datetime) -> list[Level]:
    """What CRM, CS and ERP must show now. Written only when it differs from what was last told."""
    wanted: list[Level] = [
        WriteStatus(
            key="crm.write_status",
            deal=state.deal,
            status=status(state),
            erp_customer=state.customer if state.activated_on else None,
            erp_subscription=state.subscription if state.activated_on else None,
            renewal_date=_renewal_date(state) if state.activated_on else None,
        )
    ]
    if state.company is not None:
        # what is agreed is told when it is agreed: the next term's first day has nothing more to say
        term = state.agreed_term() if state.thrifty else state.term_now()
        wanted.append(
            SetHealth(
                key="cs.set_health",
                company=state.company,
                stage=stage(state, now).value,
                overdue_since=state.overdue_since,
                long_overdue=state.long_overdue,
                severities=state.severities,
                adoption=state.adoption,
                zone=state.zone,
                term_ends=term.ends if term else None,
                last_month=_reached(state.last_month(), now) and not (state.thrifty and state.renewed),
                window_open=state.window_opened == state.term and not state.renewed,
                undecided=state.escalated == state.term,
            )
        )
    return wanted + credit_hold(state)


def credit_hold(state: LifecycleState) -> list[Level]:
    """What the ERP must show of the customer's credit. Nothing, where this contract never asked for a hold."""
    key = "erp.set_credit_hold"
    asked = state.hold is not None or key in state.told or key in state.cases  # a failed try may have set it
    if state.customer is None or not asked:
        return []
    held, reason = state.hold is not None, state.hold or "released"
    return [SetCreditHold(key=key, customer=state.customer, held=held, reason=reason)]


def _reached(instant: datetime | None, now: datetime) -> bool:
    return instant is not None and instant <= now


def status(state: LifecycleState) -> str:
    """The one word a salesperson reads on the deal."""
    if state.cancelled is not None:
        return "cancelled"
    if state.closed:
        return "ended"
    if state.ends_on is not None:
        return "ending"
    if state.activated_on is not None:
        return "renewed" if state.renewed or state.term > 1 else "active"
    return "needs attention" if state.cases else "activating"


def _renewal_date(state: LifecycleState) -> date | None:
    term = state.term_now()
    return term.ends if term else None


def view(state: LifecycleState, now: datetime) -> LifecycleView:
    """The whole view of a lifecycle at a business instant."""
    term = state.term_now() if state.activated_on else None
    opens = state.window_opens() if state.activated_on else None
    coming = due(state, now)
    entitled = prospects.entitlement_of(state, now)
    reviewed = reviews.evergreen(state) and not state.closed
    held = reviews.last_review(state, state.reviewed_on) if reviewed else None
    return LifecycleView(
        contract=state.contract,
        stage=stage(state, now),
        mode=state.mode,
        cut_over=state.cut_over,
        stages={name: chosen for name, chosen in state.stages.items() if chosen != "act"},
        withheld=[
            WithheldView(key=key, title=held.title, on=held.on, why=held.why, settled=held.settled)
            for key, held in state.withheld.items()
        ],
        account=state.account,
        deal=state.deal,
        selling_entity=state.selling_entity,
        leg=state.leg,
        renewed_as=state.renewed_as,
        renewed_until=agreed.ends if state.renewed and (agreed := state.agreed_term()) else None,
        connections=state.connections,
        parent_account=state.sheet.parent_account if state.sheet else None,
        former=dict(state.former),
        moved_from=[move.account for move in state.account_moves],
        zone=state.zone,
        term=state.term if term else 0,
        term_starts=term.starts if term else None,
        term_ends=term.ends if term else None,
        renewal_date=term.ends if term else None,
        window_opens=calendar.civil_date(opens, state.zone) if opens else None,
        notice_cut_off=renewals.notice_day(state) if term else None,
        review=held.number if held else 0,
        review_opens=reviews.next_review(state).opens if reviewed and state.ends_on is None else None,
        next_due=coming[0][0] if coming else None,
        next_step=_next_step(state, coming, calendar.civil_date(now, state.zone)),
        risk=state.risk.level if state.risk else "low",
        renewal_priority=state.risk.renewal_priority if state.risk else "normal",
        decision=f"{state.decision.outcome} ({state.decision.by})" if state.decision else None,
        approval=state.approval,
        hold=state.hold,
        paused=state.paused,
        purchase_order=state.purchase_order,
        price_notice=price_notice.shown(state),
        redated=state.redated,
        readiness=state.readiness.model_dump(mode="json") if state.readiness else None,
        forecast=prospects.forecast_of(state, now),
        entitlement=entitled.level,
        entitlement_reason=entitled.reason,
        entitlement_since=entitled.since,
        lines=[
            LineView(
                id=line.id,
                product=line.product,
                quantity=str(state.quantities.get(line.id, line.quantity)),
                billing_rule=billing.describe(_billing_rule(state, line)),
                billing_starts=state.billing.get(line.id),
                billed_by=(state.known.terms.billed_by or "a reseller") if state.billed_elsewhere else None,
                waits_for=waits_for(state, line, calendar.civil_date(now, state.zone)),
            )
            for line in (state.sheet.lines if state.sheet else ())
        ],
        milestones=state.milestones,
        effects=state.effects,
        pending=[step.key for step in state.queue],
        cases=[case.view for case in state.cases.values()],
        last_seq=state.last_seq,
        as_of=now,
    )


def _billing_rule(state: LifecycleState, line: LineTerms) -> BillingRule:
    return billing.rule_of(line, state.known.terms, state.billing_facts)


def waits_for(state: LifecycleState, line: LineTerms, today: date) -> str | None:
    """What holds up the billing of a line whose own rule is met."""
    if state.activated_on is None or state.closed or line.id in state.billing:
        return None
    held = purchasing.holds_billing(state, today) and state.line_starts(line, today)
    return "the customer's purchase order" if held else None


def _next_step(state: LifecycleState, coming: list[tuple[datetime, str]], today: date) -> str:
    """What the lifecycle waits for, in one line."""
    if state.paused is not None:
        until = f" until {state.paused_until}" if state.paused_until else ", until it is resumed"
        return f"paused{until}: {state.paused}"
    if state.cases:
        return f"needs attention: {next(iter(state.cases.values())).view.title}"
    if state.hold and state.activated_on is None and state.cancelled is None:
        return f"waits for the release of the credit hold ({state.hold})"
    lines = state.sheet.lines if state.sheet else ()
    if waiting := [line.id for line in lines if waits_for(state, line, today)]:
        return f"billing of {', '.join(waiting)} waits for the customer's purchase order"
    if state.activated_on and not state.closed and state.known.go_live not in state.milestones:
        return f"waits for the milestone {state.known.go_live}"
    return f"{coming[0][1]} ({calendar.civil_date(coming[0][0], state.zone)})" if coming else ""


def _told(notice: PriceNoticeView) -> str:
    if notice.told is not None:
        return f"told on {notice.told}"
    return f"not told by {notice.due}, so it can't apply" if notice.applies is False else f"to be told by {notice.due}"


def _forecast(seen: ForecastView) -> str:
    words = seen.category.replace("_", " ")
    by = f" by {seen.by}, where the facts say {seen.computed.replace('_', ' ')}" if seen.by else ""
    return f"{words}{by}: {'; '.join(seen.reasons)}"


def details(seen: LifecycleView) -> str:
    """The view as Markdown, for the Temporal UI's current details."""
    lines = [
        f"## {seen.contract}: {seen.stage.value.replace('_', ' ')}{' (in shadow)' if seen.mode == 'shadow' else ''}",
        f"**Next:** {seen.next_step or 'nothing'}",
        "",
    ]
    if seen.cases:
        lines.append("### Needs attention")
        for case in seen.cases:
            lines += [f"- **{case.title}** (since {case.opened_at:%Y-%m-%d %H:%M} UTC, {case.actor})"]
            lines += [f"  - {reason}" for reason in case.reasons]
            lines += [f"  - mend it: `{case.mend}`"] if case.mend else []
    lines.append("")
    if seen.term:
        lines.append(f"- **Term {seen.term}:** {seen.term_starts} until {seen.term_ends or 'ended by notice'}")
        lines += [f"- **Renewal window:** opens {seen.window_opens}"] if seen.window_opens else []
        lines += [f"- **Last day of notice:** {seen.notice_cut_off}"] if seen.notice_cut_off else []
        lines += [f"- **Decision:** {seen.decision}"] if seen.decision else []
        lines += [f"- **Forecast:** {_forecast(seen.forecast)}"] if seen.forecast else []
        lines += [f"- **Next yearly review:** opens {seen.review_opens}"] if seen.review_opens else []
        lines.append(f"- **Entitlement:** {seen.entitlement} ({seen.entitlement_reason})")
    for key, moved in seen.redated.items():
        lines.append(f"- **Dated anew:** {key}, from {moved.was} to {moved.on} ({moved.by})")
    if seen.price_notice:
        lines.append(f"- **Price increase:** {_told(seen.price_notice)}")
    if seen.purchase_order:
        until = f", until {seen.purchase_order.expires_on}" if seen.purchase_order.expires_on else ""
        lines.append(f"- **Purchase order:** {seen.purchase_order.number}{until}")
    if seen.hold:
        lines.append(f"- **Credit hold:** {seen.hold}")
    if seen.approval and seen.approval.given:
        lines.append(f"- **Approved by finance:** {seen.approval.approved_by}, {seen.approval.on}")
    lines += [f"- **{how.replace('_', ' ')}:** {former}" for former, how in seen.former.items()]
    lines += [f"- **Account:** {seen.account}, part of {seen.parent_account}"] if seen.parent_account else []
    lines += [f"- **Moved from account:** {', '.join(seen.moved_from)}"] if seen.moved_from else []
    elsewhere = [f"{kind} {name}" for kind, name in seen.connections.items() if kind != name]
    lines += [f"- **Connections:** {', '.join(elsewhere)}"] if elsewhere else []
    lines += [f"- **Risk:** {seen.risk}, **renewal priority:** {seen.renewal_priority}", ""]
    if seen.lines:
        lines += ["| line | product | quantity | billing starts |", "|---|---|---|---|"]
        lines += [
            f"| {line.id} | {line.product} | {line.quantity} | {line.billing_starts or line.billing_rule} |"
            for line in seen.lines
        ]
    if seen.stages:
        lines += ["", "- **Stages:** " + ", ".join(f"{name} {chosen}" for name, chosen in seen.stages.items())]
    if seen.withheld:
        lines += ["", "| not done | due | why |", "|---|---|---|"]
        lines += [f"| {held.title} | {held.on} | {held.settled or held.why} |" for held in seen.withheld]
    if seen.effects:
        lines += [
            "",
            "| done | id outside |",
            "|---|---|",
            *(f"| {key} | {ref} |" for key, ref in seen.effects.items()),
        ]
    return "\n".join(lines)
