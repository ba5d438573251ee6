"""CS against a contract: its company and what that shows, its onboarding, the playbook of its renewal."""

from collections.abc import Iterator
from typing import Any

from domain import keys
from domain.ports.records import CompanyRecord, PlanRecord
from domain.reconciling.difference import Found
from domain.reconciling.expected import Expected
from domain.reconciling.outside import Outside


def compare(e: Expected, outside: Outside) -> Iterator[Found]:
    if e.over or e.company is None or e.unsettled("company"):
        return
    mine = next((each for each in outside.companies if each.id == e.company), None)
    if mine is None:
        other = next((each.id for each in outside.companies if each.account == e.account), None)
        told = f"; {other} stands for the account" if other else ""
        sentence = f"the company {e.company} of {e.account} is not in CS any more{told}"
        yield _of_account(e, "cs_company_missing", e.company, sentence, e.company, other)
    else:
        yield from _company(e, mine)
    yield from _plans(e, "onboarding", keys.onboarding(e.contract), outside.plans)
    yield from _plans(e, "playbook", keys.playbook(e.contract, e.term), outside.playbooks)


def _found(e: Expected, kind: str, subject: str, sentence: str, ours: Any = "", theirs: Any = "") -> Found:
    said = {"ours": "" if ours is None else str(ours), "theirs": "" if theirs is None else str(theirs)}
    where = {"contract": e.contract, "account": e.account, "connection": e.connection("cs")}
    return Found(kind=kind, subject=subject, sentence=sentence, **said, **where)


def _of_account(e: Expected, *said: Any) -> Found:
    return _found(e, *said).model_copy(update={"contract": None})


def _company(e: Expected, mine: CompanyRecord) -> Iterator[Found]:
    it = f"the company {mine.id} of {e.account}"
    if mine.account not in e.accounts:
        sentence = f"{it} stands for the account {mine.account or 'none'} in CS"
        yield _of_account(e, "cs_company_account", mine.id, sentence, e.account, mine.account)
    if mine.parent_account != e.parent:
        sentence = f"{it} is part of {mine.parent_account or 'nothing'} in CS, and of {e.parent or 'nothing'} here"
        yield _of_account(e, "cs_company_parent", mine.id, sentence, e.parent, mine.parent_account)
    if e.health is None or "cs.set_health" in e.under_way:
        return
    shown = (
        ("cs_risk", "the risk", e.health.risk, mine.risk),
        ("cs_priority", "the renewal priority", e.health.renewal_priority, mine.renewal_priority),
        ("cs_stage", "the stage", e.health.lifecycle_stage, mine.stage),
    )
    for kind, what, ours, theirs in shown:
        if ours != theirs:
            sentence = f"{it} shows {what} {theirs or 'none'} in CS, and {ours} was told"
            yield _of_account(e, kind, mine.id, sentence, ours, theirs)


def _plans(e: Expected, what: str, key: str, plans: list[PlanRecord]) -> Iterator[Found]:
    if not e.made(key) or e.unsettled(what):
        return
    named = [each for each in plans if each.key == key or each.id == e.effects[key]]
    if what == "onboarding":  # one plan, whoever made it
        named = [each for each in plans if each.contract == e.contract or each in named]
    if not named:
        sentence = f"the {what} of {e.contract} is in the ledger ({key}), and not in CS"
        yield _found(e, f"cs_{what}_missing", key, sentence, e.effects[key])
        return
    mine = next((each for each in named if each.id == e.effects[key]), named[0])
    for each in named:
        if each is not mine:
            sentence = f"{each.id} is a plan of {e.contract}'s {what} too, which has {mine.id}"
            yield _found(e, f"cs_{what}_duplicated", each.id, sentence, mine.id, each.id)
    if what == "onboarding" and mine.company != e.company:
        sentence = f"the plan {mine.id} of {e.contract} is one of the company {mine.company}, and {e.company} is its"
        yield _found(e, "cs_onboarding_company", mine.id, sentence, e.company, mine.company)
    if what == "playbook" and e.ends is not None and mine.on != e.ends:
        sentence = f"the playbook {mine.id} of {e.contract} is due on {mine.on or 'no day'}, and the term ends {e.ends}"
        yield _found(e, "cs_playbook_due", mine.id, sentence, e.ends, mine.on)
