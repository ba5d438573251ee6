"""What can be done with a lifecycle from its page: each command says what it will do before it does it."""

from domain.access import Principal
from domain.view import LifecycleView
from experience.console.commands.changes import CHANGES
from experience.console.commands.command import Command, Preview
from experience.console.commands.finance import FINANCE
from experience.console.commands.orders import ORDERS

__all__ = ["COMMANDS", "Command", "Preview", "offered"]

COMMANDS: dict[str, Command] = {command.name: command for command in (*ORDERS, *FINANCE, *CHANGES)}


def offered(principal: Principal, view: LifecycleView) -> list[Command]:
    """The commands that fit to where the lifecycle stands, and that the principal may give."""
    return [command for command in COMMANDS.values() if principal.may(command.permission) and command.fits(view)]
