"""Every command passes here before it does anything: may this person do it, and what does the trail say of it?"""

import asyncio
import getpass
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

import typer

from domain.access import Denied, FieldClass, Permission, Principal, see
from domain.access.within import said, unmarked
from domain.errors import TenureError
from starter.cli.permissions import NEEDED, OPEN
from starter.mistakes import Mistake, Refusal
from starter.settings import Settings, load_settings

if TYPE_CHECKING:
    from store.audit import Asked
    from store.database import Database

WAY = "cli"
SUBJECT = ("contract", "case", "difference", "account", "connection", "channel", "name", "what", "file", "token")
"""The arguments by which commands say what they are about, the first one that is given."""


def user() -> str:
    """Who gives a command, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


class Desk:
    """Who gives the present command, and what it needs. One process gives one command."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.principal: Principal | None = None
        self.asked: Asked | None = None


_desk = Desk()


def asker() -> Principal:
    """Who gives the command."""
    return _desk.principal or load_settings().access.on_this_machine(user())


def guard(app: typer.Typer, above: str = "") -> None:
    """Put the guard before every command of an app and of the apps in it."""
    for command in app.registered_commands:
        if command.callback is not None:
            name = command.name or command.callback.__name__.replace("_", "-")
            command.callback = _guarded(f"{above}{name}", command.callback)
    group = app.registered_callback
    if group is not None and group.callback is not None and group.invoke_without_command:
        group.callback = _guarded(above.strip(), group.callback)
    for inside in app.registered_groups:
        if inside.typer_instance is not None:
            guard(inside.typer_instance, f"{above}{inside.name} ")


def _guarded(name: str, command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        given = signature(command).bind(*args, **kwargs).arguments
        # a group that is not the command itself; its context is of typer's own click, not a typer.Context
        above = getattr(given.get("context"), "invoked_subcommand", None) is not None
        if name in OPEN or above:
            return command(*args, **kwargs)
        return _given(name, given, lambda: command(*args, **kwargs))

    return guarded


def _given(name: str, given: Mapping[str, Any], command: Callable[[], Any]) -> Any:
    from store.audit import BEGUN, DENIED, DONE, FAILED, REFUSED, Asked

    if (needed := NEEDED.get(name)) is None:
        raise Mistake(f"`tenure {name}` does not say what it needs: starter/cli/permissions.py")
    permission = needed if isinstance(needed, Permission) else needed(given)
    settings = load_settings()
    principal = settings.access.on_this_machine(user())
    asked = Asked(principal, permission, WAY, subject=_subject(name, given), reason=str(given.get("reason") or ""))
    _desk.settings, _desk.principal, _desk.asked = settings, principal, asked
    try:
        principal.demand(permission)
    except Denied as denied:
        _tell(asked, DENIED, detail=str(denied))
        raise Mistake(str(denied)) from None
    if not permission.command or given.get("dry_run"):
        return command()
    request = _tell(asked, BEGUN)
    try:
        result = command()
    except typer.Exit as leaving:
        _tell(asked, FAILED if leaving.exit_code else DONE, detail=_code(leaving), request=request)
        raise
    except Refusal as refusal:
        _tell(asked, REFUSED, detail=str(refusal), request=request)
        raise
    except Exception as error:
        known = isinstance(error, Mistake | TenureError)
        _tell(asked, FAILED, detail=str(error) if known else type(error).__name__, request=request)
        raise
    _tell(asked, DONE, request=request)
    return result


def seen(data: Any) -> tuple[Any, frozenset[FieldClass]]:
    """What the asker may see of an answer, as plain JSON, and which classes it hides. What it shows of the others is in
    the trail by then."""
    from store.audit import DONE

    found = see(asker(), data)
    if found.shown and _desk.asked is not None:
        _tell(_desk.asked, DONE, shown=sorted(found.shown))
    return found.answer, found.hidden


def part_of_command(database: "Database", subject: str, reason: str) -> AbstractAsyncContextManager[None]:
    """Around what a command does about one of several things: it has its own two lines in the trail."""
    from store.audit import Audit

    if _desk.asked is None:
        raise RuntimeError("no command is being given")
    told = replace(_desk.asked, subject=subject, reason=reason)
    return Audit(database).command(told, refusals=(Refusal,), named=(Mistake,))


def visible_to_asker(text: str) -> str:
    """What a mistake's line may say to whoever gives the command."""
    return said(text, _desk.principal.sees) if _desk.principal else unmarked(text)


def demand_sight(kinds: tuple[FieldClass, ...]) -> None:
    """For an answer that can't be masked, since it is to be read by a machine again. Raises Mistake."""
    from store.audit import DENIED, DONE

    principal = asker()
    missing = sorted(kind for kind in kinds if kind not in principal.sees)
    if _desk.asked is not None:
        detail = f"it shows {', '.join(missing)}" if missing else ""
        _tell(_desk.asked, DENIED if missing else DONE, shown=[] if missing else sorted(kinds), detail=detail)
    if missing:
        raise Mistake(f"it shows everything, and {principal.subject} does not see {', '.join(missing)}")


def _tell(asked: "Asked", outcome: str, **more: Any) -> str | None:
    """Add a line to the trail. None where there is no store yet: then there is nothing that could be read or done."""
    settings = _desk.settings
    if settings is None or not settings.store_exists():
        return None
    import wiring
    from store.audit import Audit

    database = wiring.open_store(settings)
    try:
        return asyncio.run(Audit(database).record(asked, outcome, **more))
    finally:
        database.close()


def _subject(name: str, given: Mapping[str, Any]) -> str:
    words = next((given[each] for each in SUBJECT if given.get(each)), "")
    return " ".join(map(str, words)) if isinstance(words, list | tuple) else str(words) or f"tenure {name}"


def _code(leaving: typer.Exit) -> str:
    return f"exit code {leaving.exit_code}" if leaving.exit_code else ""
