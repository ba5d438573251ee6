"""Having the outside hold what the terms say: the effect once more, or a field set to what it should be."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from domain import keys
from domain.access.within import unmarked
from domain.ports.records import Correction, RecordKind
from domain.reconciling.expected import Expected, ExpectedLine
from domain.reconciling.ground import Ground, Unrepairable
from domain.reconciling.mends import MADE, Correct, Mend, Redo, Relink
from domain.steps import (
    ActivateOrder,
    AmendSubscription,
    CancelSubscription,
    ChangeTerm,
    CreateCustomer,
    CreateRenewalOpportunity,
    CreateSubscription,
    EndSubscription,
    EnsureCompany,
    LaunchOnboarding,
    RenewSubscription,
    SetCreditHold,
    StartBilling,
    StartPlaybook,
    Step,
    WriteStatus,
)
from domain.view import Stage

WHY = "reconciled with the terms"


def redo(g: Ground) -> list[Mend]:
    kind = g.difference.kind
    if kind == "erp_subscription_contract":
        not_anothers(g, g.difference.subject)
    if kind in _FIELDS:
        return [_field(g, *_FIELDS[kind])]
    if kind.startswith("crm_"):
        return _crm(g)
    if kind.startswith("cs_"):
        return _cs(g)
    return _customer(g) if kind.startswith(("erp_customer", "erp_hold")) else _subscription(g)


def not_anothers(g: Ground, subscription: str) -> None:
    """An ERP that was restored gives an id twice: what names another contract is that one's, until somebody has looked.
    Raises Unrepairable."""
    said = g.difference
    if said.theirs and subscription == said.subject:
        raise Unrepairable(
            f"{said.subject} names {said.theirs} in the ERP, and would be taken from it: look there which subscription "
            f"is that of {g.contract.contract}, and name it as the record that is meant (link)"
        )


def _correct(g: Ground, kind: RecordKind, id: str, /, **fields: Any) -> Mend:
    return _corrected(g, Correction(kind=kind, id=id, fields=fields))


def _correct_lines(g: Ground, kind: RecordKind, id: str, lines: Mapping[str, Mapping[str, Any]]) -> Mend:
    return _corrected(g, Correction(kind=kind, id=id, lines=lines))


def _corrected(g: Ground, said: Correction) -> Mend:
    return Correct(connection=g.contract.connection(_SYSTEM[said.kind]), correction=said)


def _owned_by(g: Ground, kind: RecordKind, id: str, /, **owner: str) -> Mend:
    """The record has another owner, since its own is another; it may be lost with that one."""
    said = Correction(kind=kind, id=id, fields=owner)
    return Correct(connection=g.contract.connection(_SYSTEM[kind]), correction=said, if_there=True)


def _redo(g: Ground, step: Step, lost: str | None = None) -> Mend:
    return Redo(contract=g.contract.contract, connection=g.contract.connection(step.system), step=step, lost=lost)


_SYSTEM: dict[RecordKind, str] = {
    "customers": "erp", "subscriptions": "erp", "accounts": "crm", "opportunities": "crm", "companies": "cs",
    "plans": "cs", "playbooks": "cs",
}  # fmt: skip

_FIELDS: dict[str, tuple[RecordKind, str, str]] = {
    "erp_customer_account": ("customers", "account", "account"),
    "erp_customer_entity": ("customers", "selling_entity", "selling_entity"),
    "erp_customer_parent": ("customers", "parent_account", "parent"),
    "erp_subscription_customer": ("subscriptions", "customer", "customer"),
    "erp_subscription_contract": ("subscriptions", "contract", "leg"),
    "erp_currency": ("subscriptions", "currency", "currency"),
    "erp_term_start": ("subscriptions", "starts", "starts"),
    "crm_account_parent": ("accounts", "parent", "parent"),
    "crm_deal_account": ("opportunities", "account", "account"),
    "crm_currency": ("opportunities", "currency", "currency"),
    "crm_opportunity_close": ("opportunities", "close_by", "ends"),
    "cs_company_account": ("companies", "account", "account"),
    "cs_company_parent": ("companies", "parent_account", "parent"),
    "cs_onboarding_company": ("plans", "company", "company"),
    "cs_playbook_due": ("playbooks", "on", "ends"),
}
"""Where one field is to say what one of ours says: the kind of record, its field, and ours."""


def _field(g: Ground, kind: RecordKind, theirs: str, ours: str) -> Mend:
    value = getattr(g.contract, ours)
    return _correct(g, kind, g.difference.subject, **{theirs: str(value) if isinstance(value, date) else value})


# ── ERP ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def moved_to(g: Ground, customer: str) -> list[Mend]:
    """The subscriptions of those who share a customer become this one's."""
    subscriptions = [each.subscription for each in g.sharing if each.subscription is not None and not each.over]
    return [_owned_by(g, "subscriptions", subscription, customer=customer) for subscription in subscriptions]


def _customer(g: Ground) -> list[Mend]:
    e = g.contract
    if g.difference.kind == "erp_customer_missing":
        make = CreateCustomer(key=e.customer_key, revision=g.revision, anew=True)
        contracts = tuple(each.contract for each in g.sharing)
        known = Relink(contracts=contracts, key=e.customer_key, id=MADE, connection=e.connection("erp"))
        return [_redo(g, make, lost=e.customer), *moved_to(g, MADE), known]
    held = g.difference.kind == "erp_hold_missing"
    reason = "held by its contract" if held else "released"
    return [_redo(g, SetCreditHold(key="erp.set_credit_hold", customer=e.customer or "", held=held, reason=reason))]


def _subscription(g: Ground) -> list[Mend]:
    e, kind, it = g.contract, g.difference.kind, g.contract.subscription or ""
    line = next((each for each in e.lines if each.id == g.difference.subject), None)
    match kind:
        case "erp_subscription_missing":
            return _whole_subscription(g)
        case "erp_not_active":
            return [_redo(g, _activation(g, it))]
        case "erp_active_unasked":
            return [_correct(g, "subscriptions", it, status="draft")]
        case "erp_cancelled" | "erp_ended":
            return [_correct(g, "subscriptions", it, status="active", ends=_text(e.ends))]
        case "erp_not_ended":
            if e.stage is Stage.CANCELLED:
                return [_redo(g, CancelSubscription(key=g.key, subscription=it, reason=WHY))]
            ends = min(e.ends, g.today) if e.ends else g.today
            return [_redo(g, EndSubscription(key=g.key, subscription=it, ends=ends, reason=WHY))]
        case "erp_term_end":
            return [_redo(g, _term(g, it))]
        case "erp_renewed_unasked":
            return [_redo(g, _term(g, it)), _correct(g, "subscriptions", it, term=e.term)]
        case "erp_renewal_missing":
            return [_redo(g, _renewal(g, it))]
        case "erp_line_unknown":
            removed = (g.difference.subject,)
            step = AmendSubscription(key=g.key, subscription=it, effective=g.today, quantities={}, removed=removed)
            return [_redo(g, step)]
    return _line(g, it, _there(line))


def _there(line: ExpectedLine | None) -> ExpectedLine:
    if line is None:
        raise Unrepairable("the contract has no such line any more")
    return line


def _line(g: Ground, it: str, line: ExpectedLine) -> list[Mend]:
    match g.difference.kind:
        case "erp_line_missing":
            added: Any = {"added": (line.id,), "revision": g.revision}
            begins = g.contract.starts or g.today
            step = AmendSubscription(key=g.key, subscription=it, effective=begins, quantities={}, **added)
            return [_redo(g, step), *_billed(g, it, [line])]
        case "erp_quantity" | "erp_amendment_missing":
            target, former = {line.id: line.quantity}, {line.id: Decimal(g.difference.theirs)}
            step = AmendSubscription(key=g.key, subscription=it, effective=g.today, quantities=target, former=former)
            return [_redo(g, step)]
        case "erp_billing_missing":
            return _billed(g, it, [line])
        case "erp_product":
            return [_correct_lines(g, "subscriptions", it, {line.id: {"product": line.product}})]
        case "erp_price":
            return [_correct_lines(g, "subscriptions", it, {line.id: {"unit_price": str(line.unit_price)}})]
        case "erp_billed_unasked":
            return [_correct_lines(g, "subscriptions", it, {line.id: {"billed_from": None, "accepted_on": None}})]
        case "erp_billing_date":
            return [_correct_lines(g, "subscriptions", it, {line.id: {"billed_from": _text(line.billed_from)}})]
    raise Unrepairable("nobody has said how")


def _whole_subscription(g: Ground) -> list[Mend]:
    """A new one as it should be by now: its lines, its term, and what is billed. One that was not activated yet is a
    draft again, with which the lifecycle goes on."""
    e, at = g.contract, f"{g.key}:subscription"
    create = CreateSubscription(
        key=at,
        revision=g.revision,
        customer=e.customer or "",
        starts=e.starts,
        ends=e.ends,
        leg=None if e.leg == e.contract else e.leg,
        quantities={line.id: line.quantity for line in e.lines},
    )
    key = keys.subscription(e.leg)
    known = Relink(contracts=(e.contract,), key=key, id=MADE, connection=e.connection("erp"))
    begun = [_redo(g, _activation(g, MADE)), *_billed(g, MADE, e.lines)] if e.activated else []
    return [_redo(g, create), *begun, known]


def _activation(g: Ground, it: str) -> Step:
    e = g.contract
    if e.starts is None:
        raise Unrepairable("nothing says on which day the term starts")
    return ActivateOrder(key=f"{g.key}:activation", subscription=it, on=e.starts, starts=e.starts, ends=e.ends)


def _billed(g: Ground, it: str, lines: Any) -> list[Mend]:
    return [
        _redo(
            g,
            StartBilling(
                key=f"{g.key}:billing:{line.id}",
                subscription=it,
                line=line.id,
                starts=line.billed_from,
                accepted_on=line.billed_from,
            ),
        )
        for line in lines
        if line.billed_from is not None and line.bills
    ]


def _term(g: Ground, it: str) -> Step:
    former = date.fromisoformat(g.difference.theirs) if g.difference.theirs else g.today
    return ChangeTerm(key=g.key, subscription=it, ends=g.contract.ends, former=former, reason=WHY)


def _renewal(g: Ground, it: str) -> Step:
    e = g.contract
    term, starts, ends = (e.term + 1, e.ends, e.renewed_until) if e.renewed else (e.term, e.starts, e.ends)
    if starts is None or (e.renewed and ends is None):
        raise Unrepairable("the next term is not known to the store; take the renewal over by hand in the ERP")
    return RenewSubscription(key=g.key, subscription=it, term=term, starts=starts, ends=ends)


# ── CRM ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _crm(g: Ground) -> list[Mend]:
    e, said = g.contract, g.difference
    match said.kind:
        case "crm_deal_not_won":
            return [_correct(g, "opportunities", said.subject, outcome="won")]
        case "crm_decided_unasked":
            return [_correct(g, "opportunities", said.subject, outcome="open")]
        case "crm_quantity" | "crm_price":
            deal, _, product = said.subject.partition("/")
            field = "quantity" if said.kind == "crm_quantity" else "unit_price"
            return [_correct_lines(g, "opportunities", deal, {product: {field: unmarked(said.ours)}})]
        case "crm_opportunity_missing":
            key = keys.renewal_opportunity(e.contract, e.term)
            close_by = e.ends or e.starts or g.today
            step = CreateRenewalOpportunity(key=key, account=e.account, renews_deal=e.deal, close_by=close_by)
            known = Relink(contracts=(e.contract,), key=key, id=MADE, connection=e.connection("crm"))
            return [_redo(g, step, lost=e.opportunity), known]
        case "crm_deal_contract" | "crm_stage" | "crm_deal_customer" | "crm_deal_subscription" | "crm_renewal_date":
            live = e.activated
            shown = WriteStatus(
                key="crm.write_status",
                deal=e.deal,
                status=e.status,
                erp_customer=e.customer if live else None,
                erp_subscription=e.subscription if live else None,
                renewal_date=e.ends if live else None,
            )
            return [_redo(g, shown)]
    raise Unrepairable("nobody has said how")


# ── CS ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cs(g: Ground) -> list[Mend]:
    e, said = g.contract, g.difference
    shown = {"cs_risk": "risk", "cs_priority": "renewal_priority", "cs_stage": "stage"}
    if said.kind in shown:
        return [_correct(g, "companies", said.subject, **{shown[said.kind]: said.ours})]
    match said.kind:
        case "cs_company_missing":
            return _whole_company(g)
        case "cs_onboarding_missing":
            step: Step = LaunchOnboarding(key=said.subject, company=e.company or "", starts=e.starts or g.today)
        case "cs_playbook_missing":
            step = StartPlaybook(key=said.subject, company=e.company or "", due=e.ends or g.today)
        case _:
            raise Unrepairable("nobody has said how")
    known = Relink(contracts=(e.contract,), key=said.subject, id=MADE, connection=e.connection("cs"))
    return [_redo(g, step, lost=e.effects[said.subject]), known]


def _whole_company(g: Ground) -> list[Mend]:
    """A new company, with what was told of it; the plans of its contracts become its own."""
    e = g.contract
    plans: list[Mend] = []
    for each in g.sharing:
        onboarding, playbook = keys.onboarding(each.contract), keys.playbook(each.contract, each.term)
        owned: tuple[tuple[RecordKind, str], ...] = (("plans", onboarding), ("playbooks", playbook))
        plans += [_owned_by(g, kind, each.effects[key], company=MADE) for kind, key in owned if each.made(key)]
    make = EnsureCompany(key=e.company_key, revision=g.revision)
    contracts = tuple(each.contract for each in g.sharing)
    known = Relink(contracts=contracts, key=e.company_key, id=MADE, connection=e.connection("cs"))
    return [_redo(g, make, lost=e.company), *_health(g, e), *plans, known]


def _health(g: Ground, e: Expected) -> list[Mend]:
    if e.health is None:
        return []
    said = {"risk": e.health.risk, "renewal_priority": e.health.renewal_priority, "stage": e.health.lifecycle_stage}
    return [_correct(g, "companies", MADE, **said)]


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
