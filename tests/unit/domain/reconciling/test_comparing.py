"""What is no difference, though it looks like one; and what a repair can't do."""

from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from bench.agreed import ENDS, PRODUCTS, STARTED, Plain
from domain import keys
from domain.ports.records import (
    AccountRecord,
    CompanyRecord,
    CustomerRecord,
    LineRecord,
    OpportunityRecord,
    PlanRecord,
    RunRecord,
    SubscriptionRecord,
)
from domain.reconciling.comparing import compare
from domain.reconciling.difference import Difference, Found
from domain.reconciling.expected import Expected, expected
from domain.reconciling.ground import Ground, Unrepairable
from domain.reconciling.kinds import KINDS
from domain.reconciling.mends import MENDS, Redo, words
from domain.reconciling.outside import Outside
from domain.reconciling.repairing import repair
from domain.reconciling.unseen import HIDDEN_BY, UNDER_WAY, unseen
from domain.steps import RenewSubscription
from domain.view import CaseView

OF = Plain(4)


def ours(**fields: Any) -> Expected:
    return expected(OF.view().model_copy(update=fields), OF.document(), ledger=dict.fromkeys(OF.effects, "DONE"))


def outside(**fields: Any) -> Outside:
    """What agrees with the contract, save for some fields of its subscription."""
    subscription = SubscriptionRecord(
        id=OF.id("sub"), contract=OF.contract, customer=OF.id("cus"), currency="EUR", status="active", starts=STARTED,
        ends=ENDS, term=1, lines=tuple(
            LineRecord(id=line, product=product, quantity=quantity, unit_price=price, billed_from=STARTED)
            for line, product, quantity, price in PRODUCTS
        ),
    )  # fmt: skip
    deal = OpportunityRecord(
        id=OF.deal, account=OF.account, outcome="won", contract=OF.contract, status="active",
        erp_customer=OF.id("cus"), erp_subscription=OF.id("sub"), renewal_date=ENDS,
    )  # fmt: skip
    plan = PlanRecord(id=OF.id("plan"), key=None, contract=OF.contract, company=OF.id("company"))
    return Outside(
        read=frozenset(("erp", "crm", "cs", "workflow")),
        customers=[CustomerRecord(id=OF.id("cus"), key=keys.customer(OF.account, "ACME-DE"), account=OF.account)],
        subscriptions=[subscription.model_copy(update=fields)],
        accounts=[AccountRecord(id=OF.account)],
        opportunities=[deal],
        companies=[CompanyRecord(id=OF.id("company"), account=OF.account)],
        plans=[plan],
        runs=[RunRecord(id="w", contract=OF.contract, running=True)],
    )


def kinds(found: list[Found]) -> list[str]:
    return [each.kind for each in found]


def test_what_agrees_is_no_difference() -> None:
    assert compare(ours(), outside()) == []


def test_of_a_system_that_was_not_read_nothing_is_said() -> None:
    seen = outside()
    seen.read, seen.subscriptions, seen.companies = frozenset(("crm",)), [], []
    assert compare(ours(), seen) == []


@pytest.mark.parametrize(
    ("fields", "there"),
    [
        ({"pending": [keys.amendment(OF.contract, "c1")]}, {"lines": ()}),
        ({"pending": [keys.term_change(OF.contract, "c1")]}, {"ends": STARTED}),
        ({"pending": [keys.subscription(OF.contract)]}, {"status": "cancelled"}),
    ],
    ids=["an amendment", "another end", "the subscription itself"],
)
def test_what_is_under_way_is_not_compared(fields: dict[str, Any], there: dict[str, Any]) -> None:
    assert compare(ours(), outside(**there)) != []
    assert compare(ours(**fields), outside(**there)) == []


def test_what_waits_for_a_person_is_a_case_already() -> None:
    case = CaseView(id=keys.billing_start(OF.contract, "2", 1), kind="rejected", title="t", opened_at=datetime.now(UTC))
    lines = tuple(each.model_copy(update={"billed_from": None}) for each in outside().subscriptions[0].lines)
    assert kinds(compare(ours(), outside(lines=lines))) == ["erp_billing_missing"] * 3
    assert compare(ours(cases=[case]), outside(lines=lines)) == []


def test_a_line_that_somebody_else_bills_is_not_missed() -> None:
    view = OF.view()
    for line in view.lines:
        line.billed_by = "a reseller"
    lines = tuple(each.model_copy(update={"billed_from": None}) for each in outside().subscriptions[0].lines)
    assert compare(ours(lines=view.lines), outside(lines=lines)) == []


def test_a_wrong_status_says_all_there_is_to_say() -> None:
    assert kinds(compare(ours(), outside(status="cancelled", ends=STARTED, lines=()))) == ["erp_cancelled"]


def test_a_removed_line_and_a_parent_that_is_no_customer_are_no_differences() -> None:
    gone = LineRecord(id="9", product="ANALYTICS", quantity=1, ends=STARTED)
    seen = outside(lines=(*outside().subscriptions[0].lines, gone))
    seen.customers_of_parent = False
    e = ours(parent_account="001GROUP")
    assert {each.kind for each in compare(e, seen)} == {"crm_account_parent", "cs_company_parent"}


def test_the_same_difference_has_the_same_name() -> None:
    [first], [second] = (compare(ours(), outside(currency=currency)) for currency in ("CHF", "USD"))
    assert first.id == second.id
    assert first.sentence != second.sentence


@pytest.mark.parametrize(
    "kind", [each for each in KINDS.values() if "redrive" not in each.remedies], ids=lambda k: k.name
)
def test_what_can_t_be_driven_again_says_so(kind: Any) -> None:
    with pytest.raises(Unrepairable, match="is not repaired by redrive"):
        repair(_ground(kind.name), "redrive")


def test_a_subscription_is_not_taken_from_the_contract_that_it_names() -> None:
    """A restored ERP gives an id twice: the one that stands there now is another contract's."""
    mine, kind = OF.id("sub"), "erp_subscription_contract"
    [mend] = repair(_ground(kind), "redrive")
    assert words(mend) == f"set in erp, on subscriptions {mine}: contract to {OF.contract}", "nobody's is ours"
    for remedy, choice in (("redrive", None), ("link", mine)):
        with pytest.raises(Unrepairable, match=f"{mine} names crm/OTHER/1 in the ERP, and would be taken from it"):
            repair(_ground(kind, theirs="crm/OTHER/1", choice=choice), remedy)  # type: ignore[arg-type]  # two of them
    told = [words(each) for each in repair(_ground(kind, theirs="crm/OTHER/1", choice="sub_new"), "link")]
    assert told[-1] == f"let {keys.subscription(OF.contract)} stand for sub_new"
    assert not [each for each in told if mine in each]


def test_mends_survive_being_kept_and_are_told_in_words() -> None:
    mends = repair(_ground("erp_subscription_missing"), "redrive")
    assert MENDS.validate_python(MENDS.dump_python(mends, mode="json")) == mends
    told = [words(each) for each in mends]
    assert told[0] == "in erp: create the subscription in the ERP"
    assert told[-1] == f"let {keys.subscription(OF.contract)} stand for what that makes"


def test_a_subscription_lost_before_its_activation_is_a_draft_again() -> None:
    view = OF.view()
    draft = ours(effects={key: ref for key, ref in view.effects.items() if not key.startswith("activation:")})
    told = [words(each) for each in repair(replace(_ground("erp_subscription_missing"), e=draft), "redrive")]
    assert told == [
        "in erp: create the subscription in the ERP",
        f"let {keys.subscription(OF.contract)} stand for what that makes",
    ]


def test_a_renewal_into_a_term_that_has_not_begun_is_made_again() -> None:
    until = ENDS.replace(year=ENDS.year + 1)
    effects = {**OF.view().effects, keys.renewal(OF.contract, 2): "ren_1"}
    [mend] = repair(replace(_ground("erp_renewal_missing"), e=ours(effects=effects, renewed_until=until)), "redrive")
    assert isinstance(mend, Redo)
    assert isinstance(mend.step, RenewSubscription)
    assert (mend.step.term, mend.step.starts, mend.step.ends) == (2, ENDS, until)
    with pytest.raises(Unrepairable, match="the next term is not known"):
        repair(replace(_ground("erp_renewal_missing"), e=ours(effects=effects)), "redrive")


def _ground(kind: str, theirs: str = "", choice: str | None = None) -> Ground:
    at = datetime.now(UTC)
    difference = Difference(
        id="diff-1", kind=kind, klass=KINDS[kind].klass, contract=OF.contract, account=OF.account, systems=("erp",),
        connection="erp", subject=OF.id("sub"), sentence="", ours="", theirs=theirs, owner="finance", status="open",
        remedies=KINDS[kind].remedies, found_at=at, seen_at=at,
    )  # fmt: skip
    e = ours()
    return Ground(
        difference=difference, e=e, sharing=[e], revision=1, today=STARTED, by="b", reason="r", key="repair:diff-1:1",
        choice=choice,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pending", "hidden", "seen"),
    [
        ("amendment:c:chg-1", "erp_price", "erp_term_end"),
        ("billing-start:c:3:1", "erp_billed_unasked", "erp_quantity"),
        ("crm.write_status", "crm_stage", "crm_deal_missing"),
        ("company:a", "cs_risk", "crm_stage"),
    ],
)
def test_of_what_is_under_way_nothing_is_gone(pending: str, hidden: str, seen: str) -> None:
    known = unseen(ours(pending=[pending]), [])
    assert hidden in known
    assert seen not in known


def test_behind_a_cancelled_subscription_its_lines_are_not_seen() -> None:
    e = ours()
    assert unseen(e, []) == frozenset()
    known = unseen(e, compare(e, outside(status="cancelled")))
    assert {"erp_price", "erp_term_end"} <= known
    assert not {"erp_cancelled", "crm_stage"} & known


def test_every_kind_that_can_be_hidden_is_one() -> None:
    globs = {glob for table in (UNDER_WAY, HIDDEN_BY) for names in table.values() for glob in names}
    assert all(any(fnmatchcase(kind, glob) for kind in KINDS) for glob in globs)
    assert HIDDEN_BY.keys() <= KINDS.keys()
