"""What all pages share: what may be loaded, the theme, the pulse, errors as pages, forms from our own pages alone."""

import re

from domain.view import LifecycleView, Stage
from experience.console.page import POLICY
from tests.experience import Experience


async def test_nothing_on_a_page_is_inline_and_all_it_loads_is_there(experience: Experience) -> None:
    answer = await experience.http.get("/console")
    assert answer.headers["content-security-policy"] == POLICY
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", answer.text)
    loaded = re.findall(r'(?:src|href)="(/(?:static|vendor)/[^"]+)"', answer.text)
    assert len(loaded) == 4
    for address in loaded:
        assert (await experience.http.get(address)).status_code == 200, address


async def test_a_page_that_there_is_not_is_a_page(experience: Experience) -> None:
    answer = await experience.http.get("/console/nothing")
    assert answer.status_code == 404
    assert "<h1>Not Found</h1>" in answer.text
    part = await experience.http.get("/console/nothing", headers={"HX-Request": "true"})
    assert part.text.strip() == '<p class="notice bad" role="alert">Not Found</p>'


async def test_the_theme_is_kept_and_leads_nowhere_else(experience: Experience) -> None:
    ours = {"Sec-Fetch-Site": "same-origin"}
    answer = await experience.http.post(
        "/console/theme", data={"theme": "dark", "back": "/console?stage=renewal"}, headers=ours
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/console?stage=renewal")
    assert '<html lang="en" data-theme="dark">' in (await experience.http.get("/console")).text
    for back in ("https://evil.example/console", "//evil.example/console", "/elsewhere"):
        answer = await experience.http.post("/console/theme", data={"theme": "system", "back": back}, headers=ours)
        assert answer.headers["location"] == "/console"


async def test_the_pulse_is_another_one_when_something_has_changed(experience: Experience) -> None:
    before = await experience.http.get("/console/pulse")
    seen = re.findall(r"seen=(\w+)", before.text)[0]
    assert (await experience.http.get("/console/pulse", params={"seen": seen})).status_code == 204
    await experience.publish(LifecycleView(contract="crm/PULSE-1/1", stage=Stage.SERVING))
    after = await experience.http.get("/console/pulse", params={"seen": seen})
    assert after.status_code == 200
    assert "changed" in after.headers["hx-trigger"]
