"""What is asked for can't tell what an answer hides: no list is chosen, ordered or searched by a sensitive field."""

from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
import typer
from sqlmodel import Session, SQLModel

from domain.access import FieldClass, Permission, default_policy
from domain.access.within import amount
from domain.view import LifecycleView, Stage
from experience.endpoints import PUBLIC, declared, routes
from starter.cli import app as cli
from starter.cli.permissions import NEEDED
from starter.settings import load_settings
from store.board import BoardRow
from store.difference_tables import DifferenceRow
from store.leaks import LeakRow
from store.tables import CaseRow, FactRow
from tests.experience import Experience, open_experience, sqlite_url
from tests.house import EXAMPLES
from tests.unit.experience.access.test_table import bearer

POLICY = default_policy()
DAY = date(2027, 3, 1)
PRICES = ("111.11", "999.99")
CONTRACTS = ("crm/ASK-1/1", "crm/ASK-2/1")
BLIND = {
    str(role): seen for role, given in POLICY.roles.items()
    if (seen := {FieldClass.AMOUNT, FieldClass.VALUE} - set(given.sees))
}  # fmt: skip
"""By role, which of the two it does not see."""

OPEN = frozenset(
    (
        *("about", "account", "actor", "all", "assignee", "category", "collection", "contract", "cursor", "days"),
        *("decided", "due_before", "entity", "forecast", "format", "form", "kind", "klass", "level", "limit", "matter"),
        *("needs_attention", "on", "open", "order", "outcome", "owner", "parent", "part", "permission", "problem", "q"),
        *("record", "remedy", "renews_before", "renews_from", "risk", "seen", "settled", "since", "snoozed", "source"),
        *("stage", "state", "status", "system", "tag", "team", "undecided", "until", "week", "after"),
    )
)
"""What may be asked for: ids, days, our own words, names of accounts. None is of a class that somebody can't see."""
OPEN_AT_THE_CLI = {
    *("amend", "as_json", "attention", "before", "case", "channel", "day", "decide", "difference", "end", "everyone"),
    *("gone", "name", "outage", "renew", "script", "years"),
}


@pytest.fixture(scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Experience]:
    """Two contracts that differ in money alone: the dearer one comes last by its id."""
    url = sqlite_url(tmp_path_factory.mktemp("asking"))
    async with open_experience(
        url, load_settings(EXAMPLES.parent / "tenure.toml", access={"mode": "policy"})
    ) as opened:
        for contract, price in zip(CONTRACTS, PRICES, strict=True):
            view = LifecycleView(
                contract=contract, stage=Stage.SERVING, account="A-1", selling_entity="ACME-DE",
                term_ends=DAY, renewal_date=DAY, window_opens=DAY - timedelta(days=90),
            )  # fmt: skip
            await opened.publish(view)
            await opened.database.write(partial(_price, contract, price))
        yield opened


def _price(contract: str, price: str, session: Session) -> None:
    board = session.get_one(BoardRow, contract)
    board.annual, board.currency = int(price.replace(".", "")) * 100, "EUR"
    session.add_all(_rows(contract, price))


def _rows(contract: str, price: str) -> Iterator[SQLModel]:
    same: Any = {"contract": contract, "account": "A-1"}
    yield LeakRow(
        id=f"leak-{contract}", kind="not_started", line="1", product="P", since=DAY, found_on=DAY, counted_on=DAY,
        sentence="not billed", currency="EUR", amount=price, **same,
    )  # fmt: skip
    yield DifferenceRow(
        id=f"diff-{contract[-3]}", kind="erp_price", klass="amount", system="erp", owner="finance",
        sentence=f"it costs {amount(price)}", theirs=amount(price), **same,
    )  # fmt: skip
    yield CaseRow(id=f"{contract}:k", kind="k", title=f"{price} EUR are overdue", **same)
    yield FactRow(
        contract=contract, kind="invoice", entity_id=f"INV-{contract[-3]}", version="1",
        data={"due_on": str(DAY), "amount": price, "currency": "EUR"},
    )  # fmt: skip


LISTS = {
    "/api/v1/lifecycles": "contract",
    "/api/v1/renewals": "contract",
    "/api/v1/cases": "id",
    "/api/v1/leakage/findings": "id",
    "/api/v1/reconciliation/differences": "id",
    "/api/v1/invoices": "invoice",
    "/api/v1/accounts": "account",
    "/api/v1/entitlements": "contract",
}
HIDDEN = ("amount", "open", "annual", "invoiced", "reported", "recovered", "theirs", "title", "sentence")
ATTEMPTS: list[dict[str, str]] = [
    {f"{field}{bound}": "500" for field in HIDDEN if field != "open" for bound in ("", "_from", "_before", "_gt")},
    {"sort": "amount", "order_by": "-annual"},
    *({"order": field} for field in HIDDEN),
]


async def ids(experience: Experience, path: str, headers: dict[str, str], **asked: str) -> Any:
    """The ids in their order; None where the question is refused with a problem."""
    answer = await experience.http.get(path, params=asked, headers=headers)
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"
        return None
    assert answer.status_code in (200, 403), answer.text
    return [each[LISTS[path]] for each in answer.json().get("items", [])]


@pytest.mark.parametrize("role", BLIND)
async def test_asking_by_what_is_hidden_is_refused_or_changes_nothing(asked: Experience, role: str) -> None:
    headers, told = await bearer(asked, role), 0
    for path in LISTS:
        plain = await ids(asked, path, headers)
        told += len(plain)
        for attempt in ATTEMPTS:
            found = await ids(asked, path, headers, **attempt)
            assert found in (None, plain), (path, attempt)
    assert told >= 6


@pytest.mark.parametrize("role", BLIND)
async def test_a_search_for_a_price_finds_what_a_search_for_nothing_finds(asked: Experience, role: str) -> None:
    headers = await bearer(asked, role)
    for price in PRICES:
        for path, words in (
            ("/console", ("q",)),
            ("/console/cases", ("problem", "contract", "tag", "source", "assignee", "kind")),
            ("/console/reconciliation", ("contract",)),
            ("/api/v1/accounts", ("part", "parent")),
            ("/api/v1/lifecycles", ("contract", "account")),
            ("/api/v1/cases", ("problem", "contract", "tag", "source", "assignee", "kind")),
        ):
            for word in words:
                found = await asked.http.get(path, params={word: price}, headers=headers)
                nothing = await asked.http.get(path, params={word: "000.00"}, headers=headers)
                assert (found.status_code, found.text.replace(price, "000.00")) == (nothing.status_code, nothing.text)


def test_nobody_has_added_a_question_by_something_sensitive(asked: Experience) -> None:
    """A new query parameter, or option of a reading command, is thought of here before it is let in."""
    at_api = {
        parameter.name
        for route in routes(asked.app)
        if "GET" in (route.methods or ()) and (found := declared(route.endpoint)) and found.permission != PUBLIC
        for parameter in getattr(route.original_route, "dependant").query_params  # noqa: B009  # of FastAPI's own routes
    }
    assert at_api - OPEN == set()
    assert len(at_api) > 40


def test_nor_a_command_that_reads(asked: Experience) -> None:
    found = set(_options(typer.main.get_command(cli), ""))
    assert found - OPEN - OPEN_AT_THE_CLI == set()
    assert len(found) > 30


def _options(command: Any, above: str) -> Iterator[str]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _options(inner, f"{above} {name}")
    needed = NEEDED.get(above.strip())
    if isinstance(needed, Permission) and not needed.command:
        yield from (parameter.name for parameter in command.params)
