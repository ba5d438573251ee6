"""The page on Stripe says how to connect it: what it shows is a configuration that works."""

import re
from pathlib import Path

import httpx
import pytest

from adapters.billing.stripe import StripeBilling
from starter.settings import Settings, SettingsError, load_settings
from vendors import Opening, open_adapter

PAGE = Path(__file__).parents[2] / "docs" / "stripe.md"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENURE_SECRET_STRIPE", "sk_test_1")
    monkeypatch.setenv("TENURE_SECRET_STRIPE_WEBHOOK", "whsec_1")
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1].replace("_…", "_1")


def _settings(shown: str, home: Path) -> Settings:
    file = home / "tenure.toml"
    file.write_text(shown)
    return load_settings(file, state_dir=home)


async def test_the_page_shows_a_configuration_that_opens(shown: str, tmp_path: Path) -> None:
    settings = _settings(shown, tmp_path)
    assert settings.webhooks["stripe"].connection == "stripe"
    async with httpx.AsyncClient(base_url=settings.base_url("stripe") + "/") as client:
        adapter = open_adapter(Opening("stripe", settings.connections["stripe"], client, settings))
    assert isinstance(adapter, StripeBilling)


async def test_an_option_that_can_not_be_used_is_one_line_that_names_it(shown: str, tmp_path: Path) -> None:
    settings = _settings(shown.replace("Europe/Vienna", "Vienna"), tmp_path)
    async with httpx.AsyncClient() as client:
        opening = Opening("stripe", settings.connections["stripe"], client, settings)
        with pytest.raises(SettingsError, match=r"^connections\.stripe\.options\.zone: 'Vienna' is no time zone$"):
            open_adapter(opening)
