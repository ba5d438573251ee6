"""A customer's credit, held and released by hand, from whatever client: what it would do to each of its contracts."""

from domain.finance import credit
from domain.finance.commands import HoldCredit, ReleaseCredit
from domain.state import LifecycleState
from starter.customers import command_customer
from starter.office import Office
from store.tables import LifecycleRow


async def hold(office: Office, life: LifecycleRow, command: HoldCredit, *, dry_run: bool = False) -> dict[str, str]:
    """Answers by contract. Raises Refusal where it changes none and one refuses it."""

    def would(state: LifecycleState) -> str | None:
        credit.check_hold(state, command)
        return None if state.held_by_hand == credit.words(command) else f"would be on credit hold: {command.reason}"

    return await command_customer(office, life, "hold", command, would, dry_run=dry_run)


async def release(
    office: Office, life: LifecycleRow, command: ReleaseCredit, *, dry_run: bool = False
) -> dict[str, str]:
    """The same. What the company's policy holds is released by itself."""

    def would(state: LifecycleState) -> str | None:
        credit.check_release(state, command)
        still = f"; the policy still holds it for {', '.join(state.held_for)}" if state.held_for else ""
        return f"would be released ({state.held_by_hand}){still}"

    return await command_customer(office, life, "release", command, would, dry_run=dry_run)
