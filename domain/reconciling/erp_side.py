"""The ERP against a contract: its customer, its subscription, the term, and line by line what is sold and billed."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from domain import keys
from domain.access.within import amount
from domain.ports.records import CustomerRecord, LineRecord, SubscriptionRecord
from domain.reconciling.difference import Found
from domain.reconciling.expected import Expected, ExpectedLine
from domain.reconciling.outside import Outside
from domain.standins import is_real
from domain.view import Stage

LIVING = ("draft", "active")


def compare(e: Expected, outside: Outside) -> Iterator[Found]:
    if e.customer is not None and not e.unsettled("customer"):
        yield from _customer(e, outside)
    if e.subscription is not None and not e.unsettled("subscription"):
        yield from _subscription(e, outside)


def _found(e: Expected, kind: str, subject: str, sentence: str, ours: Any = "", theirs: Any = "") -> Found:
    """About the contract."""
    where = {"contract": e.contract, "account": e.account, "connection": e.connection("erp")}
    return Found(kind=kind, subject=subject, sentence=sentence, ours=_said(ours), theirs=_said(theirs), **where)


def _of_account(e: Expected, *said: Any) -> Found:
    """About what all contracts of the account share."""
    return _found(e, *said).model_copy(update={"contract": None})


def _said(value: Any) -> str:
    return "" if value is None else str(value)


# ── the customer ────────────────────────────────────────────────────────────────────────────────────────────────


def _customer(e: Expected, outside: Outside) -> Iterator[Found]:
    mine = next((each for each in outside.customers if each.id == e.customer), None)
    same = [each for each in outside.customers if each.key == e.customer_key and each.id != e.customer]
    who = f"the customer {e.customer} of {e.account}"
    if mine is None:
        other = same[0].id if same else None
        told = f"; {other} bears its key" if other else ""
        sentence = f"{who} at {e.selling_entity} is not in the ERP any more{told}"
        yield _of_account(e, "erp_customer_missing", e.customer, sentence, e.customer, other)
        return
    for each in same:
        sentence = f"{each.id} stands for {e.account} at {e.selling_entity} too, whose customer is {e.customer}"
        yield _of_account(e, "erp_customer_duplicated", each.id, sentence, e.customer, each.id)
    yield from _customer_fields(e, outside, mine, who)


def _customer_fields(e: Expected, outside: Outside, mine: CustomerRecord, who: str) -> Iterator[Found]:
    if mine.account is not None and mine.account not in e.accounts:
        sentence = f"{who} stands for the account {mine.account} in the ERP"
        yield _of_account(e, "erp_customer_account", mine.id, sentence, e.account, mine.account)
    if mine.selling_entity is not None and mine.selling_entity != e.selling_entity:
        sentence = f"{who} is one of {mine.selling_entity} in the ERP, and {e.selling_entity} sells"
        yield _of_account(e, "erp_customer_entity", mine.id, sentence, e.selling_entity, mine.selling_entity)
    if mine.parent_account != e.parent and (mine.parent_account is not None or outside.customers_of_parent):
        sentence = f"{who} is part of {mine.parent_account or 'nothing'} in the ERP, of {e.parent or 'nothing'} here"
        yield _of_account(e, "erp_customer_parent", mine.id, sentence, e.parent, mine.parent_account)
    if mine.held and not e.held and not e.over:
        sentence = f"{who} is on credit hold in the ERP, and no contract asked for it"
        yield _of_account(e, "erp_hold_unasked", mine.id, sentence, "released", "held")
    elif e.held and not mine.held and "erp.set_credit_hold" not in e.under_way:
        yield _of_account(
            e, "erp_hold_missing", mine.id, f"{who} is to be on credit hold, and is not", "held", "released"
        )


# ── the subscription ────────────────────────────────────────────────────────────────────────────────────────────


def _subscription(e: Expected, outside: Outside) -> Iterator[Found]:
    mine = next((each for each in outside.subscriptions if each.id == e.subscription), None)
    named = [each for each in outside.subscriptions if each.contract == e.leg and each.id != e.subscription]
    living = [each for each in named if each.status in LIVING]
    if mine is None:
        if not e.over:
            other = living[0].id if living else None
            told = f"; {other} names the contract" if other else ""
            sentence = f"the subscription {e.subscription} of {e.contract} is not in the ERP any more{told}"
            yield _found(e, "erp_subscription_missing", str(e.subscription), sentence, e.subscription, other)
        return
    for each in living:
        sentence = f"{each.id} is {each.status} for {e.contract} too, whose subscription is {e.subscription}"
        yield _found(e, "erp_subscription_duplicated", each.id, sentence, e.subscription, each.id)
    if mine.contract != e.leg:
        sentence = f"the subscription {mine.id} of {e.contract} names {mine.contract or 'no contract'} in the ERP"
        yield _found(e, "erp_subscription_contract", mine.id, sentence, e.leg, mine.contract)
    if e.customer is not None and mine.customer != e.customer:
        sentence = f"the subscription {mine.id} is one of the customer {mine.customer}, and {e.customer} bought it"
        yield _found(e, "erp_subscription_customer", mine.id, sentence, e.customer, mine.customer)
    if e.currency is not None and mine.currency is not None and mine.currency != e.currency:
        sentence = f"the subscription {mine.id} is in {mine.currency}, and was sold in {e.currency}"
        yield _found(e, "erp_currency", mine.id, sentence, e.currency, mine.currency)
    if (wrong := _status(e, mine)) is not None:
        yield wrong
    elif mine.status == "active" and not e.over and e.activated:
        yield from _term(e, mine)
        yield from _lines(e, mine)


def _status(e: Expected, mine: SubscriptionRecord) -> Found | None:
    """What is wrong with its status. While it is, term and lines say nothing."""
    it = f"the subscription {mine.id} of {e.contract}"
    if e.over:
        undone = keys.ending(e.leg) if e.stage is Stage.ENDED else keys.cancellation(e.contract)
        if mine.status in LIVING and is_real(e.effects.get(undone)):
            sentence = f"{it} is {mine.status} in the ERP, and the ledger says that it was ended ({undone})"
            return _found(e, "erp_not_ended", mine.id, sentence, e.stage.value, mine.status)
        return None
    if e.unsettled("activation", "ending", "cancellation"):
        return None
    if not e.activated:
        if mine.status == "active":
            sentence = f"{it} is active in the ERP, and nothing of ours activated it"
            return _found(e, "erp_active_unasked", mine.id, sentence, "draft", mine.status)
        return None
    if mine.status == "draft" and e.made(keys.activation(e.contract)):
        sentence = f"{it} is a draft in the ERP, and the ledger says that it was activated"
        return _found(e, "erp_not_active", mine.id, sentence, "active", "draft")
    if mine.status == "cancelled" or (mine.status == "ended" and e.stage is not Stage.ENDING):
        until = f" on {mine.ends}" if mine.status == "ended" and mine.ends else ""
        sentence = f"{it} is {mine.status}{until} in the ERP, and the contract lives ({e.stage.value})"
        return _found(e, f"erp_{mine.status}", mine.id, sentence, "active", mine.status)
    return None


def _term(e: Expected, mine: SubscriptionRecord) -> Iterator[Found]:
    it = f"the subscription {mine.id} of {e.contract}"
    if e.term == 1 and e.starts is not None and mine.starts != e.starts:
        sentence = f"{it} starts on {_day(mine.starts)} in the ERP, and on {e.starts} by its terms"
        yield _found(e, "erp_term_start", mine.id, sentence, e.starts, mine.starts)
    if e.unsettled("renewal", "term-change") or (mine.ends == e.ends and not e.renewed):
        return
    told = f"{it} ends its term on {_day(mine.ends)} in the ERP"
    if e.renewed:
        if mine.ends is not None and mine.ends == e.ends:
            next_term = keys.renewal(e.contract, e.term + 1)
            sentence = f"{told}, and the ledger says that it was renewed into term {e.term + 1}"
            yield _found(e, "erp_renewal_missing", mine.id, sentence, next_term, mine.ends)
    elif mine.term is not None and mine.term < e.term and e.made(keys.renewal(e.contract, e.term)):
        sentence = f"{told}, and the ledger says that it was renewed into term {e.term}"
        yield _found(e, "erp_renewal_missing", mine.id, sentence, e.ends, mine.ends)
    elif mine.term is not None and mine.term > e.term:
        sentence = f"{told}, in term {mine.term}, and nothing of ours renewed term {e.term}"
        yield _found(e, "erp_renewed_unasked", mine.id, sentence, e.ends, mine.ends)
    else:
        sentence = f"{told}, and on {_day(e.ends)} by its terms"
        yield _found(e, "erp_term_end", mine.id, sentence, e.ends, mine.ends)


def _day(day: date | None) -> str:
    return "no day" if day is None else day.isoformat()


# ── the lines ───────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(e: Expected, mine: SubscriptionRecord) -> Iterator[Found]:
    if e.unsettled("amendment"):
        return
    there = {line.id: line for line in mine.lines}
    known = {line.id for line in e.lines}
    for line in e.lines:
        if (found := there.get(line.id)) is None:
            sentence = f"line {line.id} ({line.product}) of {e.contract} is not in the subscription {mine.id}"
            yield _found(e, "erp_line_missing", line.id, sentence, line.product)
        else:
            yield from _line(e, line, found)
    for extra in mine.lines:
        if extra.id not in known and extra.ends is None:
            sentence = f"the subscription {mine.id} has a line {extra.id} ({extra.product}) that {e.contract} has not"
            yield _found(e, "erp_line_unknown", extra.id, sentence, "", extra.product)


def _line(e: Expected, line: ExpectedLine, there: LineRecord) -> Iterator[Found]:
    it = f"line {line.id} of {e.contract}"
    if there.product != line.product:
        sentence = f"{it} sells {there.product} in the ERP, and {line.product} was sold"
        yield _found(e, "erp_product", line.id, sentence, line.product, there.product)
    if there.quantity != line.quantity:
        amended = any(key.startswith(f"amendment:{e.contract}:") for key in e.done)
        former = amended and there.quantity == line.ordered
        kind = "erp_amendment_missing" if former else "erp_quantity"
        why = ", though the ledger says that it was amended" if former else ""
        sentence = f"{it} has {there.quantity} of {line.product} in the ERP, and {line.quantity} here{why}"
        yield _found(e, kind, line.id, sentence, line.quantity, there.quantity)
    if None not in (line.unit_price, there.unit_price) and line.unit_price != there.unit_price:
        ours, theirs = amount(line.unit_price), amount(there.unit_price)
        yield _found(
            e, "erp_price", line.id, f"{it} costs {theirs} a unit in the ERP, and {ours} was sold", ours, theirs
        )
    if line.bills and not e.unsettled("billing-start"):
        yield from _billing(e, line, there, it)


def _billing(e: Expected, line: ExpectedLine, there: LineRecord, it: str) -> Iterator[Found]:
    if there.billed_from == line.billed_from:
        return
    if there.billed_from is None:
        sentence = f"{it} is billed from {line.billed_from} by the ledger, and the ERP bills nothing"
        yield _found(e, "erp_billing_missing", line.id, sentence, line.billed_from)
    elif line.billed_from is None:
        sentence = f"{it} is billed from {there.billed_from} in the ERP, and nothing of ours started it"
        yield _found(e, "erp_billed_unasked", line.id, sentence, "", there.billed_from)
    else:
        sentence = f"{it} is billed from {there.billed_from} in the ERP, and from {line.billed_from} by its rule"
        yield _found(e, "erp_billing_date", line.id, sentence, line.billed_from, there.billed_from)
