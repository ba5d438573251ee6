"""What an operation of the box is: a plain function from a call to an answer, registered with its method and path."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.box import Box


class Problem(Exception):
    """An answer that is not success. `code`: malformed, business_rule, not_found, taken, unauthorized, …

    `details`: what the answer says beside code and message.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None, **details: str | None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}
        self.details = details


def refused(message: str, status: int = 422) -> Problem:
    return Problem(status, "business_rule", message)


def not_found(kind: str, record_id: str) -> Problem:
    return Problem(404, "not_found", f"no {kind} {record_id}")


@dataclass(frozen=True)
class Call:
    system: str
    operation: str
    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    key: str | None
    body: Any
    traceparent: str = ""

    def fields(self, *required: str) -> dict[str, Any]:
        """The body as an object, or a 400 that names what is missing."""
        if not isinstance(self.body, dict):
            raise Problem(400, "malformed", "the body must be a JSON object")
        missing = [name for name in required if self.body.get(name) in (None, "")]
        if missing:
            raise Problem(400, "malformed", f"missing: {', '.join(missing)}")
        return dict(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None
    """Sent instead of `body`, as HTML: what a proxy in the middle would say."""
    cut: bool = False
    """The connection is cut in the middle of the answer (real HTTP only)."""


Handler = Callable[["Box", Call], Answer | dict[str, Any]]


def _knows_the_token(box: "Box", token: str) -> bool:
    return hmac.compare_digest(token, box.token)


def _plainly(problem: Problem) -> Answer:
    said = {"code": problem.code, "message": problem.message, **problem.details}
    return Answer(problem.status, {"error": said}, problem.headers)


@dataclass(frozen=True)
class Manner:
    """What a system has of its own on every call: whom it lets in, and how it words a problem."""

    admits: Callable[["Box", str], bool] = _knows_the_token
    words: Callable[[Problem], Answer] = _plainly


@dataclass(frozen=True)
class Operation:
    system: str
    name: str
    method: str
    path: str
    keyed: bool
    handler: Handler
    manner: Manner = Manner()
    open: bool = False
    reads: bool = False


class Api:
    """The operations of one system, under `/<system>`. An operation's name is its function's name."""

    def __init__(self, system: str, manner: Manner = Manner()) -> None:
        self.system = system
        self.manner = manner
        self.operations: list[Operation] = []

    def operation(
        self, method: str, path: str, *, keyed: bool = False, open: bool = False, reads: bool = False
    ) -> Callable[[Handler], Handler]:
        """`keyed`: honours the header Idempotency-Key. `open`: needs no token. `reads`: a POST that only asks."""

        def register(handler: Handler) -> Handler:
            name, full = getattr(handler, "__name__", ""), f"/{self.system}{path}"
            asks = reads or method == "GET"
            self.operations.append(Operation(self.system, name, method, full, keyed, handler, self.manner, open, asks))
            return handler

        return register
