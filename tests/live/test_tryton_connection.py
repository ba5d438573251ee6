"""What may happen to a connection with the live Tryton: sessions end, rights go, locks hold, passwords change."""

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from adapters.erp.tryton import TrytonErp
from domain.errors import AuthFailed, OutcomeUnknown, Rejected, SourceUnavailable
from domain.ports import Ref
from tests.live.tryton import Tryton
from tests.live.worlds.tryton import TrytonWorld, tryton_world


@pytest.fixture
async def world(tryton: Tryton) -> AsyncIterator[TrytonWorld]:
    async with tryton_world(tryton) as world:
        yield world


async def test_a_session_that_was_ended_is_opened_anew_and_the_effect_is_had_once(world: TrytonWorld) -> None:
    await world.port.probe()
    already = await world.count("create_customer")
    world.tryton.sql("DELETE FROM ir_session RETURNING id")
    new, key = world.sample.customer(), f"customer:{uuid4()}"
    made = await world.port.create_customer(new, key=key)
    assert await world.port.find_customer(key) == made
    assert world.proxy.calls["login"] == 2
    assert world.proxy.calls["create_customer"] == 2, "refused with the old session, performed with the new one"
    assert await world.count("create_customer") == already + 1


async def test_what_waits_for_a_lock_beyond_the_deadline_is_in_doubt_and_done_once(world: TrytonWorld) -> None:
    """Tryton goes on when we have given up, and commits."""
    await world.port.probe()
    already = await world.count("create_customer")
    new, key = world.sample.customer(), f"customer:{uuid4()}"
    async with await psycopg.AsyncConnection.connect(world.tryton.cluster.url(world.tryton.database)) as other:
        await other.execute("LOCK TABLE tenure_request IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OutcomeUnknown):
            await world.port.create_customer(new, key=key)
        await other.rollback()
    made = await world.port.create_customer(new, key=key)
    assert isinstance(made, Ref)
    assert await world.port.create_customer(new, key=key) == made
    assert await world.count("create_customer") == already + 1


async def test_a_user_without_the_group_may_neither_perform_nor_ask(world: TrytonWorld) -> None:
    login, password = f"somebody-{uuid4().hex[:8]}", uuid4().hex
    await world.admin("model.res.user.create", [{"name": login, "login": login, "password": password}], {})
    somebody = TrytonErp(world.client, database=world.tryton.database, user=login, password=password)
    already = await world.count("create_customer")
    with pytest.raises(Rejected):
        await somebody.create_customer(world.sample.customer(), key=f"customer:{uuid4()}")
    with pytest.raises(Rejected):
        await somebody.probe()
    assert await world.count("create_customer") == already


async def test_a_changed_password_is_refused_and_not_tried_again_at_once(world: TrytonWorld) -> None:
    for _ in range(3):
        with pytest.raises(AuthFailed) as raised:
            await world.stranger.create_customer(world.sample.customer(), key=f"customer:{uuid4()}")
        assert "wrong" not in str(raised.value)
    assert world.proxy.calls["login"] == 1


async def test_the_probe_names_what_is_missing_and_how_to_mend_it(world: TrytonWorld) -> None:
    assert (await world.port.probe()).clock is not None
    codes = world.tryton.sql("SELECT id, tenure_code FROM company_company WHERE tenure_code IS NOT NULL")
    world.tryton.sql("UPDATE company_company SET tenure_code = NULL RETURNING id")
    try:
        [problem] = (await world.port.probe()).problems
    finally:
        for company, code in codes:
            world.tryton.sql("UPDATE company_company SET tenure_code = %s WHERE id = %s RETURNING id", code, company)
    assert "no company of the user has a code" in problem.what
    assert problem.mend


async def test_a_database_that_is_not_there_is_unavailable_and_says_nothing_of_the_password(world: TrytonWorld) -> None:
    nowhere = TrytonErp(world.client, database="nowhere", user=world.tryton.user, password=world.tryton.password)
    with pytest.raises(SourceUnavailable) as raised:
        await nowhere.create_customer(world.sample.customer(), key=f"customer:{uuid4()}")
    assert world.tryton.password not in str(raised.value)
