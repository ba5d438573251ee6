"""People log in at the identity provider, and come back as who they are."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey

from experience.auth.pages import inside
from experience.auth.provider import Provider
from starter.settings import Settings, load_settings
from tests.experience import Experience, open_experience, sqlite_url
from tests.house import EXAMPLES
from tests.identity import CLIENT, ISSUER, SECRET, IdentityProvider

PAGE = {"Accept": "text/html"}


@pytest.fixture
def settings() -> Settings:
    oidc = {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "client_secret": {"value": SECRET},
        "public_url": "http://127.0.0.1:8704",
        "roles_claim": "groups",
        "roles": {"cs-team": "csm", "books": "finance"},
        "regions_claim": "region",
    }
    access = {"mode": "policy", "oidc": oidc, "regions": {"emea": ["ACME-DE"]}}
    return load_settings(EXAMPLES.parent / "tenure.toml", access=access)


@pytest.fixture
def provider() -> IdentityProvider:
    found = IdentityProvider()
    found.claims |= {"groups": ["cs-team", "everybody"], "region": "emea"}
    return found


@pytest.fixture
async def experience(tmp_path: Path, settings: Settings, provider: IdentityProvider) -> AsyncIterator[Experience]:
    async with open_experience(sqlite_url(tmp_path), settings) as opened:
        app = opened.app
        assert settings.access.oidc is not None
        app.state.provider = Provider(settings.access.oidc, SECRET, transport=provider.transport)
        yield opened


async def logged_in(experience: Experience, provider: IdentityProvider, asked: str = "/console") -> httpx.Response:
    """Ask for a page, be sent away, log in, come back."""
    sent = await experience.http.get(asked, headers=PAGE)
    assert sent.status_code == 303, sent.text
    began = await experience.http.get(sent.headers["location"])
    assert began.status_code == 303, began.text
    return await experience.http.get(provider.log_in(began.headers["location"]))


async def test_somebody_logs_in_and_is_where_they_wanted_to_be(
    experience: Experience, provider: IdentityProvider
) -> None:
    back = await logged_in(experience, provider, "/console?stage=renewal")
    assert (back.status_code, back.headers["location"]) == (303, "/console?stage=renewal")
    assert "httponly" in back.headers["set-cookie"].lower()
    page = await experience.http.get("/console", headers=PAGE)
    assert page.status_code == 200
    assert "Ann" in page.text
    assert "csm" in page.text


async def test_roles_and_regions_come_from_the_provider(experience: Experience, provider: IdentityProvider) -> None:
    await logged_in(experience, provider)
    refused = await experience.http.get("/api/v1/audit")
    assert refused.status_code in (403, 404)
    assert (await experience.http.get("/api/v1/lifecycles")).status_code == 200


async def test_a_program_is_told_what_is_missing(experience: Experience) -> None:
    answer = await experience.http.get("/api/v1/lifecycles")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_logging_out_ends_the_session(experience: Experience, provider: IdentityProvider) -> None:
    await logged_in(experience, provider)
    stolen = dict(experience.http.cookies)
    foreign = await experience.http.post("/auth/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    left = await experience.http.post("/auth/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert left.headers["location"] == "/auth/bye"
    bye = await experience.http.get("/auth/bye")
    assert f"{ISSUER}/logout?client_id={CLIENT}" in bye.text
    experience.http.cookies.update(stolen)
    again = await experience.http.get("/console", headers=PAGE)
    assert again.status_code == 303, "the key opens nothing any more"


async def test_an_answer_is_taken_once_and_from_the_browser_that_asked(
    experience: Experience, provider: IdentityProvider
) -> None:
    began = await experience.http.get("/auth/login")
    back = provider.log_in(began.headers["location"])
    mine = dict(experience.http.cookies)
    experience.http.cookies.clear()
    assert (await experience.http.get(back)).status_code == 403, "another browser"
    experience.http.cookies.update(mine)
    forged = back.replace("state=", "state=x")
    assert (await experience.http.get(forged)).status_code == 403, "another login's"
    assert (await experience.http.get(back)).status_code == 403, "the forgery has used it up"


LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "somebody-else"},
    "too old": {"exp": 1_000_000_000},
    "another login's nonce": {"nonce": "n"},
    "another application": {"azp": "somebody-else"},
    "no role here": {"groups": ["everybody"]},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_is_not_proven_opens_nothing(experience: Experience, provider: IdentityProvider, lie: str) -> None:
    provider.wrong = LIES[lie]
    back = await logged_in(experience, provider)
    assert back.status_code == 403
    assert "tenure_session" not in experience.http.cookies
    assert (await experience.http.get("/console", headers=PAGE)).status_code == 303


async def test_only_the_providers_own_key_signs(experience: Experience, provider: IdentityProvider) -> None:
    provider.signs_with = ECKey.generate_key("P-256", {"kid": "k1"})
    assert (await logged_in(experience, provider)).status_code == 403


async def test_a_provider_that_is_away_or_another_one_is_told_in_one_line(
    experience: Experience, provider: IdentityProvider
) -> None:
    provider.down = True
    answer = await experience.http.get("/auth/login")
    assert answer.status_code == 502
    assert "does not answer" in answer.text
    provider.down, provider.issuer = False, "https://evil.example"
    assert "says that it is another one" in (await experience.http.get("/auth/login")).text


def test_a_login_leads_nowhere_else() -> None:
    assert inside("/console/cases?x=1") == "/console/cases?x=1"
    for address in ("https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/\tevil", "javascript:x"):
        assert inside(address) == "/console", address
    assert urlsplit(inside("/console")).netloc == ""
