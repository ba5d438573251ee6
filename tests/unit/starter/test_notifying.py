"""People are told: by e-mail, Slack and Teams, at once or with a digest, and never twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from domain.company import Company
from starter.case_desk import CaseDesk
from starter.notifying.notices import tell
from starter.notifying.notifier import Notifier
from starter.settings import Settings, SettingsError, load_settings
from store.cases import Cases
from store.database import Database
from store.notices import LOST_AFTER, NoticeRow, claim, retry_held, standing
from store.tables import CaseRow, utc_now
from tests.clocks import CONTRACT, Watched, a_company
from tests.mailbox import Door, Mailbox, at_a_port

TEAMS: Any = [
    {"id": "revops", "tell": ["slack"], "escalate": {"to": "leads", "after": "2h"}},
    {"id": "leads", "tell": ["mail"]},
]
RULES: Any = {"teams": TEAMS, "ownership": {"default": "revops"}, "onboarding": {"name": "none", "tasks": ()}}


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    database = Database(either_url)
    yield database
    database.close()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def settings(mailbox: Mailbox, door: Door) -> AsyncIterator[Settings]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(at_a_port(mailbox))
        await stack.enter_async_context(at_a_port(door))
        hook = {"value": f"http://127.0.0.1:{door.port}/hook"}
        channels = {
            "slack": {"kind": "slack", "url": hook, "digest": "15m"},
            "teams": {"kind": "teams", "url": hook, "digest": "0m"},
            "mail": {"kind": "email", "to": ["leads@example.com"], "digest": "0m"},
        }
        yield load_settings(channels=channels, mail={"port": mailbox.port, "sender": "tenure@example.com"})


@pytest.fixture
async def notifier(database: Database, settings: Settings) -> AsyncIterator[Notifier]:
    async with Notifier(database, settings, a_company(**RULES)) as notifier:
        yield notifier


async def give(database: Database, *keys: str, team: str = "revops", company: Company | None = None, **how: Any) -> int:
    chosen = company or a_company(**RULES)
    given = [
        await database.write(lambda session: tell(session, chosen, team, key, f"about {key}", **how))  # noqa: B023
        for key in keys
    ]
    return sum(given)


async def states(database: Database) -> dict[str, str]:
    rows = await database.read(lambda session: session.exec(select(NoticeRow)).all())
    return {row.key.partition(":")[2]: row.state for row in rows}


async def test_what_is_urgent_goes_at_once_and_once(database: Database, notifier: Notifier, door: Door) -> None:
    assert await give(database, "a", hint="tenure cases show a <b>", urgent=True) == 1
    assert await give(database, "a", urgent=True) == 0, "the same thing again"
    for _ in range(3):
        await notifier.tell("slack", 900)
    assert door.posts == [{"text": "• about a\n   `tenure cases show a &lt;b&gt;`"}]
    assert await states(database) == {"a": "sent"}


async def test_the_rest_is_gathered(database: Database, notifier: Notifier, door: Door) -> None:
    await give(database, *(f"n{number}" for number in range(25)))
    await notifier.tell("slack", 900)
    assert door.posts == [], "its quarter of an hour is not over"
    await notifier.tell("slack", 0)
    (post,) = door.posts
    told = post["text"].splitlines()
    assert told[0] == "*25 things need somebody*"
    assert (told[1], told[-1], len(told)) == ("• about n0", "and 5 more: tenure cases list", 22)


async def test_what_was_settled_meanwhile_is_not_told(database: Database, notifier: Notifier, door: Door) -> None:
    await Cases(database).open(CaseRow(id="c", kind="order", title="wrong"))
    await give(database, "settled", case="c")
    await Cases(database).resolve("c", "mended")
    await notifier.tell("slack", 0)
    assert door.posts == []
    assert await states(database) == {"settled": "moot"}


async def test_teams_gets_a_card(database: Database, notifier: Notifier, door: Door) -> None:
    company = a_company(teams=[{"id": "csm", "tell": ["teams"]}])
    await give(database, "a_b", team="csm", company=company, hint="x")
    await notifier.tell("teams", 0)
    (card,) = door.posts[0]["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in card["content"]["body"]] == ["about a\\_b", "x"]


async def test_mail(database: Database, notifier: Notifier, mailbox: Mailbox) -> None:
    await give(database, "ä", "b", team="leads", hint="tenure cases show c")
    await notifier.tell("mail", 0)
    (mail,) = mailbox.mails
    assert (mail["to"], mail["from"]) == ("leads@example.com", "tenure@example.com")
    assert mail["subject"] == "[Tenure] 2 things need somebody"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail.get_content().splitlines()[:2] == ["- about ä", "  tenure cases show c"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [((429, "retry-after: 90\r\n"), "pending"), ((404, ""), "held"), ((500, ""), "doubtful"), (None, "doubtful")],
)
async def test_a_webhook_that_does_not_take_it(
    database: Database, notifier: Notifier, door: Door, answer: tuple[int, str] | None, state: str
) -> None:
    door.answer = answer
    await give(database, "a", urgent=True)
    await notifier.tell("slack", 0)
    assert await states(database) == {"a": state}
    door.answer = (200, "")
    await notifier.tell("slack", 0)
    assert door.posts == [], "it is left alone, is a person's, or may have arrived"
    cases = {case.kind for case in await Cases(database).list()}
    assert cases == (set() if state == "pending" else {"untold"})
    if state == "held":
        assert await database.write(lambda session: retry_held(session, "slack")) == 1
        await notifier.tell("slack", 0)
        assert (len(door.posts), await Cases(database).list()) == (1, [])


@pytest.mark.parametrize(("answer", "state"), [("451 later", "pending"), ("554 no", "held"), (None, "doubtful")])
async def test_a_mail_server_that_does_not_take_it(
    database: Database, notifier: Notifier, mailbox: Mailbox, answer: str | None, state: str
) -> None:
    mailbox.answer = answer
    await give(database, "a", team="leads")
    await notifier.tell("mail", 0)
    assert (await states(database), mailbox.mails) == ({"a": state}, [])


async def test_nobody_is_there(database: Database, mailbox: Mailbox, door: Door, settings: Settings) -> None:
    gone = settings.model_copy(update={"mail": settings.mail.model_copy(update={"port": 1})})
    async with Notifier(database, gone, a_company(**RULES)) as notifier:
        await give(database, "a", team="leads")
        await notifier.tell("mail", 0)
    (mail,) = await database.read(lambda session: standing(session, ["mail"]))
    assert (mail.pending, mail.problem) == (1, "the mail server can't be reached (ConnectionRefusedError)")


async def test_what_dies_on_the_way_is_never_sent_again(database: Database, notifier: Notifier, door: Door) -> None:
    await give(database, "a", urgent=True)
    assert await database.write(lambda session: claim(session, "slack", 0)) is not None  # and here the process dies
    await give(database, "b", urgent=True)
    await notifier.tell("slack", 0)
    assert door.posts == [], "one message at a time"

    def time_passes(session: Any) -> None:
        session.exec(select(NoticeRow).where(NoticeRow.state == "sending")).one().sent_at -= LOST_AFTER + 1

    await database.write(time_passes)
    await notifier.tell("slack", 0)
    assert await states(database) == {"a": "doubtful", "b": "sent"}
    (case,) = await Cases(database).list()
    assert case.reasons == ["the process that sent it was gone", "about a"]


async def test_two_processes_tell_once(database: Database, settings: Settings, door: Door) -> None:
    await give(database, "a", urgent=True)
    company = a_company(**RULES)
    async with Notifier(database, settings, company) as one, Notifier(database, settings, company) as other:
        await asyncio.gather(*(each.tell("slack", 0) for each in (one, other) * 3))
    assert len(door.posts) == 1


async def test_what_is_not_urgent_waits_for_the_team_s_hours(database: Database) -> None:
    tomorrow = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(datetime.now(UTC).weekday() + 1) % 7]
    hours = {"office": {"zone": "UTC", "week": {tomorrow: ["09:00-17:00"]}}}
    company = a_company(teams=[{"id": "revops", "tell": ["slack"], "hours": "office"}], hours=hours)
    await give(database, "a", company=company)
    await give(database, "b", company=company, urgent=True)
    rows = await database.read(lambda session: session.exec(select(NoticeRow).order_by(NoticeRow.key)).all())
    later, at_once = (row.not_before - row.created_at for row in rows)
    assert later > 9 * 3600 - 1
    assert at_once == 0


async def test_a_late_clock_is_told_and_escalated(
    database: Database, notifier: Notifier, door: Door, mailbox: Mailbox
) -> None:
    watched = Watched(database, a_company(**RULES))
    await watched.won()
    await watched.later(hours=20)
    await watched.later(hours=5)
    await watched.later(hours=3)
    await watched.later(hours=3)
    for channel in ("slack", "mail") * 2:
        await notifier.tell(channel, 0)
    told = [post["text"].splitlines()[0] for post in door.posts]
    assert [text.partition(", due")[0] for text in told] == [
        f"• late: a won order is activated ({CONTRACT})",
        f"• soon late: a won order is activated ({CONTRACT})",
    ]
    (mail,) = mailbox.mails
    assert mail["subject"].startswith("[Tenure] late, and revops has not answered: a won order is activated")


async def test_who_answers_is_not_escalated_over(database: Database, notifier: Notifier, mailbox: Mailbox) -> None:
    watched = Watched(database, a_company(**RULES))
    await watched.won()
    await watched.later(hours=25)
    await CaseDesk(database).note(f"sla:order_activated:{CONTRACT}", "ann", "the ERP was away")
    await watched.later(hours=9)
    await notifier.tell("mail", 0)
    assert mailbox.mails == []


async def test_each_step_of_an_escalation_is_told_once(
    database: Database, notifier: Notifier, mailbox: Mailbox
) -> None:
    steps = [{"to": "leads", "after": "2h"}, {"to": "board", "after": "5h"}, {"to": "leads", "after": "9h"}]
    teams = [{"id": "revops", "escalate": steps}, *({"id": name, "tell": ["mail"]} for name in ("leads", "board"))]
    watched = Watched(database, a_company(**{**RULES, "teams": teams}))
    await watched.won()
    await watched.later(hours=25)
    told = []
    for _ in range(9):
        await watched.later(hours=1)
        await watched.sweep()
        await notifier.tell("mail", 0)
        told.append(len(mailbox.mails))
    assert told == [1, 1, 1, 2, 2, 2, 2, 3, 3]


async def test_an_answer_ends_an_escalation_at_the_step_where_it_is(
    database: Database, notifier: Notifier, mailbox: Mailbox
) -> None:
    steps = [{"to": "leads", "after": "2h"}, {"to": "leads", "after": "5h"}]
    teams = [{"id": "revops", "escalate": steps}, {"id": "leads", "tell": ["mail"]}]
    watched = Watched(database, a_company(**{**RULES, "teams": teams}))
    await watched.won()
    await watched.later(hours=28)
    await notifier.tell("mail", 0)
    await CaseDesk(database).note(f"sla:order_activated:{CONTRACT}", "ann", "the ERP was away")
    await watched.later(hours=30)
    await notifier.tell("mail", 0)
    assert len(mailbox.mails) == 1


async def test_a_case_is_told_to_its_team_each_time_it_opens(
    database: Database, notifier: Notifier, door: Door
) -> None:
    watched = Watched(database, a_company(**RULES))
    await watched.won()
    for opened in (utc_now() - timedelta(minutes=2), utc_now()):
        await watched.open(CaseRow(id="c", contract=CONTRACT, kind="order", title="wrong", opened_at=opened))
        await watched.sweep()
        await watched.sweep()
        await notifier.tell("slack", 0)
        await Cases(database).resolve("c", "mended")
        await watched.sweep()
    assert [post["text"].splitlines()[0] for post in door.posts] == [f"• wrong ({CONTRACT})"] * 2


def test_a_team_is_told_by_channels_that_there_are(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="there is no 'pager', by which the team ops is told"):
        Notifier(None, settings, a_company(teams=[{"id": "ops", "tell": ["pager"]}]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("channel", "why"),
    [
        ({"kind": "email"}, "needs addresses"),
        ({"kind": "email", "to": ["nobody"]}, "is no e-mail address"),
        ({"kind": "slack"}, "need the secret `url`"),
        ({"kind": "slack", "url": "https://hooks.example"}, "say where the secret is"),
        ({"kind": "pager"}, "Input should be"),
    ],
)
def test_a_channel_that_is_none(channel: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load_settings(channels={"one": channel})
