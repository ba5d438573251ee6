"""The console as a whole: every page's router, and how it is put beside the API."""

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from experience.console import (
    backlog,
    case_work,
    cases,
    deciding,
    doing,
    frame,
    leaders,
    leakage,
    lifecycle,
    portfolio,
    reconciliation,
    renewals,
    repairing,
    sla,
)
from experience.console.assets import VENDOR

PAGES = (
    *(frame, portfolio, lifecycle, doing, cases, case_work),
    *(renewals, deciding, backlog, sla, leakage, leaders, reconciliation, repairing),
)

router = APIRouter(include_in_schema=False)
for page in PAGES:
    router.include_router(page.router)


def add_console(app: FastAPI) -> None:
    """Serve the pages. To be called when the app has its handlers of errors: they answer in pages from now on."""
    app.include_router(router)
    app.mount("/vendor", StaticFiles(packages=[VENDOR]), name="vendor")
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, frame.paged(handler))
