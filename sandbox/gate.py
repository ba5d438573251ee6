"""What every call passes through: recorded, authorised, rate-limited, disturbed by a fault, done once per key."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from sandbox import access
from sandbox.api import Answer, Call, Operation, Problem
from sandbox.box import Box
from sandbox.faults import Fault


class CutResponse(Response):
    """Promises more than it sends and stops: the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def endpoint(box: Box, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        call, problem = await _read(request, operation)
        recorded = box.store.record_call(
            at=box.clock.now(), system=call.system, operation=call.operation, method=call.method, path=call.path,
            key=call.key, body=call.body,
        )  # fmt: skip
        try:
            _authorise(box, request, operation)
            if problem is not None:
                raise problem
            access.check(box, call, reads=operation.reads)
            answer = await _disturbed(box, operation, call)
        except Problem as said:
            answer = operation.manner.words(said)
        box.store.record_status(recorded, answer.status)
        box.outbox.wake()
        return _response(answer)

    return serve


async def _read(request: Request, operation: Operation) -> tuple[Call, Problem | None]:
    raw = await request.body()
    body, problem = None, None
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = dict(parse_qsl(raw.decode(errors="replace")))
    elif raw:
        try:
            body = json.loads(raw)
        except ValueError:
            problem = Problem(400, "malformed", "the body is not JSON")
    call = Call(
        system=operation.system,
        operation=operation.name,
        method=request.method,
        path=request.url.path,
        params={name: str(value) for name, value in request.path_params.items()},
        query=dict(request.query_params),
        key=request.headers.get("idempotency-key"),
        body=body,
        traceparent=request.headers.get("traceparent", ""),
    )
    return call, problem


def _authorise(box: Box, request: Request, operation: Operation) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not operation.open and not (scheme == "Bearer" and operation.manner.admits(box, token)):
        raise Problem(401, "unauthorized", "a bearer token is needed", {"www-authenticate": "Bearer"})


async def _disturbed(box: Box, operation: Operation, call: Call) -> Answer:
    if not box.limits.admit(call.system):
        raise Problem(429, "rate_limited", "too many calls", {"retry-after": "1"})
    fault = box.faults.take(call.system, call.operation, box.clock.today())
    return perform(box, operation, call) if fault is None else await _faulty(box, operation, call, fault)


async def _faulty(box: Box, operation: Operation, call: Call, fault: Fault) -> Answer:
    match fault.kind:
        case "slow":
            await asyncio.sleep(fault.seconds)
            return perform(box, operation, call)
        case "error":
            raise Problem(fault.status, "fault", "something went wrong")
        case "lose_answer":
            perform(box, operation, call)
            return Answer(504, cut=fault.cut)
        case "commit_late":
            box.later(fault.seconds, lambda: _perform_late(box, operation, call))
            raise Problem(504, "fault", "no answer in time")
        case "refuse":
            raise Problem(422, "business_rule", fault.reason)
        case "rate_limit":
            raise Problem(429, "rate_limited", "too many calls", {"retry-after": fault.retry_after})
        case "down":
            raise Problem(503, "not_accepted", "closed for maintenance", {"retry-after": fault.retry_after})
        case "hang":
            await asyncio.sleep(fault.seconds)
            raise Problem(504, "fault", "no answer in time")
        case "garbage":
            return Answer(200, raw=fault.answer)


def _perform_late(box: Box, operation: Operation, call: Call) -> None:
    perform(box, operation, call)
    box.outbox.wake()


def perform(box: Box, operation: Operation, call: Call) -> Answer:
    """Do the work in one transaction. With a key: once, and the stored answer again; another request under it: 422."""
    box.outbox.traceparent = call.traceparent
    try:
        with box.store.transaction():
            if not operation.keyed or call.key is None:
                return _done(operation.handler(box, call))
            request = hashlib.sha256(
                json.dumps([call.method, call.path, call.body], sort_keys=True).encode()
            ).hexdigest()
            stored = box.store.db.execute(
                "SELECT * FROM answers WHERE system = ? AND key = ?", (call.system, call.key)
            ).fetchone()
            if stored is not None:
                if stored["request"] != request:
                    raise Problem(422, "key_reused", "this idempotency key was used for another request")
                return Answer(stored["status"], json.loads(stored["body"]), {"idempotent-replayed": "true"})
            answer = _done(operation.handler(box, call))
            box.store.db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
                (call.system, call.key, request, answer.status, json.dumps(answer.body)),
            )
            return answer
    except ValidationError as error:
        where = ", ".join(".".join(str(part) for part in mistake["loc"]) for mistake in error.errors())
        return operation.manner.words(Problem(400, "malformed", f"wrong or missing: {where}"))
    except Problem as said:
        return operation.manner.words(said)
    finally:
        box.outbox.traceparent = ""


def _done(result: Answer | dict[str, object]) -> Answer:
    return result if isinstance(result, Answer) else Answer(200, result)


def _response(answer: Answer) -> Response:
    if answer.cut:
        return CutResponse()
    if answer.raw is not None:
        return HTMLResponse(answer.raw, answer.status)
    return JSONResponse(answer.body, answer.status, answer.headers)
