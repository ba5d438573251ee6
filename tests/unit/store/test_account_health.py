"""One account risk out of the risks of its contracts: shown once, and whatever dies, the newest is what stands."""

from typing import Any

from domain.ports import Health
from store.account_health import SqlAccountHealth
from store.database import Database


def health(risk: str = "low", **fields: Any) -> Health:
    priority = {"low": "normal", "medium": "raised", "high": "urgent"}[risk]
    given = {"company": "co", "risk": risk, "renewal_priority": priority, "lifecycle_stage": "serving", "reasons": ()}
    return Health.model_validate({**given, **fields})


class Cs:
    """What a contract's activity does, with a CS platform that keeps the last value."""

    def __init__(self, database: Database) -> None:
        self.account = SqlAccountHealth(database)
        self.shows: list[Health] = []

    async def assess(self, contract: str, now: Health) -> None:
        rolled = await self.account.assess(contract, now)
        while rolled.news:
            self.shows.append(rolled.health)
            rolled = await self.account.shown(contract, rolled)


async def test_what_several_contracts_say_alike_is_shown_once(database: Database) -> None:
    cs = Cs(database)
    for contract in ("c", "b", "a"):
        await cs.assess(contract, health())
    for contract in ("b", "a", "c"):
        await cs.assess(contract, health("high", reasons=("a case of severity 1",)))
    assert [(each.risk, each.reasons) for each in cs.shows] == [("low", ()), ("high", ("a case of severity 1",))]


async def test_the_worst_contract_counts_and_says_why_until_it_is_better_or_over(database: Database) -> None:
    cs = Cs(database)
    await cs.assess("a", health())
    await cs.assess("b", health("high", reasons=("overdue",)))
    await cs.assess("a", health("medium", reasons=("adoption",), lifecycle_stage="renewal"))
    assert (cs.shows[-1].risk, cs.shows[-1].lifecycle_stage) == ("high", "renewal")
    assert cs.shows[-1].reasons == ("adoption", "overdue")
    await cs.assess("b", health("high", reasons=("overdue",), lifecycle_stage="ended"))
    assert (cs.shows[-1].risk, cs.shows[-1].renewal_priority) == ("medium", "raised")
    assert list(cs.shows[-1].reasons) == ["adoption"]
    await cs.assess("a", health("low", lifecycle_stage="ended"))
    assert cs.shows[-1].risk == "high", "when all are over, all count again"


async def test_a_write_that_was_overtaken_is_followed_by_the_newest(database: Database) -> None:
    cs = Cs(database)
    slow = await cs.account.assess("a", health("medium"))
    assert slow.news
    await cs.assess("b", health("high"))
    overtaken = await cs.account.shown("a", slow)  # the slow one lands last
    assert (overtaken.news, overtaken.health.risk) == (True, "high")
    assert not (await cs.account.shown("a", overtaken)).news


async def test_a_write_that_died_on_its_way_is_repeated_by_its_own_contract(database: Database) -> None:
    cs = Cs(database)
    await cs.account.assess("a", health("medium"))  # and the worker dies: perhaps it lands after what comes now
    await cs.assess("b", health("high"))
    shown = len(cs.shows)
    await cs.assess("a", health("medium"))
    assert [each.risk for each in cs.shows[shown:]] == ["high"]
    await cs.assess("a", health("medium"))
    assert len(cs.shows) == shown + 1


async def test_another_company_is_another_matter(database: Database) -> None:
    cs = Cs(database)
    await cs.assess("a", health("high"))
    await cs.assess("b", health("low", company="other"))
    assert [(each.company, each.risk) for each in cs.shows] == [("co", "high"), ("other", "low")]
