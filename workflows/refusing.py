"""How a validator refuses: the domain's reason, as what an Update may raise; and what a handler refuses only newly."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.refused import Refused


def refuse(check: Callable[[], None]) -> None:
    """Turn the domain's refusal into what an Update may raise."""
    try:
        check()
    except Refused as refused:
        raise ApplicationError(str(refused), type="REFUSED", non_retryable=True) from None


def vets() -> bool:
    """Whether a won deal is vetted. Asked only where one is to be refused, so that no other run pays for the mark."""
    return workflow.patched("won deals are vetted")
