"""Machines come in by a token; without a login only this machine does."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from domain.view import LifecycleView, Stage
from starter.settings import SettingsError, load_settings
from store.audit import Audit, Wanted
from store.tokens import Tokens
from tests.experience import Experience, open_experience, sqlite_url
from tests.house import EXAMPLES

TOML = EXAMPLES.parent / "tenure.toml"


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Experience]:
    access = {"mode": "policy", "regions": {"emea": ["ACME-DE"]}}
    async with open_experience(sqlite_url(tmp_path), load_settings(TOML, access=access)) as opened:
        for contract, entity in (("crm/DOOR-1/1", "ACME-DE"), ("crm/DOOR-2/1", "ACME-US")):
            await opened.publish(LifecycleView(contract=contract, stage=Stage.SERVING, selling_entity=entity))
        yield opened


async def bearer(experience: Experience, *scopes: str, role: str = "csm", region: str = "*") -> dict[str, str]:
    _, token = await Tokens(experience.database).create(
        "robot", roles=[role], scopes=scopes, regions=[region], by="ann", lifetime=timedelta(hours=1)
    )
    return {"Authorization": f"Bearer {token}"}


async def status(experience: Experience, path: str, headers: dict[str, str]) -> int:
    return (await experience.http.get(path, headers=headers)).status_code


async def test_a_token_opens_what_its_scopes_name(guarded: Experience) -> None:
    assert await status(guarded, "/api/v1/lifecycles", await bearer(guarded, "lifecycle.read")) == 200
    assert await status(guarded, "/api/v1/lifecycles", await bearer(guarded, "case.*")) == 403
    assert await status(guarded, "/api/v1/lifecycles", {"Authorization": "Bearer tnr_x_y"}) == 401
    assert await status(guarded, "/api/v1/lifecycles", {"Authorization": "Basic eDp5"}) == 401
    assert await status(guarded, "/api/v1/lifecycles", {}) == 401
    assert await status(guarded, "/healthz", {}) == 200, "whether we live anybody may ask"


async def test_who_was_refused_is_in_the_trail(guarded: Experience) -> None:
    await status(guarded, "/api/v1/lifecycles/crm/DOOR-1/1", await bearer(guarded, "case.read"))
    [line] = await Audit(guarded.database).list(Wanted())
    assert (line.actor, line.permission, line.outcome, line.subject) == (
        "token:robot", "lifecycle.read", "denied", "crm/DOOR-1/1",
    )  # fmt: skip


async def test_a_region_is_all_that_a_token_finds(guarded: Experience) -> None:
    german = await bearer(guarded, "lifecycle.read", region="emea")
    answer = await guarded.http.get("/api/v1/lifecycles", headers=german)
    assert [line["contract"] for line in answer.json()["items"]] == ["crm/DOOR-1/1"]
    assert await status(guarded, "/api/v1/lifecycles/crm/DOOR-1/1", german) == 200
    assert await status(guarded, "/api/v1/lifecycles/crm/DOOR-2/1", german) == 404


async def test_without_a_login_only_this_machine_comes_in(tmp_path: Path) -> None:
    async with open_experience(sqlite_url(tmp_path), load_settings(TOML)) as opened:
        for host in ("localhost:8704", "127.0.0.1", "[::1]:8704"):
            assert await status(opened, "/api/v1/lifecycles", {"Host": host}) == 200, host
        for host in ("evil.example", "10.0.0.7:8704", ""):
            assert await status(opened, "/api/v1/lifecycles", {"Host": host}) == 401, host
        assert await status(opened, "/api/v1/lifecycles", {"Authorization": "Bearer tnr_x_y"}) == 401


def test_without_a_login_nobody_listens_for_others() -> None:
    with pytest.raises(SettingsError, match=r'experience.host: .*set access.mode = "policy"'):
        load_settings(TOML, experience={"host": "0.0.0.0"})  # noqa: S104 (it is refused, or asks for logins)
    assert load_settings(TOML, experience={"host": "0.0.0.0"}, access={"mode": "policy"})  # noqa: S104 (it is refused, or asks for logins)


@pytest.mark.parametrize(
    ("access", "mistake"),
    [
        ({"people": {"ann": {"roles": ["boss"]}}}, "people.ann.roles"),
        ({"people": {"ann": {"roles": ["csm"], "regions": ["mars"]}}}, "unknown region 'mars'"),
        ({"roles": {"csm": {"permissions": ["renewal.decides"]}}}, "names no permission"),
        ({"roles": {"csm": {"sees": ["everything"]}}}, "roles.csm.sees"),
        ({"oidc": {"issuer": "http://id.example", "client_id": "t", "public_url": "https://t.example"}}, "https"),
    ],
)
def test_a_mistake_in_the_policy_is_one_line(access: dict[str, object], mistake: str) -> None:
    with pytest.raises(SettingsError, match=mistake) as told:
        load_settings(TOML, access=access)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"X-Forwarded-Host": "tenure.example.com"},
        {"Forwarded": "for=203.0.113.7"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "localhost.example.com"},
        {"Host": "127.0.0.1.example.com:8704"},
        {"Host": "0.0.0.0:8704"},
        {"Host": ""},
    ],
)
async def test_without_a_login_nobody_is_let_in_from_elsewhere(tmp_path: Path, headers: dict[str, str]) -> None:
    async with open_experience(sqlite_url(tmp_path)) as demo:
        assert await status(demo, "/api/v1/lifecycles", {}) == 200
        assert await status(demo, "/api/v1/lifecycles", headers) == 401
        assert await status(demo, "/console", headers) == 401
        app = demo.app
        elsewhere = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://127.0.0.1:8704") as http:
            assert (await http.get("/api/v1/lifecycles", headers={"X-Forwarded-For": "127.0.0.1"})).status_code == 401


async def test_a_trail_takes_a_very_long_question(guarded: Experience) -> None:
    asked = f"/api/v1/cases?contract={'x' * 3000}"
    assert await status(guarded, asked, await bearer(guarded, "lifecycle.read")) == 403
    [line] = await Audit(guarded.database).list(Wanted())
    assert len(line.subject) == 500
