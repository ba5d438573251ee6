"""Whether a Stripe key may do all that the adapter does. It asks to change records that don't exist."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from adapters.billing.stripe_calls import Operation, StripeCalls
from domain.errors import AuthFailed, NotFound
from domain.ports import Probed, Problem

NONE = "tenure_probe_no_such"
Ask = Callable[[Operation], Awaitable[Any]]


async def probe(calls: StripeCalls) -> Probed:
    """Stripe looks at a key's permissions before it looks for the record: 403 says that one is lacking, 404 that it is
    there. Raises AuthFailed for a key that is none."""
    async with calls.operation("probe") as op:
        listed = await op.read(calls.v1.customers.list_async({"limit": 1}))
        if not isinstance(listed["data"], list):
            raise TypeError
        clock = op.at
        problems = [problem for what, ask in _asks(calls).items() if (problem := await _tried(op, what, ask))]
        return Probed(problems=tuple(problems), clock=clock)


def _asks(calls: StripeCalls) -> Mapping[str, Ask]:
    v1 = calls.v1
    return {
        "write customers": lambda op: op.read(v1.customers.update_async(NONE, {"metadata": {"a": "b"}})),
        "write products": lambda op: op.read(v1.products.update_async(NONE, {"metadata": {"a": "b"}})),
        "write subscriptions": lambda op: op.read(
            v1.subscription_schedules.update_async(NONE, {"metadata": {"a": "b"}})
        ),
        "write invoices": lambda op: op.read(v1.invoices.update_async(NONE, {"metadata": {"a": "b"}})),
        "write prices": lambda op: op.read(v1.prices.update_async(NONE, {"metadata": {"a": "b"}})),
    }


async def _tried(op: Operation, what: str, ask: Ask) -> Problem | None:
    try:
        await ask(op)
    except NotFound:
        return None
    except AuthFailed:
        return Problem(what=f"the key may not {what}", mend=f"let the restricted key {what} in Stripe's dashboard")
    return None
