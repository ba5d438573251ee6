"""Accounts that are merged and split: fenced, moved, told, undone; killed at each step and run again."""

import asyncio
from typing import Any

import pytest

from domain.document import apply_fixes
from domain.errors import AccountFenced
from domain.mapping import canonical
from domain.messages import RenewalWon, RetryStep
from starter.accounts import AccountMoves
from starter.mistakes import Mistake, Refusal
from starter.routing import begin_lifecycle
from starter.thawing import Thawing
from store import moves
from store.cases import Cases
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from tests.dispatch import CRM, Post
from tests.house import House, Life
from tests.intake import deal
from tests.workflow.lives import counts, eventually, records, rests, settled_length, to_day, to_term_end
from workflows.lifecycle import CustomerLifecycle

STEPS = (moves.FENCED, moves.MOVED, moves.DONE)
BACK = (moves.RETURNING, moves.RETURNED, moves.UNDONE)


class Killed(BaseException):
    """The process died here."""


def accounts(house: House, dies_at: str = "", patience: float = 15) -> AccountMoves:
    def reached(state: str) -> None:
        if state == dies_at:
            raise Killed

    return AccountMoves(house.database, house.client, patience=patience, reached=reached)


def tagged(house: House, word: str) -> str:
    """A deal's id: the server is every test's, and remembers the workflows of the others."""
    return f"{word}-{house.task_queue}"


def acc(house: House, word: str) -> str:
    return f"acc-{tagged(house, word)}"


async def active(post: Post, word: str) -> Life:
    """A live contract of an account of its own, at rest: its levels are told, too."""
    life = await post.win(tagged(post.house, word))
    await life.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    await settled_length(life)
    return life


async def another(post: Post, word: str, account: str, **changes: Any) -> Life:
    """One more order of an account, which is delivered once: it may begin beside a live contract."""
    number = tagged(post.house, word)
    record = deal(Id=number, AccountId=account)["record"]
    document = canonical(record, post.house.mapping)
    document = apply_fixes(
        document, {"terms.kind": "one_off", "terms.initial_months": 3, "terms.renewal_months": None, **changes}
    )
    (await post.house.http.post("/crm/opportunities", json=record)).raise_for_status()
    await post.house.database.write(lambda session: begin_lifecycle(session, "acme", CRM, document))
    await post.settle()
    return await post.life(number)


async def customers(house: House) -> list[str]:
    """The ERP's customers that have a subscription, one for each subscription."""
    return sorted(each["customer"] for each in await records(house, "erp", "subscriptions"))


async def state(life: Life) -> dict[str, Any]:
    found = await life.handle.query(CustomerLifecycle.state)
    return found.model_dump(mode="json", exclude={"last_seq"})


async def test_an_account_that_nobody_knew_takes_over_all_and_has_the_same_customer(house: House) -> None:
    post = Post(house)
    life = await active(post, "one")
    done = await accounts(house).merge(acc(house, "one"), acc(house, "new"), "ops")
    assert (done.state, done.contracts) == ("done", [life.contract])
    view = await life.until(lambda view: view.account == acc(house, "new") and rests(view))
    assert view.moved_from == [acc(house, "one")]
    assert {key.split(":")[1] for key in view.effects if key.startswith(("customer:", "company:"))} == {
        acc(house, "new")
    }
    second = await another(post, "two", acc(house, "new"))
    await second.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    late = await another(post, "three", acc(house, "one"))  # the CRM still names the account that is gone
    view = await late.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert view.account == acc(house, "new")
    assert (len(set(await customers(house))), len(await customers(house))) == (1, 3)
    assert (await counts(house, "erp"))["customers"] == 1
    assert (await counts(house, "cs"))["companies"] == 1
    assert await Cases(house.database).list() == []


async def test_of_two_customers_both_stay_and_what_is_new_goes_to_the_surviving_one(house: House) -> None:
    post = Post(house)
    first, second = await active(post, "one"), await active(post, "two")
    before = await customers(house)
    assert len(set(before)) == 2
    await accounts(house).merge(acc(house, "one"), acc(house, "two"), "ops")
    mine = (await first.view()).effects[f"customer:{acc(house, 'two')}:ACME-DE"]
    theirs = (await second.view()).effects[f"customer:{acc(house, 'two')}:ACME-DE"]
    assert sorted([mine, theirs]) == before, "each is billed where its subscription is"
    cases = [case for case in await Cases(house.database).list() if case.kind == "shared_record"]
    assert sorted(case.actor for case in cases) == ["finance", "ops"]
    assert all(theirs in case.title or "company" in case.title for case in cases)
    third = await another(post, "three", acc(house, "one"))
    await third.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert sorted(await customers(house)) == sorted([mine, theirs, theirs])
    assert (await counts(house, "erp"))["customers"] == 2
    data = {"account": acc(house, "one"), "active": "1", "entitled": "10", "as_of": "2026-12-24"}
    await post.desk.receive("usage.reported", data)
    await post.settle()
    for life in (first, second, third):
        assert "facts" not in await post.states(life)
        assert (await state(life))["adoption"] == "0.1000"


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_each_step_it_is_brought_to_its_end_and_nothing_is_made_twice(house: House, step: str) -> None:
    post = Post(house)
    first, second = await active(post, "one"), await active(post, "two")
    with pytest.raises(Killed):
        await accounts(house, dies_at=step).merge(acc(house, "one"), acc(house, "two"), "ops")
    waiting = await another(post, "three", acc(house, "one"))
    if step != moves.DONE:
        view = await waiting.until(lambda view: view.cases)
        assert view.cases[0].kind == "fenced"
        assert len(await records(house, "erp", "subscriptions")) == 2
    done = await accounts(house).merge(acc(house, "one"), acc(house, "two"), "ops")
    assert done.state == "done"
    thawing = Thawing(house.database, house.client, house.landscape)
    await eventually(lambda: _thawed(thawing, waiting))
    assert (await waiting.view()).account == acc(house, "two")
    for life in (first, second):
        assert (await life.view()).account == acc(house, "two")
    subscriptions = await records(house, "erp", "subscriptions")
    assert len(subscriptions) == 3
    assert len({each["contract"] for each in subscriptions}) == 3
    assert (await counts(house, "erp"))["customers"] == 2
    assert (await counts(house, "cs"))["companies"] == 2


async def _thawed(thawing: Thawing, life: Life) -> bool:
    """The dispatcher tells what waited for the fence to try again."""
    await thawing.tell()
    view = await life.view()
    return "onboarding:" in str(view.effects) and rests(view)


async def test_a_step_that_is_blocked_waits_and_goes_on_by_itself_under_its_new_key(house: House) -> None:
    post = Post(house)
    await active(post, "two")
    await SqlLedger(house.database).freeze("erp")
    life = await another(post, "one", acc(house, "one"))
    await life.until(lambda view: view.cases and view.cases[0].kind == "frozen")
    with pytest.raises(Killed):
        await accounts(house, dies_at=moves.FENCED).merge(acc(house, "one"), acc(house, "two"), "ops")
    await SqlLedger(house.database).thaw("erp")

    async def waits() -> bool:
        await Thawing(house.database, house.client, house.landscape).tell()
        return any(case.kind == "fenced" for case in (await life.view()).cases)

    await eventually(waits)
    view = await life.view()
    assert view.cases[0].id == f"customer:{acc(house, 'one')}:ACME-DE"
    await accounts(house).merge(acc(house, "one"), acc(house, "two"), "ops")
    thawing = Thawing(house.database, house.client, house.landscape)
    await eventually(lambda: _thawed(thawing, life))
    assert (await counts(house, "erp"))["customers"] == 1
    assert len(set(await customers(house))) == 1


async def test_a_merge_during_the_renewal_ends_in_one_renewal_of_the_surviving_account(house: House) -> None:
    post = Post(house)
    life = await active(post, "one")
    await active(post, "two")
    data = {"contract": life.contract, "milestone": "go-live", "completed_on": (await life.view()).as_of}
    view = await life.view()
    assert view.as_of is not None
    data["completed_on"] = view.as_of.date().isoformat()
    await post.desk.receive("milestone.completed", data)
    await post.settle()
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    await house.fault(
        system="crm", operation="create_renewal_opportunity", kind="refuse", reason="account gone", times=1
    )
    opens = (await life.view()).window_opens
    assert opens is not None
    await to_day(life, opens)
    await life.until(lambda view: view.cases and "renewal-opportunity" in view.cases[0].id)
    await accounts(house).merge(acc(house, "one"), acc(house, "two"), "ops")
    await house.mend()
    case = next(case for case in (await life.view()).cases if "renewal-opportunity" in case.id)
    await life.handle.execute_update(CustomerLifecycle.retry_step, RetryStep(case=case.id, by="ops"))
    thawing = Thawing(house.database, house.client, house.landscape)

    async def prepared() -> bool:  # the playbook may have met the fence
        await thawing.tell()
        effects = str((await life.view()).effects)
        return "renewal-opportunity:" in effects and "playbook:" in effects

    await eventually(prepared, 60)
    view = await life.view()
    made = [each for each in await records(house, "crm", "opportunities") if "Renewal" in str(each.get("Name"))]
    assert [each["AccountId"] for each in made] == [acc(house, "two")]
    life.seq = view.last_seq
    opportunity = next(id for key, id in view.effects.items() if key.startswith("renewal-opportunity:"))
    assert await life.tell(RenewalWon(opportunity=opportunity)) == ["applied"]
    await life.until(lambda view: f"renewal:{life.contract}:2" in view.effects)
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    assert len(await records(house, "erp", "renewals")) == 1


async def test_undone_all_is_as_it_was_and_what_comes_then_goes_to_each_by_itself(house: House) -> None:
    post = Post(house)
    first, second = await active(post, "one"), await active(post, "two")
    before = [await state(first), await state(second)]
    ledger = SqlLedger(house.database)
    rows = {row.key: row.arguments for life in (first, second) for row in await ledger.rows(life.contract)}
    await accounts(house).merge(acc(house, "one"), acc(house, "two"), "ops")
    assert (await accounts(house).undo(acc(house, "one"), "ops")).state == "undone"

    async def as_before() -> bool:  # CS is told once more, of its own company
        return [await state(first), await state(second)] == before

    await eventually(as_before)
    assert {row.key: row.arguments for life in (first, second) for row in await ledger.rows(life.contract)} == rows
    assert [row.account for row in await Lifecycles(house.database).list()] == [acc(house, "one"), acc(house, "two")]
    third = await another(post, "three", acc(house, "one"))
    await third.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert (await third.view()).account == acc(house, "one")
    assert (await counts(house, "erp"))["customers"] == 2


@pytest.mark.parametrize("step", [*STEPS[:2], *BACK])
async def test_killed_at_each_step_of_the_way_back_it_is_undone(house: House, step: str) -> None:
    post = Post(house)
    first = await active(post, "one")
    before = await state(first)
    if step in BACK:
        await accounts(house).merge(acc(house, "one"), acc(house, "new"), "ops")
        with pytest.raises(Killed):
            await accounts(house, dies_at=step).undo(acc(house, "new"), "ops")
    else:
        with pytest.raises(Killed):
            await accounts(house, dies_at=step).merge(acc(house, "one"), acc(house, "new"), "ops")
    if step != moves.UNDONE:
        assert (await accounts(house).undo(acc(house, "one"), "ops")).state == "undone"
    assert await state(first) == before
    third = await another(post, "three", acc(house, "one"))
    await third.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert (await counts(house, "erp"))["customers"] == 1


async def test_what_is_new_since_bars_the_way_back_and_is_named(house: House) -> None:
    post = Post(house)
    await active(post, "one")
    await accounts(house).merge(acc(house, "one"), acc(house, "new"), "ops")
    second = await another(post, "two", acc(house, "new"))
    await second.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    with pytest.raises(Refusal, match=r"/1 was begun"):
        await accounts(house).undo(acc(house, "one"), "ops")
    third = await another(post, "three", acc(house, "one"))
    view = await third.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert view.account == acc(house, "new"), "it stays merged, and nothing is fenced"


async def test_a_contract_that_is_split_off_keeps_its_customer_and_what_is_new_has_its_own(house: House) -> None:
    post = Post(house)
    first = await active(post, "one")
    second = await another(post, "two", acc(house, "one"))
    await second.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    await settled_length(second)
    before = await state(second)
    await accounts(house).split(acc(house, "one"), acc(house, "two"), [second.contract], "ops")
    assert ((await first.view()).account, (await second.view()).account) == (acc(house, "one"), acc(house, "two"))
    assert len(set(await customers(house))) == 1
    assert [case.kind for case in await Cases(house.database).list()] == ["shared_record", "shared_record"]
    assert (await accounts(house).undo(acc(house, "two"), "ops")).state == "undone"
    assert await state(second) == before
    await accounts(house).split(acc(house, "one"), acc(house, "two"), [second.contract], "ops")
    third = await another(post, "three", acc(house, "two"))
    await third.until(lambda view: "onboarding:" in str(view.effects) and rests(view))
    assert len(set(await customers(house))) == 2


async def test_what_is_no_merge_is_refused_in_one_line(house: House) -> None:
    post = Post(house)
    life = await active(post, "one")
    desk = accounts(house)
    with pytest.raises(Refusal, match="one account; name two"):
        await desk.merge(acc(house, "one"), acc(house, "one"), "ops")
    with pytest.raises(Refusal, match="no contract is of the account"):
        await desk.merge(acc(house, "none"), acc(house, "one"), "ops")
    with pytest.raises(Refusal, match="never merged or split"):
        await desk.undo(acc(house, "one"), "ops")
    await desk.merge(acc(house, "one"), acc(house, "two"), "ops")
    assert (await desk.merge(acc(house, "one"), acc(house, "two"), "ops")).contracts == [life.contract], (
        "again, it changes nothing"
    )
    with pytest.raises(Refusal, match="already"):
        await desk.merge(acc(house, "three"), acc(house, "one"), "ops")
    with pytest.raises(Refusal, match="is not of the account"):
        await desk.split(acc(house, "two"), acc(house, "four"), ["crm/other/1"], "ops")


async def test_a_doubt_about_a_customer_holds_the_merge_and_is_settled_behind_the_fence(house: House) -> None:
    post, ledger = Post(house), SqlLedger(house.database)
    life = await active(post, "one")
    one, two = acc(house, "one"), acc(house, "two")
    asked: dict[str, Any] = {"contract": life.contract, "arguments": "a", "lease": 30, "generation": 1}
    doubtful = f"customer:{one}:ACME-US"
    claim = await ledger.claim(doubtful, operation="erp.create_customer", **asked)
    with pytest.raises(Mistake, match="waits for customer:acc-one"):
        await accounts(house, patience=0).merge(one, two, "ops")
    await ledger.mark_sent(doubtful, fence=claim.fence, deadline=1)
    await ledger.unknown(doubtful, fence=claim.fence)
    with pytest.raises(AccountFenced):
        await ledger.claim(f"amendment:{life.contract}:x", operation="erp.amend_subscription", **asked)
    merging = asyncio.create_task(accounts(house).merge(one, two, "ops"))
    claim = await ledger.claim(doubtful, operation="erp.create_customer", **asked)
    assert claim.state == "in_doubt"
    await ledger.done(doubtful, fence=claim.fence, result={"id": "cus_us"})
    assert (await merging).state == "done"
    keys = [row.key for row in await ledger.rows(life.contract)]
    assert (f"customer:{two}:ACME-US" in keys, doubtful in keys) == (True, False)
    with pytest.raises(AccountFenced, match="is part of"):
        await ledger.claim(doubtful, operation="erp.create_customer", **asked)
