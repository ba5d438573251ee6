"""A `tenure.toml` with a help desk and a usage database opens, and says in one line what is wrong with either."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

import wiring
from adapters.support.helpdesk import HelpdeskSupport
from adapters.usage.sql import SqlUsage
from starter.settings import SettingsError, load_settings
from tests.contract.helpdesk_readme import shown

OTHERS = "".join(f'[connections.{kind}]\nkind = "{kind}"\n' for kind in ("crm", "erp", "cs"))
SUPPORT = '[connections.support]\nkind = "support"\n'
USAGE = '[connections.usage]\nkind = "usage"\n'
QUERY = "SELECT active, entitled FROM seats WHERE account = :account"

Connect = Callable[..., AbstractAsyncContextManager[wiring.Systems]]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    @asynccontextmanager
    async def opened(support: str = SUPPORT, usage: str = USAGE) -> AsyncIterator[wiring.Systems]:
        file = tmp_path / "tenure.toml"
        file.write_text(OTHERS + support + usage)
        async with wiring.connect_systems(load_settings(file)) as systems:
            yield systems

    return opened


def sql(url: str, query: str = QUERY) -> str:
    return f'{USAGE}adapter = "sql"\nurl = {{ value = "{url}" }}\nquery = "{query}"\n'


async def test_the_help_desk_of_the_readme_opens(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_SECRET_HELPDESK", "hunter2")
    async with connect(support=shown("connections.support")) as systems:
        assert isinstance(systems["support"].port, HelpdeskSupport)


async def test_a_usage_database_is_asked_by_a_query_in_a_file(connect: Connect, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "product.db")
    database.execute("CREATE TABLE seats (account text, active int, entitled int)")
    database.execute("INSERT INTO seats VALUES ('001', 40, 50)")
    database.commit()
    database.close()
    (tmp_path / "usage.sql").write_text(f"{QUERY};\n")
    async with connect(usage=sql(f"sqlite:///{tmp_path / 'product.db'}", "usage.sql")) as systems:
        port = systems["usage"].port
        assert isinstance(port, SqlUsage)
        adoption = await port.adoption("001")
        assert (adoption.active, adoption.entitled) == (Decimal(40), Decimal(50))
    with pytest.raises(RuntimeError):  # its threads ended with the connection
        await port.adoption("001")


@pytest.mark.parametrize(
    ("usage", "complaint"),
    [
        (
            sql("nosuch://me:hunter2@db/x"),
            "connections.usage.url: it is not an SQLAlchemy URL of a known database",
        ),
        (
            sql("sqlite:///x.db", "SELECT 1"),
            "connections.usage.query: it needs the parameter :account, and no other",
        ),
        (f'{USAGE}adapter = "sql"\n', "connections.usage.url: needed by the adapter 'sql'"),
    ],
)
async def test_what_is_wrong_with_a_usage_database_is_one_line(connect: Connect, usage: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as error:
        async with connect(usage=usage):
            pass
    assert str(error.value) == complaint


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ('"priority.6" = "5"', "options.priority.6: '5' is not a whole number from 1 to 4"),
        ('open = "1,x"', "options.open: 'x' is not a whole number from 1 to 10000"),
        ('team = "1"', "options.team: no such option of a help desk"),
    ],
)
async def test_what_is_wrong_with_a_help_desk_is_one_line(connect: Connect, options: str, complaint: str) -> None:
    access = 'base_url = "http://127.0.0.1:1"\ntoken = { value = "hunter2" }\n'
    with pytest.raises(SettingsError) as error:
        async with connect(support=f'{SUPPORT}adapter = "helpdesk"\n{access}options = {{ {options} }}\n'):
            pass
    assert str(error.value) == f"connections.support.{complaint}"
