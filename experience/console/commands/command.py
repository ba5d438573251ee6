"""What a command is made of: its form, the preview of what it will do, and the doing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from domain.access import Permission
from domain.changes.applying import Difference
from domain.changes.expected import DatedEffect
from domain.routes import Landscape
from domain.view import LifecycleView
from starter.mistakes import Mistake
from starter.office import Office
from store.tables import LifecycleRow

TODAY = "today"
"""The value of a field that begins as the contract's own day."""

Kind = Literal["text", "date", "number", "choice", "lines"]


@dataclass(frozen=True)
class Field:
    """One question of a form. `value` stands there before anybody has answered; `choices` are (value, words)."""

    name: str
    label: str
    kind: Kind = "text"
    required: bool = False
    hint: str = ""
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Preview:
    """What a command would do: in words, the facts that differ, the effects that come with it, and that go."""

    words: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    effects: tuple[DatedEffect, ...] = ()
    dropped: tuple[DatedEffect, ...] = ()


@dataclass(frozen=True)
class Given:
    """A command as somebody gives it: the form's answers by name, their id for it, and who they are.

    `id` is made with the preview, so that the same form sent twice changes nothing the second time. `landscape`: which
    systems there are.
    """

    life: LifecycleRow
    view: LifecycleView
    answers: Mapping[str, str]
    id: str
    by: str
    landscape: Landscape

    def text(self, name: str) -> str:
        return self.answers.get(name, "").strip()

    def needed(self, name: str, label: str) -> str:
        """Raises Mistake where it is not answered."""
        if not (said := self.text(name)):
            raise Mistake(f"{label} is needed")
        return said

    def lines(self, name: str) -> list[str]:
        """Those that say anything."""
        return [line for line in map(str.strip, self.text(name).splitlines()) if line]

    def day(self, name: str) -> date | None:
        """Raises Mistake for what is no day."""
        said = self.text(name)
        try:
            return date.fromisoformat(said) if said else None
        except ValueError:
            raise Mistake(f"{said!r} is not a date; write it as 2027-08-25") from None

    def whole(self, name: str) -> int | None:
        said = self.text(name)
        if said and not said.isdecimal():
            raise Mistake(f"{said!r} is not a whole number")
        return int(said) if said else None


@dataclass(frozen=True)
class Command:
    """`says`: what it is for. `fits`: whether it makes sense where the lifecycle stands; whether it may really be given
    the lifecycle itself says, with the preview. Preview and act raise Refusal with its reason, and Mistake.
    """

    name: str
    title: str
    says: str
    permission: Permission
    fits: Callable[[LifecycleView], bool]
    fields: Callable[[LifecycleView], tuple[Field, ...]]
    preview: Callable[[Office, Given], Awaitable[Preview]]
    act: Callable[[Office, Given], Awaitable[str]]
    dangerous: bool = field(default=False)
