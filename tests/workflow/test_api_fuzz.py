"""Whatever is asked of the API, over a running lifecycle: no 5xx, and no answer that its description does not name."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import Case

import wiring
from experience.api import lifecycle_commands
from experience.openapi import document
from starter.office import Office
from starter.problems import MEDIA_TYPE
from starter.reconciling.asked import AskedRuns
from starter.reconciling.composing import reconciler, repairs
from starter.settings import load_settings
from store.differences import Differences
from store.tables import CaseRow
from tests.dispatch import CRM, Post
from tests.experience import Experience, over
from tests.house import EXAMPLES, House

FUZZ = hypothesis_settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = [
    f"{method.upper()} {path}" for path, methods in sorted(document()["paths"].items()) for method in sorted(methods)
]


@pytest.mark.timeout(600)
async def test_nothing_that_is_asked_breaks_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle_commands, "PATIENCE", 0.01)
    life = await Post(house).win("api-fuzz")
    case = CaseRow(id="fuzzed", kind="duplicate", title="twice there")
    await house.database.write(lambda session: session.add(case))
    loop = asyncio.get_running_loop()
    settings = load_settings(EXAMPLES.parent / "tenure.toml")
    settings = settings.model_copy(update={"reconciliation": settings.reconciliation.model_copy(update={"settle": 0})})
    compared = reconciler(settings, house.database, house.client, house.systems)
    office = Office(house.database, house.client, house.company, house.mapping, CRM)
    performer = wiring.on_demand(house.database, house.systems, house.company, house.landscape)
    mending = repairs(office, compared, house.systems, performer.perform)
    edited = await house.http.patch("/crm/records/opportunities/api-fuzz", json={"CurrencyIsoCode": "CHF"})
    edited.raise_for_status()
    await compared.run()
    different = await Differences(house.database).list()
    assert different
    names = {
        "contract": life.contract,
        "case": "fuzzed",
        "account": "acc-api-fuzz",
        "difference": different[0].id,
    }
    async with (
        AskedRuns(compared) as runs,
        over(house.database, settings, house.client, repairs=mending, runs=runs) as experience,
    ):

        def ask(case: Case[Any]) -> httpx.Response:
            return asyncio.run_coroutine_threadsafe(_ask(experience, case), loop).result(60)

        asked = await asyncio.to_thread(_fuzz, ask, names)
    assert asked == set(OPERATIONS)


def _fuzz(ask: Callable[[Case[Any]], httpx.Response], names: dict[str, str]) -> set[str]:
    """hypothesis knows no event loop, so it has a thread of its own. Returns what was asked."""
    asked: set[str] = set()
    schema = schemathesis.openapi.from_dict(document())
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]

        @FUZZ
        @given(case=operation.as_strategy(), known=st.booleans())
        def try_it(case: Case[Any], known: bool) -> None:
            for name in case.path_parameters or {}:
                if known and name in names:
                    case.path_parameters[name] = names[name]
            response = ask(case)
            asked.add(f"{case.method} {case.path}")
            _judge(case, response)

        try_it()
    return asked


def _judge(case: Case[Any], response: httpx.Response) -> None:
    what = f"{case.method} {response.request.url} {case.body!r}: {response.status_code} {response.text[:500]}"
    assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, what
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        assert response.headers["content-type"] == MEDIA_TYPE, what
    described = document()["paths"].get(case.path, {}).get(case.method.lower(), {})["responses"]
    assert str(response.status_code) in described or response.status_code in (404, 405), what
    schema = described.get(str(response.status_code), {}).get("content", {}).get("application/json", {}).get("schema")
    if schema:
        jsonschema.validate(response.json(), {**schema, "components": document()["components"]})


async def _ask(experience: Experience, case: Case[Any]) -> httpx.Response:
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8704")
    body = sent.get("json")
    content = json.dumps(body).encode() if "json" in sent else sent.get("data")
    # who asks is not what is tried here: without a token it is whoever sits at this machine
    given = {name.lower(): str(value) for name, value in dict(sent["headers"] or {}).items()}
    headers = {name: value.encode("latin-1", "replace") for name, value in given.items() if name != "authorization"}
    if "json" in sent:
        headers["content-type"] = b"application/json"
    return await experience.http.request(
        sent["method"], sent["url"], params=sent.get("params"), content=content, headers=headers
    )
