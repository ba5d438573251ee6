"""The audit trail, tokens and sessions, on SQLite and PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.access import Denied, Permission, default_policy
from store.audit import DENIED, DONE, Asked, Audit, Wanted
from store.database import Database
from store.sessions import Sessions
from store.tokens import TokenRow, Tokens

ANN = default_policy().principal("ann", roles=["csm"])
DECIDES = Asked(ANN, Permission.RENEWAL_DECIDE, "console", subject="crm/006/1", reason="they want to stay")


async def test_a_command_is_in_the_trail_before_it_is_done_and_after(database: Database) -> None:
    audit = Audit(database)
    async with audit.command(DECIDES, refusals=(Denied,), named=(TimeoutError,)):
        [begun] = await audit.list(Wanted())
        assert (begun.actor, begun.kind, begun.permission, begun.outcome) == (
            "ann",
            "command",
            "renewal.decide",
            "begun",
        )
        assert (begun.subject, begun.reason, begun.roles, begun.way) == (
            "crm/006/1",
            "they want to stay",
            "csm",
            "console",
        )
    done, begun = await audit.list(Wanted())
    assert (done.outcome, done.request) == (DONE, begun.request)


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [
        (Denied("not now"), "refused", "not now"),
        (TimeoutError("no answer"), "failed", "no answer"),
        (RuntimeError("secret"), "failed", "RuntimeError"),
    ],
)
async def test_a_command_that_is_not_done_says_so(
    database: Database, error: Exception, outcome: str, detail: str
) -> None:
    audit = Audit(database)
    with pytest.raises(type(error)):
        async with audit.command(DECIDES, refusals=(Denied,), named=(TimeoutError,)):
            raise error
    [last, _] = await audit.list(Wanted())
    assert (last.outcome, last.detail) == (outcome, detail)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'bob'", "DELETE FROM audit"])
async def test_the_database_itself_refuses_to_change_a_line(database: Database, statement: str) -> None:
    audit = Audit(database)
    await audit.record(DECIDES, DENIED)
    with pytest.raises(DBAPIError, match="only added to"):
        await database.write(lambda session: session.execute(text(statement)))
    assert [row.actor for row in await audit.list(Wanted())] == ["ann"]


async def test_the_trail_is_searched_and_paged(database: Database) -> None:
    audit = Audit(database)
    for number in range(5):
        await audit.record(Asked(ANN, Permission.CASE_READ, "api", subject=f"case_{number}"), DONE, shown=["payload"])
    await audit.record(DECIDES, DENIED)
    reads = await audit.list(Wanted(kind="read"), limit=2)
    assert [row.subject for row in reads] == ["case_4", "case_3"]
    rest = await audit.list(Wanted(kind="read", before=reads[-1].id))
    assert [row.subject for row in rest] == ["case_2", "case_1", "case_0"]
    assert [row.shown for row in await audit.list(Wanted(subject="se_3"))] == ["payload"]
    assert [row.outcome for row in await audit.list(Wanted(permission="renewal.decide", actor="ann"))] == [DENIED]
    assert not await audit.list(Wanted(actor="bob"))


async def made(tokens: Tokens, lifetime: timedelta = timedelta(days=1)) -> tuple[TokenRow, str]:
    return await tokens.create(
        "loader", roles=["finance"], scopes=["export.read"], regions=["*"], by="ann", lifetime=lifetime
    )


async def test_a_token_opens_until_it_is_revoked(database: Database) -> None:
    tokens = Tokens(database)
    row, token = await made(tokens)
    found = await tokens.check(token)
    assert found is not None
    assert (found.name, found.roles, found.scopes) == ("loader", ["finance"], ["export.read"])
    assert (await tokens.list())[0].used_at is not None
    assert await tokens.revoke(row.id) is not None
    assert await tokens.check(token) is None
    assert await tokens.list() == []
    assert [each.id for each in await tokens.list(gone=True)] == [row.id]
    assert await tokens.revoke("nothing") is None


async def test_nothing_else_opens(database: Database) -> None:
    tokens = Tokens(database)
    row, token = await made(tokens)
    for other in ("", "tnr_", token[:-1], token + "x", f"tnr_{row.id}_", f"tnr__{token}", "tnr_ü_x", f"x{token}"):
        assert await tokens.check(other) is None, other
    _, expired = await made(tokens, timedelta(seconds=-1))
    assert await tokens.check(expired) is None


async def test_the_store_never_holds_a_token(database: Database) -> None:
    row, token = await made(Tokens(database))
    secret = token.rpartition(f"{row.id}_")[2]
    kept = await database.read(lambda session: session.execute(text("SELECT * FROM tokens")).all())
    assert secret not in str(kept)


async def test_a_session_lives_until_it_expires_or_is_taken(database: Database) -> None:
    sessions = Sessions(database)
    key = await sessions.open("person", {"subject": "ann"}, timedelta(hours=1))
    assert await sessions.get("person", key) == {"subject": "ann"}
    assert await sessions.get("login", key) is None, "another kind of session"
    assert await sessions.take("login", key) is None
    assert await sessions.take("person", key) == {"subject": "ann"}
    assert await sessions.get("person", key) is None
    old = await sessions.open("person", {}, timedelta(seconds=-1))
    assert await sessions.get("person", old) is None
    assert await sessions.take("person", old) is None
