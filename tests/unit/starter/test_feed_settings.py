"""The configuration of change feeds: what it connects, and what a mistake says."""

from pathlib import Path

import pytest

import wiring
from adapters.feeds.postgres_outbox import PostgresOutbox
from adapters.feeds.sandbox import SandboxFeed
from starter.settings import SettingsError, load_settings

CONNECTIONS = '[connections.crm]\nkind = "crm"\n[connections.erp]\nkind = "erp"\n'


def write(directory: Path, text: str) -> Path:
    file = directory / "tenure.toml"
    file.write_text(CONNECTIONS + text, encoding="utf-8")
    return file


async def test_each_feed_is_connected_to_its_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_SECRET_BOOKS", "postgresql://reader@books/erp")
    settings = load_settings(
        write(
            tmp_path,
            '[feeds.deals]\nconnection = "crm"\nsource = "crm"\nbegin = "everything"\n'
            '[feeds.books]\nconnection = "erp"\nadapter = "postgres_outbox"\ntable = "public.told"\n'
            'database = { env = "TENURE_SECRET_BOOKS" }\n',
        )
    )
    async with wiring.connect_feeds(settings) as (deals, books):
        assert (deals.name, deals.source, deals.begin) == ("deals", "crm", "everything")
        assert isinstance(deals.port, SandboxFeed)
        assert (books.name, books.source, books.begin) == ("books", "books", "now")
        assert isinstance(books.port, PostgresOutbox)
    assert settings.feeds["books"].every == 30


async def test_without_feeds_nothing_is_connected(tmp_path: Path) -> None:
    async with wiring.connect_feeds(load_settings(write(tmp_path, ""))) as feeds:
        assert feeds == []


async def test_a_database_that_can_not_be_read_names_its_place(tmp_path: Path) -> None:
    feed = '[feeds.books]\nconnection = "erp"\nadapter = "postgres_outbox"\ndatabase = { env = "NO_SUCH" }\n'
    settings = load_settings(write(tmp_path, feed))
    with pytest.raises(SettingsError, match=r"feeds.books.database: the environment variable NO_SUCH is not set"):
        async with wiring.connect_feeds(settings):
            pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[feeds.x]\nconnection = "nowhere"', "feeds.x: unknown connection 'nowhere'; known: crm, erp"),
        ('[feeds.x]\nconnection = "erp"\nadapter = "postgres_outbox"', "feeds.x: a postgres_outbox, and nothing else"),
        ('[feeds.x]\nconnection = "erp"\ndatabase = { value = "x" }', "feeds.x: a postgres_outbox, and nothing else"),
        ('[feeds.x]\nconnection = "erp"\nadapter = "kafka"', "feeds.x.adapter"),
        ('[feeds.x]\nconnection = "erp"\nevery = 0.1', "feeds.x.every"),
        ('[feeds.x]\nconnection = "erp"\nevery = inf', "feeds.x.every"),
        ('[feeds.x]\nconnection = "erp"\nevery = nan', "feeds.x.every"),
        ('[feeds.x]\nconnection = "erp"\njitter = -1', "feeds.x.jitter"),
        ('[feeds.x]\nconnection = "erp"\ntable = "a; DROP TABLE b"', "feeds.x.table"),
        ('[feeds."a/b"]\nconnection = "erp"', "feeds.a/b"),
        ('[feeds.x]\nconnection = "erp"\nevry = 1', "feeds.x.evry: no such setting"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(write(tmp_path, text))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
