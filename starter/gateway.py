"""The webhook gateway: verify, read, make durable, and only then answer 202."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector
from sqlmodel import Session
from starlette.requests import ClientDisconnect

from domain.errors import SourceUnavailable
from starter.interpreter import settle_interpreter
from starter.logs import configure_logging, where
from starter.openapi import (
    METRICS,
    NOT_READY,
    WEBHOOK,
    WEBHOOK_PROBLEMS,
    TakenEvent,
    TakenEvents,
    with_problem_schema,
)
from starter.problems import Problem, answer_with_problems, problem
from starter.settings import Settings, SettingsError, load_settings
from starter.signatures import Signatures
from starter.sources.reading import Sources
from starter.sources.taking import NotTaken, rows_of
from starter.temporal import connect_config
from starter.tracing import (
    OWN_SPANS,
    SpanKind,
    configure_tracing,
    correlation,
    fresh_traceparent,
    given_traceparent,
    span,
    stop_tracing,
    traceparent,
)
from store.group_commit import Received

log = structlog.get_logger("tenure.gateway")

RETRY_AFTER_SECONDS = "5"
_OUTCOMES = {"received": "accepted", "hint": "hint", "ignored": "ignored", "dead": "dead_letter"}


class Accepts(Protocol):
    """The part of the inbox that the gateway needs."""

    async def accept_all(self, rows: Sequence[Received]) -> Sequence[bool]:
        """Durable on return, all or none. For each: True when it is new, False when (source, event_id) was there."""
        ...


class Metrics:
    """The gateway's own counters, in a registry of their own: several apps can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.accepted = Counter(
            "tenure_webhooks", "Events answered with 202", ["source", "outcome"], registry=self.registry
        )
        self.refused = Counter(
            "tenure_webhooks_refused",
            "Requests of which nothing was stored",
            ["source", "reason"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tenure_webhook_seconds", "Time from request to durable rows", ["source"], registry=self.registry
        )


class Gateway:
    """What happens to one webhook, step by step. At least once: a sender that got no 202 sends again."""

    def __init__(self, settings: Settings, inbox: Accepts) -> None:
        """Raises SettingsError when a source's secret can't be read."""
        self._limit = settings.limits.body_bytes
        self._inbox = inbox
        self._sources = Sources(settings)
        tolerance = settings.limits.tolerance_seconds
        self._signatures = {
            name: Signatures(name, source.signature, settings.webhook_secrets(name), tolerance, source.url)
            for name, source in settings.webhooks.items()
        }
        self.metrics = Metrics()

    async def receive(self, source: str, request: Request) -> Response:
        """Store the events of one request. Raises Problem when it is refused or can't be stored."""
        began, moment = time.monotonic(), time.time_ns()
        signatures = self._signatures.get(source)
        if signatures is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no such webhook source")
        body, headers = await self._read(source, request), request.headers
        if refusal := signatures.refusal(body, headers, method=request.method, url=str(request.url)):
            raise self._refuse(source, refusal, HTTPStatus.UNAUTHORIZED, "the signature is missing, wrong or too old")
        # Whose trace it belongs to is believed of none but a known sender.
        with span(f"webhook {source}", SpanKind.SERVER, parent=given_traceparent(headers), began=moment, source=source):
            taken = await self._take(source, body, request, signatures.message_id(headers))
        self.metrics.seconds.labels(source).observe(time.monotonic() - began)
        answer = taken[0] if len(taken) == 1 else TakenEvents(status="accepted", events=taken)
        return JSONResponse(answer.model_dump(), status_code=HTTPStatus.ACCEPTED)

    async def _take(self, source: str, body: bytes, request: Request, message_id: str) -> list[TakenEvent]:
        try:
            rows = rows_of(self._sources[source], body, request.headers, message_id)
        except NotTaken as error:
            too_many = error.reason == "too_many"
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_many else HTTPStatus.BAD_REQUEST
            raise self._refuse(source, error.reason, status, str(error)) from None
        trace = traceparent() or fresh_traceparent()
        for row in rows:
            row.trace = trace
        with structlog.contextvars.bound_contextvars(correlation=correlation(trace)):
            return await self._store(source, rows) if rows else []

    async def _store(self, source: str, rows: Sequence[Received]) -> list[TakenEvent]:
        try:
            news = await self._inbox.accept_all(rows)
        except Exception as error:  # whatever kept the rows from being durable, the sender has to try again
            kind, event_id = type(error).__name__, rows[0].event_id
            log.error("webhook not stored", source=source, event_id=event_id, error=kind, where=where(error))
            self.metrics.refused.labels(source, "store_unavailable").inc()
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the event could not be stored; send it again",
                {"Retry-After": RETRY_AFTER_SECONDS},
            ) from None
        taken = []
        for row, new in zip(rows, news, strict=True):
            outcome = _OUTCOMES[row.state] if new else "duplicate"
            self.metrics.accepted.labels(source, outcome).inc()
            # the reason may repeat what was sent: it stays in the store
            log.info("webhook", source=source, event_id=row.event_id, outcome=outcome, problem=row.problem or None)
            taken.append(TakenEvent(status=outcome, id=row.event_id))
        return taken

    async def _read(self, source: str, request: Request) -> bytes:
        """The body, never more of it than the limit, whatever Content-Length claims."""
        claimed = request.headers.get("content-length", "")
        too_large = claimed.isdecimal() and len(claimed) < 20 and int(claimed) > self._limit
        body = bytearray()
        if not too_large:
            try:
                async for chunk in request.stream():
                    body += chunk
                    if too_large := len(body) > self._limit:
                        break
            except ClientDisconnect:
                raise self._refuse(source, "cut_off", HTTPStatus.BAD_REQUEST, "the body was cut off") from None
        if too_large:
            detail = f"the body is larger than {self._limit} bytes"
            raise self._refuse(source, "too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return bytes(body)

    def _refuse(self, source: str, reason: str, status: HTTPStatus, detail: str) -> Problem:
        self.metrics.refused.labels(source, reason).inc()
        log.warning("webhook refused", source=source, reason=reason)
        return Problem(status, detail)


def create_app(
    settings: Settings,
    inbox: Accepts,
    check_store: Callable[[], Awaitable[object]] | None = None,
    collector: Collector | None = None,
) -> FastAPI:
    """The gateway as an ASGI app. `check_store` raises while the store can't be written; it makes `/readyz` say 503.
    `collector`: what `/metrics` tells beside the gateway's own counters; it may block.
    """
    app = FastAPI(title="Tenure gateway", docs_url=None, redoc_url=None, telemetry=OWN_SPANS)
    gateway = Gateway(settings, inbox)
    if collector is not None:
        gateway.metrics.registry.register(collector)
    answer_with_problems(app)
    _describe(app)

    # FastAPI is not told of the path's parameter: it would announce a 422 that can't be
    @app.post(
        "/webhooks/{source}",
        status_code=HTTPStatus.ACCEPTED,
        response_model=TakenEvent | TakenEvents,
        responses=WEBHOOK_PROBLEMS,
        openapi_extra=WEBHOOK,
    )
    async def webhook(request: Request) -> Response:
        return await gateway.receive(request.path_params["source"], request)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", response_model=dict[str, str], responses=NOT_READY)
    async def readyz() -> Response:
        # Events are taken while Temporal is away: they wait in the inbox. So it is told, but doesn't decide.
        temporal = "ok" if await _reachable(settings) else "unreachable"
        if check_store is not None:
            try:
                await check_store()
            except Exception as error:
                log.warning("store not ready", error=type(error).__name__)
                detail = f"the store can't be written; Temporal: {temporal}"
                return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_AFTER_SECONDS})
        return JSONResponse({"status": "ok", "store": "ok", "temporal": temporal})

    @app.get("/metrics", response_class=PlainTextResponse, responses=METRICS)
    async def metrics() -> Response:
        told = await asyncio.to_thread(generate_latest, gateway.metrics.registry)
        return Response(told, media_type=CONTENT_TYPE_LATEST)

    return app


def _describe(app: FastAPI) -> None:
    """Serve an OpenAPI document that also holds the schema of problem documents."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        return with_problem_schema(described())

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


async def _reachable(settings: Settings) -> bool:
    """Whether somebody listens at Temporal's address; cheap enough to be asked every second."""
    try:
        host, _, port = connect_config(settings)["target_host"].rpartition(":")
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, ValueError, TimeoutError, SettingsError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def main() -> int:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    # Imported here, so that the app itself depends on the Accepts port alone.
    from starter.metrics import StoreCollector
    from store.inbox import Inbox
    from wiring import open_store

    settings = load_settings()
    configure_logging("gateway", settings.log_level)
    configure_tracing("gateway", settings.tracing)
    # uvicorn raises the signal again when it is done; it must not end the process before the store is closed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    database = open_store(settings)
    try:
        collector = StoreCollector(database, tuple(settings.subscribers), tuple(settings.feeds))
        app = create_app(settings, Inbox(database), lambda: database.write(_touch), collector)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=settings.gateway.host,
                port=settings.gateway.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=int(settings.tuning.grace),
            )
        )
        settle_interpreter()
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
    finally:
        database.close()
        stop_tracing()
    return 0


def _touch(session: Session) -> None:
    """Fails unless the store is migrated and can be written."""
    session.connection().exec_driver_sql("SELECT 1 FROM inbox LIMIT 1")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SettingsError as error:
        sys.stderr.write(f"tenure gateway: {error}\n")
        sys.exit(2)
    except SourceUnavailable as error:  # the store, while it begins; later /readyz tells
        sys.exit(f"tenure gateway: {error}")
