"""Commands over HTTP to running lifecycles: the same Updates as at the command line, once by their key."""

from datetime import timedelta
from urllib.parse import unquote

from sqlalchemy import delete

from store.commands import CommandRow
from store.orders import SqlOrders
from tests.dispatch import Post
from tests.experience import over
from tests.house import House
from tests.workflow.lives import open_window


async def test_a_csm_decides_a_renewal_once(house: House) -> None:
    post = Post(house)
    life = await post.win("api-renewal")
    await open_window(life)
    async with over(house.database, client=house.client) as experience:
        path = f"/renewals/{life.contract}/decision"
        seen = await experience.post(f"{path}/preview", {"kind": "renew"})
        assert seen.status_code == 200, seen.text
        assert (await life.view()).decision is None
        first = await experience.post(path, {"kind": "renew"}, key="decided")
        again = await experience.post(path, {"kind": "renew"}, key="decided")
        assert (first.status_code, again.json()["repeated"]) == (200, True), first.text
        view = await life.until(lambda view: view.decision)
        assert view.decision == "renew (demo)"
        refused = await experience.post(path, {"kind": "renew"}, key="another")
        assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")


async def test_an_answer_that_was_lost_is_found_by_the_key(house: House) -> None:
    """The Update was carried out, and the process died before it had kept the answer."""
    post = Post(house)
    life = await post.win("api-lost")
    async with over(house.database, client=house.client) as experience:
        path, pause = f"/changes/{life.contract}", {"kind": "pause", "reason": "merger talks"}
        assert (await experience.post(path, pause, key="lost")).status_code == 200
        resumed = await experience.post(path, {"kind": "resume"}, key="resumed")
        assert resumed.status_code == 200
        await house.database.write(lambda session: session.connection().execute(delete(CommandRow)))
        again = await experience.post(path, pause, key="lost")
        assert (again.status_code, again.json()["repeated"]) == (200, False)
        assert (await life.view()).paused is None


async def test_a_milestone_goes_through_the_inbox_once(house: House) -> None:
    post = Post(house)
    life = await post.win("api-golive")
    async with over(house.database, client=house.client) as experience:
        path = f"/lifecycles/{life.contract}/milestones"
        kept = await experience.post(path, {"milestone": "go-live"}, key="reached")
        assert (kept.status_code, "is kept" in kept.json()["message"]) == (200, True)
        await post.settle()
        view = await life.until(lambda view: "go-live" in view.milestones)
        assert view.milestones["go-live"] is not None
        assert (await experience.post(path, {"milestone": "go-live"}, key="reached")).json()["repeated"] is True


async def test_an_order_is_mended(house: House) -> None:
    post = Post(house)
    life = await post.win("api-broken", CurrencyIsoCode="XXX")
    async with over(house.database, client=house.client) as experience:
        case = (await experience.get(f"/activations/{life.contract}"))["cases"]
        assert case, await life.view()
        fixes = {"fixes": {"currency": "EUR"}}
        mended = await experience.post(f"/lifecycles/{life.contract}/fix", fixes)
        assert (mended.status_code, mended.json()["message"]) == (200, "the order is valid now, and goes on")
        await life.until(lambda view: view.stage != "order_activation")


NEW_LINE = {"product": "ANALYTICS", "quantity": "10", "unit_price": "20", "frequency": "monthly"}


async def test_a_line_is_added_once_though_the_answer_was_lost_and_a_preview_keeps_nothing(house: House) -> None:
    life = await Post(house).win("api-add")
    orders = SqlOrders(house.database)
    async with over(house.database, client=house.client) as experience:
        path, wish = f"/changes/{life.contract}", {"kind": "amend", "add": [NEW_LINE]}
        seen = await experience.post(f"{path}/preview", wish)
        assert (seen.status_code, len(await orders.revisions(life.contract))) == (200, 1), seen.text
        first = await experience.post(path, wish, key="added")
        assert first.status_code == 200, first.text
        await house.database.write(lambda session: session.connection().execute(delete(CommandRow)))
        again = await experience.post(path, wish, key="added")
        assert (again.status_code, again.json()["message"]) == (200, first.json()["message"])
        for other in (
            {"kind": "amend", "quantities": {"PLATFORM": 60}},
            {"kind": "amend_at_renewal", "add": [NEW_LINE]},
        ):
            await house.database.write(lambda session: session.connection().execute(delete(CommandRow)))
            refused = await experience.post(path, other, key="added")
            assert (refused.status_code, "is the id of another change" in refused.text) == (409, True)
        newest = await orders.newest(life.contract)
        assert (newest.revision, [line["product"] for line in newest.document["lines"]].count("ANALYTICS")) == (2, 1)
        wrong = await experience.post(path, {"kind": "amend", "add": [NEW_LINE], "remove": ["no-such-line"]})
        assert (wrong.status_code, (await orders.newest(life.contract)).revision) == (409, 2)


async def test_the_console_changes_lines_co_terms_moves_and_undoes_after_a_preview(house: House) -> None:
    post = Post(house)
    life, other = await post.win("do-lines"), await post.win("do-other")
    async with over(house.database, client=house.client) as experience:

        async def do(name: str, **answers: str) -> tuple[int, str]:
            here = f"/console/do/{name}/{life.contract}"
            seen = await experience.http.get(here, params={**answers, "preview": "1", "change-id": f"do-{name}"})
            if seen.status_code != 200:
                return seen.status_code, seen.text
            done = await experience.http.post(here, data={**answers, "change-id": f"do-{name}"})
            return done.status_code, unquote(done.headers.get("set-cookie", ""))

        swap = {"add": "product=ANALYTICS,quantity=10,unit_price=20,frequency=monthly", "when": "renewal"}
        status, told = await do("amend", **swap)
        assert (status, "undo do-amend" in told) == (303, True), told
        assert (await do("undo", change="do-amend"))[0] == 303
        assert (await do("undo", change="no-such-change"))[0] == 409
        view = await other.until(lambda view: view.term_ends)
        assert view.term_ends is not None
        longer = {"kind": "extend", "ends": str(view.term_ends + timedelta(days=31))}
        assert (await experience.post(f"/changes/{other.contract}", longer)).status_code == 200
        await other.until(lambda now: now.term_ends != view.term_ends)
        assert (await do("co-term", other=other.contract))[0] == 303
        assert (await do("co-term", other="crm/nobody/1"))[0] == 422
        status, page = await do("move", entity="ACME-US", currency="XXX")
        assert (status, "currency" in page) == (422, True)
        assert (await do("amend"))[0] == 422
