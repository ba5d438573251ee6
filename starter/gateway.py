"""The webhook gateway: verify, read, make durable, and only then answer 202."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol

import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector
from sqlmodel import Session
from starlette.requests import ClientDisconnect

from domain.events import UnusableEvent, read_event
from starter.logs import configure_logging, where
from starter.problems import Problem, answer_with_problems, problem
from starter.settings import Settings, SettingsError, load_settings
from starter.signatures import Signatures
from starter.temporal import connect_config

log = structlog.get_logger("tenure.gateway")

RETRY_AFTER_SECONDS = "5"
LONGEST_TEXT = 255
LONGEST_REASON = 500


class Accepts(Protocol):
    """The part of the inbox that the gateway needs."""

    async def accept(
        self, source: str, event_id: str, type: str, subject: str, payload: str, *, dead: str | None = None
    ) -> bool:
        """Durable on return. True when the event is new, False when (source, event_id) was there."""
        ...


class Metrics:
    """The gateway's own counters, in a registry of their own: several apps can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.accepted = Counter(
            "tenure_webhooks", "Webhooks answered with 202", ["source", "outcome"], registry=self.registry
        )
        self.refused = Counter(
            "tenure_webhooks_refused", "Webhooks that were not stored", ["source", "reason"], registry=self.registry
        )
        self.seconds = Histogram(
            "tenure_webhook_seconds", "Time from request to durable row", ["source"], registry=self.registry
        )


class Gateway:
    """What happens to one webhook, step by step. At least once: a sender that got no 202 sends again."""

    def __init__(self, settings: Settings, inbox: Accepts) -> None:
        """Raises SettingsError when a source's secret can't be read."""
        self._limit = settings.limits.body_bytes
        self._inbox = inbox
        self._signatures = {
            source: Signatures(source, settings.webhook_secrets(source), settings.limits.tolerance_seconds)
            for source in settings.webhooks
        }
        self.metrics = Metrics()

    async def receive(self, source: str, request: Request) -> Response:
        """Store one webhook. Raises Problem when it is refused or can't be stored."""
        began = time.monotonic()
        signatures = self._signatures.get(source)
        if signatures is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no such webhook source")
        body = await self._read(source, request)
        if refusal := signatures.refusal(body, request.headers):
            raise self._refuse(source, refusal, HTTPStatus.UNAUTHORIZED, "the signature is missing, wrong or too old")
        try:
            text = body.decode("utf-8")
            document = json.loads(text, parse_constant=_not_json)
        except (ValueError, RecursionError):
            raise self._refuse(source, "not_json", HTTPStatus.BAD_REQUEST, "the body is not JSON in UTF-8") from None

        event_id = _text(document, "id") or request.headers["webhook-id"][:LONGEST_TEXT]
        reason = _unusable(document)
        try:
            new = await self._inbox.accept(
                source, event_id, _text(document, "type"), _text(document, "subject"), text, dead=reason
            )
        except Exception as error:  # whatever kept the row from being durable, the sender has to try again
            kind = type(error).__name__
            log.error("webhook not stored", source=source, event_id=event_id, error=kind, where=where(error))
            self.metrics.refused.labels(source, "store_unavailable").inc()
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the event could not be stored; send it again",
                {"Retry-After": RETRY_AFTER_SECONDS},
            ) from None
        outcome = ("dead_letter" if reason else "accepted") if new else "duplicate"
        self.metrics.accepted.labels(source, outcome).inc()
        self.metrics.seconds.labels(source).observe(time.monotonic() - began)
        log.info("webhook", source=source, event_id=event_id, outcome=outcome, reason=reason if new else None)
        return JSONResponse({"status": outcome, "id": event_id}, status_code=HTTPStatus.ACCEPTED)

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
    app = FastAPI(title="Tenure gateway", openapi_url=None)
    gateway = Gateway(settings, inbox)
    if collector is not None:
        gateway.metrics.registry.register(collector)
    answer_with_problems(app)

    @app.post("/webhooks/{source}", status_code=HTTPStatus.ACCEPTED)
    async def webhook(source: str, request: Request) -> Response:
        return await gateway.receive(source, request)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
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

    @app.get("/metrics")
    async def metrics() -> Response:
        told = await asyncio.to_thread(generate_latest, gateway.metrics.registry)
        return Response(told, media_type=CONTENT_TYPE_LATEST)

    return app


def _text(document: Any, key: str) -> str:
    """A string attribute of an event that may be broken: empty when it can't serve as an id or label."""
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT else ""


def _not_json(constant: str) -> None:
    """Python reads NaN and Infinity; JSON doesn't have them."""
    raise ValueError(constant)


def _unusable(document: Any) -> str | None:
    try:
        read_event(document)
    except UnusableEvent as error:
        return str(error)[:LONGEST_REASON]
    return None


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
    # uvicorn raises the signal again when it is done; it must not end the process before the store is closed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    database = open_store(settings)
    try:
        collector = StoreCollector(database, tuple(settings.subscribers))
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
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
    finally:
        database.close()
    return 0


def _touch(session: Session) -> None:
    """Fails unless the store is migrated and can be written."""
    session.connection().exec_driver_sql("SELECT 1 FROM inbox LIMIT 1")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SettingsError as error:
        sys.exit(f"tenure gateway: {error}")
