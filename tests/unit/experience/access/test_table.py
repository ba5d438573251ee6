"""Every role × every endpoint, and every role × every sensitive field: what docs/access says is what happens."""

import io
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from sqlmodel import Session, SQLModel

from domain.access import FieldClass, Guarded, Permission, default_policy, see
from domain.access.classes import sensitive_fields
from domain.access.table import as_markdown
from domain.access.within import amount
from domain.view import LifecycleView, Stage
from experience.endpoints import PUBLIC, declared, routes
from experience.reading.exports import Dataset
from starter.settings import load_settings
from store.difference_tables import DifferenceNoteRow, DifferenceRow
from store.tables import CaseNoteRow, CaseRow, TimelineRow
from store.tokens import Tokens
from tests.experience import Experience, open_experience, sqlite_url
from tests.house import EXAMPLES

ROOT = EXAMPLES.parent
POLICY = default_policy()
OURS = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
HIDDEN = "zz-hidden-zz"
PRICE = "4711.11"


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Experience]:
    access = {"mode": "policy", "regions": {"emea": ["ACME-DE"]}}
    url = sqlite_url(tmp_path_factory.mktemp("table"))
    async with open_experience(url, load_settings(ROOT / "tenure.toml", access=access)) as opened:
        for contract, entity, word in (("crm/TAB-1/1", "ACME-DE", "seen"), (f"crm/{HIDDEN}/1", "ACME-US", HIDDEN)):
            view = LifecycleView(
                contract=contract, stage=Stage.SERVING, selling_entity=entity, account=f"A-{word}", next_step=word
            )
            await opened.publish(view)
            case = CaseRow(id=f"{contract}:k", contract=contract, account=f"A-{word}", kind="k", title=word)
            await opened.database.write(partial(add, case))
        for row in with_money("crm/TAB-1/1"):
            await opened.database.write(partial(add, row))
        opened.look_later()
        yield opened


def with_money(contract: str) -> Iterator[SQLModel]:
    """A price wherever one can stand within a sentence."""
    worth, long_ago = amount(PRICE), datetime(2026, 1, 1, tzinfo=UTC)
    yield DifferenceRow(
        id="diff-1", kind="erp_price", klass="amount", system="erp", owner="finance", contract=contract,
        sentence=f"it costs {worth} in the ERP", theirs=worth, found_at=long_ago,
    )  # fmt: skip
    yield DifferenceNoteRow(difference="diff-1", by="ann", what=f"found: it costs {worth}")
    why = f"{PRICE} EUR are overdue"
    yield CaseRow(
        id=f"{contract}:m", contract=contract, kind="k", title=why, reasons=[why], resolution=why, opened_at=long_ago
    )
    yield CaseNoteRow(case_id=f"{contract}:m", by="ann", what=why, at=long_ago)
    yield TimelineRow(
        contract=contract, kind="event", summary=why, ref="event:1:1", business_at=long_ago, recorded_at=long_ago
    )


def add(row: SQLModel, session: Session) -> None:
    session.add(row)


async def bearer(experience: Experience, role: str, region: str = "*") -> dict[str, str]:
    _, token = await Tokens(experience.database).create(
        role, roles=[role], scopes=["*"], regions=[region], by="ann", lifetime=timedelta(hours=1)
    )
    return {"Authorization": f"Bearer {token}", **OURS}


@cache
def endpoints() -> tuple[tuple[str, str, str], ...]:
    """Method, path and permission of every route that is not for anybody."""
    app = _app[0]
    found = [(route, declared(route.endpoint)) for route in routes(app)]
    return tuple(
        (method, re.sub(r"\{\w+\}", "TAB-1", re.sub(r"\{\w+:path\}", "crm/TAB-1/1", route.path or "")), each.permission)
        for route, each in found
        if each is not None and each.permission != PUBLIC
        for method in sorted(route.methods or ())
    )


_app: list[Any] = []


@pytest.mark.parametrize("role", POLICY.roles)
async def test_a_role_may_ask_exactly_what_its_permissions_name(guarded: Experience, role: str) -> None:
    _app[:] = [guarded.app]
    headers, principal = await bearer(guarded, role), POLICY.principal("ann", roles=[role])
    assert len(endpoints()) > 100
    wrong = []
    for method, path, permission in endpoints():
        answer = await guarded.http.request(method, path, headers=headers)
        refused = answer.status_code == 403
        if refused is principal.may(Permission(permission)) or answer.status_code in (401, 500):
            wrong.append((role, method, path, permission, answer.status_code))
    assert wrong == [], wrong


async def test_nobody_unknown_is_let_in_anywhere(guarded: Experience) -> None:
    _app[:] = [guarded.app]
    let_in = [
        (method, path)
        for method, path, _ in endpoints()
        if (await guarded.http.request(method, path, headers=OURS)).status_code != 401
    ]
    assert let_in == []


async def test_no_answer_holds_anything_of_another_region(guarded: Experience) -> None:
    _app[:] = [guarded.app]
    german, everybody = await bearer(guarded, "admin", "emea"), await bearer(guarded, "admin")
    told, seen = [], 0
    for method, path, _ in endpoints():
        if method != "GET":
            continue
        if HIDDEN in (await guarded.http.get(path, headers=german)).text:
            told.append(path)
        seen += HIDDEN in (await guarded.http.get(path, headers=everybody)).text
    assert told == []
    assert seen > 4, "who serves every region does see it there"


@pytest.mark.parametrize("role", POLICY.roles)
async def test_no_answer_names_a_price_to_who_must_not_see_amounts(guarded: Experience, role: str) -> None:
    _app[:] = [guarded.app]
    headers, principal = await bearer(guarded, role), POLICY.principal("ann", roles=[role])
    more = ["/api/v1/reconciliation/differences/diff-1", "/console/reconciliation/diff-1", "/api/v1/cases?state=any"]
    sets = [f"/api/v1/export/{each}?format={way}" for each in get_args(Dataset) for way in ("ndjson", "parquet")]
    named = set()
    for path in {*(path for method, path, _ in endpoints() if method == "GET"), *more, *sets}:
        answer = await guarded.http.get(path, headers=headers)
        text = answer.text
        if answer.status_code == 200 and path.endswith("=parquet"):
            text = str(pq.read_table(io.BytesIO(answer.content)).to_pylist())
        assert "⟨" not in text, path
        if PRICE in text:
            named.add(path)
    if FieldClass.AMOUNT not in principal.sees:
        assert named == set()
    elif principal.may(Permission.EXPORT_READ):
        assert named >= {*more[:2], *sets[2:4], *sets[6:]}, "who may see it sees it there"


def guarded_models() -> Iterator[type[Guarded]]:
    waiting = list(Guarded.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if sensitive_fields(model) and not model.__module__.startswith("tests."):
            yield model


FIELDS = sorted(
    {(model.__module__, model.__name__, name): (model, name, kind)
     for model in guarded_models() for name, kind in sensitive_fields(model).items()}.items(),
    key=lambda each: each[0],
)  # fmt: skip


@pytest.mark.parametrize("role", POLICY.roles)
def test_a_role_sees_exactly_the_fields_of_its_classes(role: str) -> None:
    principal = POLICY.principal("ann", roles=[role])
    assert len(FIELDS) > 15
    for _, (model, name, kind) in FIELDS:
        values: dict[str, Any] = {**dict.fromkeys(model.model_fields, "x"), "masked": ()}
        full = model.model_construct(None, **values)
        found = see(principal, full)
        visible = kind in POLICY.roles[principal.roles[0]].sees  # type: ignore[index]  # a role by its name
        assert found.answer[name] == ("x" if visible else None), (role, model, name)
        assert (name in found.answer["masked"]) is not visible, (role, model, name)
        assert (kind in found.shown) is visible
        assert (kind in found.hidden) is not visible


TELLING = re.compile(
    r"(^|_)(amount|price|iban|bank|card|e?mail|phone|tax|vat|invoiced|paid|owed|open|due|annual|payload|text)(_|$)"
)
HARMLESS = {
    "next_due": "a moment", "due": "a day or a moment", "open": "a number of cases, or whether one is open",
    "paid_on": "a day", "oldest_due": "a day", "due_on": "a day", "price_notice": "two days",
    "due_day": "a day", "text": "our own words", "open_cases": "a number", "due_at": "a moment",
}  # fmt: skip
PLAIN = (bool, int)
IN_ONE_THAT_IS = {"Reported.amount"}
"""Part of a value that has a class where it is used."""


def test_no_field_with_a_telling_name_was_forgotten(guarded: Experience) -> None:
    """A field that sounds sensitive has a class, or is named here with what it is."""
    app = guarded.app
    forgotten = []
    for model in {each for route in routes(app) for each in reachable(getattr(route, "response_model", None))}:
        for name, field in model.model_fields.items():
            if name in sensitive_fields(model) or name in HARMLESS or field.annotation in PLAIN:
                continue
            if TELLING.search(name):
                forgotten.append(f"{model.__name__}.{name}")
    assert set(forgotten) <= IN_ONE_THAT_IS


def reachable(kind: Any, seen: frozenset[type] = frozenset()) -> Iterator[type[BaseModel]]:
    """The models of an answer, and those in them."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            yield kind
            for field in kind.model_fields.values():
                yield from reachable(field.annotation, seen | {kind})
        return
    for inner in get_args(kind):
        yield from reachable(inner, seen)


def test_the_page_says_what_holds() -> None:
    page = Path(ROOT, "docs", "access", "table.md")
    assert page.read_text() == as_markdown(POLICY), "write it anew: tenure access --write docs/access"
