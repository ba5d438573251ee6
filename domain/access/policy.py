"""Roles, what each may do and see, and regions: data, read from a table, with ours as the default."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import field_validator

from domain.access.classes import FieldClass
from domain.access.permissions import WHOLE, Permission, matching
from domain.base import Frozen

EVERYWHERE = "*"

Role = Literal["csm", "finance", "operations", "engineer", "auditor", "admin"]
Kind = Literal["person", "machine", "demo"]


class Denied(Exception):
    """Somebody may not do something. One line that says what is missing; it tells nothing of what was asked for."""


class Principal(Frozen):
    """Who asks. Made by `Policy.principal` for each request, so that a changed policy holds from the next one on.

    `scopes` narrow what the roles of a machine allow. `regions` are names, or `*`. `permissions`, `sees` and `entities`
    (the selling entities of the regions; None: all) are what the policy makes of them.
    """

    subject: str
    name: str
    roles: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    kind: Kind = "person"
    permissions: frozenset[Permission] = frozenset()
    sees: frozenset[FieldClass] = frozenset()
    entities: frozenset[str] | None = frozenset()

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def demand(self, permission: Permission) -> None:
        """Raises Denied."""
        if not self.may(permission):
            held = f"the roles {', '.join(self.roles)}" if self.roles else "no role"
            narrowed = f", narrowed to {', '.join(self.scopes)}" if self.scopes else ""
            raise Denied(f"{permission} is not allowed for {self.subject}, who has {held}{narrowed}")

    def serves(self, selling_entity: str) -> bool:
        """Whether what this entity sells is of the principal's regions."""
        return self.entities is None or selling_entity in self.entities


class RolePolicy(Frozen):
    """What a role may do (`permissions`, globs) and which sensitive fields it sees."""

    permissions: tuple[str, ...] = ()
    sees: tuple[FieldClass, ...] = ()

    @field_validator("permissions")
    @classmethod
    def _known(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        matching(globs)
        return globs


class Policy(Frozen):
    """The whole policy. `regions`: selling entities, by the region's name."""

    roles: dict[Role, RolePolicy] = {}
    regions: dict[str, tuple[str, ...]] = {}

    def principal(
        self,
        subject: str,
        *,
        roles: Iterable[str],
        regions: Iterable[str] = (EVERYWHERE,),
        scopes: Iterable[str] = (),
        kind: Kind = "person",
        name: str = "",
    ) -> Principal:
        """What somebody may do and see. Roles and regions that the policy doesn't know give nothing; a machine may do
        what both its roles and its scopes allow; what concerns every contract needs every region."""
        held = {each: self.roles[each] for each in self.roles if each in set(roles)}
        places, narrowed = tuple(dict.fromkeys(regions)), tuple(dict.fromkeys(scopes))
        permissions = matching(tuple(glob for role in held.values() for glob in role.permissions))
        if kind == "machine":
            permissions &= matching(narrowed)
        entities = None
        if EVERYWHERE not in places:
            entities = frozenset(entity for place in places for entity in self.regions.get(place, ()))
            permissions -= WHOLE
        return Principal(
            subject=subject,
            name=name or subject,
            roles=tuple(held),
            regions=places,
            scopes=narrowed,
            kind=kind,
            permissions=permissions,
            sees=frozenset(kind for role in held.values() for kind in role.sees),
            entities=entities,
        )

    def with_changes(self, roles: dict[Role, RolePolicy], regions: dict[str, tuple[str, ...]]) -> "Policy":
        """The policy with other roles in the place of its own of these names, and with these regions."""
        return Policy(roles={**self.roles, **roles}, regions={**self.regions, **regions})


@cache
def default_policy() -> Policy:
    """What holds where nothing else is configured: policy.toml beside this file."""
    return Policy.model_validate(tomllib.loads((files(__package__) / "policy.toml").read_text(encoding="utf-8")))


def demo_principal(policy: Policy) -> Principal:
    """Everybody, on a machine of one's own, where nobody logs in."""
    return policy.principal("demo", roles=["admin"], kind="demo", name="Demo")
