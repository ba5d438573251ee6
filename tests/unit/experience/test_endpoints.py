"""What endpoints declare of themselves."""

from datetime import date

import pytest
from fastapi import FastAPI

from experience.endpoints import declared, endpoint, routes, undeclared
from tests.experience import Experience


async def test_every_route_declares_an_owner_and_a_permission(experience: Experience) -> None:
    app = experience.app
    found = {route.path: declared(route.endpoint) for route in routes(app)}
    assert "/api/v1/lifecycles" in found
    assert all(each is not None and each.owner and each.permission and each.since for each in found.values())


def test_a_route_that_declares_nothing_is_found() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/forgotten")
    def forgotten() -> None: ...

    assert undeclared(app) == ["/forgotten"]


def test_an_endpoint_tells_of_its_end() -> None:
    @endpoint(
        owner="operations",
        permission="lifecycle.read",
        since="1.0",
        deprecated=date(2027, 1, 1),
        sunset=date(2027, 7, 1),
        successor="/api/v1/lifecycles",
    )
    async def old() -> None: ...

    found = declared(old)
    assert found is not None
    assert found.headers() == {
        "Deprecation": "@1798761600",
        "Sunset": "Thu, 01 Jul 2027 00:00:00 GMT",
        "Link": '</api/v1/lifecycles>; rel="successor-version"',
    }


def test_nothing_goes_that_was_not_deprecated() -> None:
    with pytest.raises(ValueError, match="deprecated before"):
        endpoint(owner="operations", permission="lifecycle.read", since="1.0", sunset=date(2027, 7, 1))
