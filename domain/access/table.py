"""The policy as tables that people read: who may do what, and who sees what."""

from collections.abc import Callable, Iterable

from domain.access.classes import FieldClass
from domain.access.permissions import Permission
from domain.access.policy import Policy, Principal

YES = "yes"


def rows(policy: Policy) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """The roles; a row for each permission; a row for each class of fields: its name, and `yes` by role."""
    people = {str(role): policy.principal(role, roles=[role]) for role in policy.roles}
    return (
        list(people),
        _matrix(Permission, people, lambda who, each: who.may(Permission(each))),
        _matrix(FieldClass, people, lambda who, each: FieldClass(each) in who.sees),
    )


def as_markdown(policy: Policy) -> str:
    roles, permissions, classes = rows(policy)
    return "\n".join(
        [
            "# Who may do what, and sees what",
            "",
            "Made by `tenure access --write docs/access` from the policy; a test compares the two.",
            "",
            *_table("permission", roles, permissions),
            "",
            *_table("sensitive field", roles, classes),
            "",
        ]
    )


def _matrix(
    things: Iterable[str], people: dict[str, Principal], holds: Callable[[Principal, str], bool]
) -> list[list[str]]:
    return [[str(each), *(YES if holds(who, each) else "" for who in people.values())] for each in things]


def _table(first: str, roles: list[str], lines: list[list[str]]) -> list[str]:
    head = f"| {' | '.join([first, *roles])} |"
    return [head, "|".join(["", *("---" for _ in [first, *roles]), ""]), *(f"| {' | '.join(each)} |" for each in lines)]
