"""The CRM against a contract: its account, the deal that was won with it, and the opportunity of its renewal."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from domain import keys
from domain.access.within import amount
from domain.ports.records import OpportunityRecord
from domain.reconciling.difference import Found
from domain.reconciling.expected import Expected
from domain.reconciling.outside import Outside
from domain.standins import is_real
from domain.view import Stage


def compare(e: Expected, outside: Outside) -> Iterator[Found]:
    if not e.over:
        yield from _account(e, outside)
    deal = next((each for each in outside.opportunities if each.id == e.deal), None)
    if deal is not None:
        yield from _deal(e, deal)
    elif not e.over:
        sentence = f"the deal {e.deal}, with which {e.contract} was won, is not in the CRM any more"
        yield _found(e, "crm_deal_missing", e.deal, sentence, e.deal)
    if not e.over and not e.unsettled("renewal-opportunity"):
        yield from _renewal(e, outside)


def _found(e: Expected, kind: str, subject: str, sentence: str, ours: Any = "", theirs: Any = "") -> Found:
    said = {"ours": "" if ours is None else str(ours), "theirs": "" if theirs is None else str(theirs)}
    where = {"contract": e.contract, "account": e.account, "connection": e.connection("crm")}
    return Found(kind=kind, subject=subject, sentence=sentence, **said, **where)


def _account(e: Expected, outside: Outside) -> Iterator[Found]:
    mine = next((each for each in outside.accounts if each.id == e.account), None)
    if mine is None:
        found = _found(e, "crm_account_missing", e.account, f"the CRM does not know the account {e.account} any more")
    elif mine.parent != e.parent:
        sentence = f"{e.account} is part of {mine.parent or 'nothing'} in the CRM, and of {e.parent or 'nothing'} here"
        found = _found(e, "crm_account_parent", e.account, sentence, e.parent, mine.parent)
    else:
        return
    yield found.model_copy(update={"contract": None})


def _deal(e: Expected, deal: OpportunityRecord) -> Iterator[Found]:
    it = f"the deal {deal.id} of {e.contract}"
    if deal.outcome != "won" and not e.over:
        sentence = f"{it} is {deal.outcome} in the CRM, and the contract lives"
        yield _found(e, "crm_deal_not_won", deal.id, sentence, "won", deal.outcome)
    if deal.account not in e.accounts:
        sentence = f"{it} is one of the account {deal.account} in the CRM, and of {e.account} here"
        yield _found(e, "crm_deal_account", deal.id, sentence, e.account, deal.account)
    if e.sole and "crm.write_status" not in e.under_way:
        yield from _told(e, deal, it)
    if not e.over:
        yield from _sold(e, deal, it)


def _told(e: Expected, deal: OpportunityRecord, it: str) -> Iterator[Found]:
    """What the lifecycle writes on the deal."""
    if deal.contract != e.contract:
        sentence = f"{it} names {deal.contract or 'no contract'} in the CRM"
        yield _found(e, "crm_deal_contract", deal.id, sentence, e.contract, deal.contract)
    if deal.status != e.status:
        sentence = f"{it} shows {deal.status or 'no status'} in the CRM, and the contract is {e.status}"
        yield _found(e, "crm_stage", deal.id, sentence, e.status, deal.status)
    if not e.activated or e.over:
        return
    if deal.erp_customer != e.customer:
        sentence = f"{it} names the ERP customer {deal.erp_customer or 'none'}, and {e.customer or 'none'} is its"
        yield _found(e, "crm_deal_customer", deal.id, sentence, e.customer, deal.erp_customer)
    if deal.erp_subscription != e.subscription:
        sentence = f"{it} names the subscription {deal.erp_subscription or 'none'}, and has {e.subscription or 'none'}"
        yield _found(e, "crm_deal_subscription", deal.id, sentence, e.subscription, deal.erp_subscription)
    if deal.renewal_date != e.ends:
        sentence = f"{it} is to be renewed on {deal.renewal_date or 'no day'} in the CRM, on {e.ends or 'none'} here"
        yield _found(e, "crm_renewal_date", deal.id, sentence, e.ends, deal.renewal_date)


def _sold(e: Expected, deal: OpportunityRecord, it: str) -> Iterator[Found]:
    """What was sold, product by product; one that stands there twice can't be told apart."""
    if e.currency is not None and deal.currency is not None and deal.currency != e.currency:
        sentence = f"{it} is in {deal.currency}, and the order in {e.currency}"
        yield _found(e, "crm_currency", deal.id, sentence, e.currency, deal.currency)
    here, there = Counter(line.product for line in e.lines), Counter(line.product for line in deal.lines)
    sold = {line.product: line for line in deal.lines if there[line.product] == 1}
    for line in e.lines:
        other = sold.get(line.product)
        if other is None or here[line.product] != 1 or line.ordered is None:
            continue
        subject = f"{deal.id}/{line.product}"
        if other.quantity != line.ordered:
            sentence = f"{it} has {other.quantity} of {line.product} in the CRM, and {line.ordered} was ordered"
            yield _found(e, "crm_quantity", subject, sentence, line.ordered, other.quantity)
        if None not in (other.unit_price, line.unit_price) and other.unit_price != line.unit_price:
            ours, theirs = amount(line.unit_price), amount(other.unit_price)
            sentence = f"{it} sells {line.product} at {theirs} in the CRM, and at {ours} here"
            yield _found(e, "crm_price", subject, sentence, ours, theirs)


def _renewal(e: Expected, outside: Outside) -> Iterator[Found]:
    key = keys.renewal_opportunity(e.contract, e.term)
    if not is_real(e.effects.get(key)):
        return
    mine = next((each for each in outside.opportunities if each.id == e.opportunity), None)
    same = [each for each in outside.opportunities if each.key == key and each.id != e.opportunity]
    if mine is None:
        other = same[0].id if same else None
        told = f"; {other} bears its key" if other else ""
        sentence = f"the renewal opportunity {e.opportunity} of {e.contract} is in the ledger, and not in the CRM{told}"
        yield _found(e, "crm_opportunity_missing", str(e.opportunity), sentence, e.opportunity, other)
        return
    for each in same:
        sentence = f"{each.id} is a renewal opportunity of {e.contract} too, which has {mine.id}"
        yield _found(e, "crm_opportunity_duplicated", each.id, sentence, mine.id, each.id)
    if mine.outcome != "open" and not e.decided and not e.renewed and e.stage is not Stage.ENDING:
        sentence = f"the renewal of {e.contract} is {mine.outcome} in the CRM ({mine.id}), and not decided here"
        yield _found(e, "crm_decided_unasked", mine.id, sentence, "undecided", mine.outcome)
    elif mine.outcome == "open" and e.ends is not None and mine.close_by != e.ends:
        sentence = f"the renewal opportunity {mine.id} closes on {mine.close_by or 'no day'}, the term ends {e.ends}"
        yield _found(e, "crm_opportunity_close", mine.id, sentence, e.ends, mine.close_by)
