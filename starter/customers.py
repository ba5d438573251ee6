"""Commands that are a customer's: given to each of its open contracts, since each of them speaks to the ERP for it."""

from collections.abc import Callable
from typing import Any

from domain.refused import Refused
from domain.state import LifecycleState
from starter.mistakes import Refusal
from starter.office import Office
from store.tables import LifecycleRow
from workflows.lifecycle import CustomerLifecycle

Would = Callable[[LifecycleState], str | None]
"""What a command would do to a contract, None where it is so already. Raises Refused."""


async def command_customer(
    office: Office, life: LifecycleRow, update: str, command: Any, would: Would, *, dry_run: bool = False
) -> dict[str, str]:
    """Give the command to every open contract of the customer that it changes; answers by contract.

    Broken off half-way and given once more, it goes on where it stood. Raises Refusal where it changes none and one
    refuses it.
    """
    answers: dict[str, str] = {}
    changed: list[LifecycleRow] = []
    refusal: Refused | None = None
    for each in await office.of_customer(life):
        try:
            does = would(await office.state(each))
        except Refused as refused:
            refusal = refusal or refused
            answers[each.contract] = f"stays as it is: {refused}"
        else:
            answers[each.contract] = does or "is so already"
            changed += [each] if does else []
    if refusal is not None and not changed:
        raise Refusal(str(refusal))
    for each in changed if not dry_run else ():
        answers[each.contract] = (await office.command(each, getattr(CustomerLifecycle, update), command)).message
    return answers
