"""Commands over HTTP to running lifecycles: the same Updates as at the command line, once by their key."""

from sqlalchemy import delete

from store.commands import CommandRow
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
