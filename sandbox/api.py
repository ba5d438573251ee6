"""What an operation of the box is: a plain function from a call to an answer, registered with its method and path."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.box import Box


class Problem(Exception):
    """An answer that is not success. `code`: malformed, business_rule, not_found, taken, unauthorized, …"""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


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


@dataclass(frozen=True)
class Operation:
    system: str
    name: str
    method: str
    path: str
    keyed: bool
    handler: Handler


class Api:
    """The operations of one system, under `/<system>`. An operation's name is its function's name."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.operations: list[Operation] = []

    def operation(self, method: str, path: str, *, keyed: bool = False) -> Callable[[Handler], Handler]:
        """`keyed`: honours the header Idempotency-Key."""

        def register(handler: Handler) -> Handler:
            name = getattr(handler, "__name__", "")
            self.operations.append(Operation(self.system, name, method, f"/{self.system}{path}", keyed, handler))
            return handler

        return register
