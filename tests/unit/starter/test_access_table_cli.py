"""Every role × every command: what docs/access says is what the command line does. Nothing is asked of Temporal."""

import os
import sys
from collections.abc import Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer
from temporalio.client import Client

from domain.access import Permission, default_policy
from starter.cli import app, guarding
from starter.cli.permissions import NEEDED, OPEN
from starter.cli.running import run_app
from starter.settings import Settings, load_settings

POLICY = default_policy()
VARIANTS: dict[str, list[tuple[tuple[str, ...], Permission]]] = {
    "stages": [
        (("crm/1/1",), Permission.LIFECYCLE_READ),
        (("crm/1/1", "onboarding=off"), Permission.LIFECYCLE_STAGE),
    ],
    "event": [
        (("7",), Permission.EVENT_READ),
        (("7", "--again"), Permission.EVENT_REPLAY),
        (("event.json",), Permission.EVENT_SEND),
    ],
    "replay-check": [
        ((), Permission.STACK_OPERATE),
        (("--contract", "crm/1/1"), Permission.LIFECYCLE_READ),
    ],
    "connections limit": [
        (("crm",), Permission.CONNECTION_READ),
        (("crm", "--per-second", "5"), Permission.CONNECTION_FREEZE),
        (("crm", "--reset"), Permission.CONNECTION_FREEZE),
    ],
}
"""The commands whose permission depends on what is given."""


class LetThrough(Exception):
    """A command's own code was reached."""


@pytest.fixture(scope="module")
def probes() -> Iterator[None]:
    """The real guard, before probes in the commands' place."""
    taken: list[tuple[Any, Any]] = []

    def put(inside: Any, above: str) -> None:
        group = inside.registered_callback
        named = [(each, f"{above}{_name(each)}") for each in inside.registered_commands]
        for each, name in [*named, *([(group, above.strip())] if above.strip() in NEEDED else [])]:
            taken.append((each, each.callback))
            each.callback = guarding._guarded(name, _probe(each.callback.__wrapped__))
        for sub in inside.registered_groups:
            put(sub.typer_instance, f"{above}{sub.name} ")

    put(app, "")
    whole, settings = typer.main.get_command(app), cache(load_settings)
    with pytest.MonkeyPatch.context() as patch:  # made once, not with each command
        patch.setattr(typer.main, "get_command", lambda _: whole)
        patch.setattr(guarding, "load_settings", lambda: settings(state_dir=os.environ["TENURE_STATE_DIR"]))
        yield
    for each, callback in taken:
        each.callback = callback


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__.replace("_", "-"))


def _probe(command: Any) -> Any:
    @wraps(command)
    def reached(*_: Any, **given: Any) -> None:
        context = given.get("context")
        if context is None or context.invoked_subcommand is None:  # else the command itself follows
            raise LetThrough

    return reached


@pytest.fixture
def asked_of_temporal(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """A machine with people, and no store yet: then there is no trail to write, which makes this fast."""
    asked: list[str] = []

    async def connect(target: str, *_: Any, **__: Any) -> NoReturn:
        asked.append(target)
        raise RuntimeError(target)

    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(Client, "connect", connect)
    monkeypatch.setattr(os, "_exit", leave)
    people = ", ".join(f'"{role}": {{"roles": ["{role}"]}}' for role in POLICY.roles)
    monkeypatch.setenv("TENURE_STATE_DIR", str(settings.state_path))
    monkeypatch.setenv("TENURE_CONFIG", str(Path(__file__).parents[3] / "tenure.toml"))
    monkeypatch.setenv("TENURE_ACCESS__MODE", "policy")
    monkeypatch.setenv("TENURE_ACCESS__PEOPLE", f"{{{people}}}")
    return asked


@pytest.mark.parametrize("role", [*POLICY.roles, "stranger"])
@pytest.mark.usefixtures("probes")
def test_a_role_may_give_exactly_the_commands_that_its_permissions_name(
    role: str,
    asked_of_temporal: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    principal = POLICY.principal(role, roles=[role] if role in POLICY.roles else [])
    monkeypatch.setenv("LOGNAME", role)
    held = f"the roles {role}" if principal.roles else "no role"
    wrong, given = [], 0
    for words, permission in every_command():
        monkeypatch.setattr(sys, "argv", ["tenure", *words])
        try:
            with pytest.raises(SystemExit) as left:
                run_app(app)
            outcome: object = (left.value.code, capsys.readouterr().err)
        except LetThrough:
            outcome = "let through"
        denied = (2, f"tenure: {permission} is not allowed for {role}, who has {held}\n")
        if outcome != ("let through" if principal.may(permission) else denied):
            wrong.append((words, permission, outcome))
        given += 1
    assert wrong == [], wrong
    assert given > len(NEEDED)
    assert asked_of_temporal == []


def every_command() -> Iterator[tuple[tuple[str, ...], Permission]]:
    """Each with words that its parser takes, and what it needs by the table."""
    whole = typer.main.get_command(app)
    for name, needed in NEEDED.items():
        words = tuple(name.split())
        if not isinstance(needed, Permission):
            yield from ((words + more, permission) for more, permission in VARIANTS[name])
            continue
        command: Any = whole
        for word in words:
            command = command.commands[word]
        takes = () if getattr(command, "commands", None) else _words(command)
        yield words + takes, needed


def _words(command: Any) -> tuple[str, ...]:
    """What a command can't do without."""
    found: list[str] = []
    for each in command.params:
        if each.required:
            value = "1" if each.type_descriptor in ("INTEGER", "FLOAT") else "x"
            found += [value] if each.param_type_name == "argument" else [each.opts[-1], value]
    return tuple(found)


def test_what_needs_nothing_is_named() -> None:
    assert not {*NEEDED} & {*OPEN}
    assert {name for name, needed in NEEDED.items() if not isinstance(needed, Permission)} == {*VARIANTS}
