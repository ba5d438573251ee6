"""The box as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from sandbox import (
    access,
    admin,
    crm,
    cs,
    erp,
    erp_changes,
    erp_customers,
    erp_invoices,
    erp_listing,
    feeds,
    hubspot,
    records,
    salesforce,
    support,
    usage,
)  # fmt: skip
from sandbox.box import Box
from sandbox.gate import endpoint
from sandbox.webhooks import WebhookTarget

_APIS = (
    crm.api, erp_customers.api, erp.api, erp_changes.api, erp_invoices.api, erp_listing.api,
    cs.api, support.api, usage.api, salesforce.api, hubspot.api,
    *(feeds.feed_api(system) for system in feeds.SYSTEMS),
    *(access.access_api(system) for system in access.SYSTEMS),
    *(records.records_api(system) for system in records.SYSTEMS),
)  # fmt: skip


def create_app(db_path: str, webhook: WebhookTarget | None = None, *, token: str = "sandbox") -> FastAPI:  # noqa: S107
    """One company. `db_path` may be ":memory:". `app.state.box` is the box; without a lifespan the caller closes it."""
    box = Box(db_path, webhook, token)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        box.outbox.wake()
        yield
        await box.close()

    app = FastAPI(title="A company in a box", lifespan=lifespan, openapi_url=None)
    app.state.box = box
    for api in _APIS:
        for operation in api.operations:
            app.add_route(operation.path, endpoint(box, operation), [operation.method], operation.name)
    app.include_router(admin.routes(box))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
