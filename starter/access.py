"""The table `[access]` of `tenure.toml`: who comes in how, and where the policy is another than ours."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from domain.access import EVERYWHERE, Policy, Principal, Role, RolePolicy, default_policy
from starter.sections import Secret, Section, is_address, is_loopback

RegionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Person(Section):
    """What somebody who works on this machine may be: their user name there is who they are."""

    roles: tuple[Role, ...] = Field(min_length=1)
    regions: tuple[str, ...] = (EVERYWHERE,)


class Oidc(Section):
    """The identity provider by which people come in (OpenID Connect, authorization code with PKCE).

    `roles_claim` of the id token says the roles: by our names, or by the provider's groups, which `roles` maps to ours.
    `regions_claim` does so with regions; without it, everybody serves all. `public_url`: where people's browsers reach
    the console; the provider sends them back to `<public_url>/auth/callback`. `hours`: how long a login lasts.
    """

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: Secret | None = None
    public_url: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    roles_claim: str = "roles"
    roles: dict[str, Role] = {}
    regions_claim: str | None = None
    hours: float = Field(8.0, gt=0, le=24 * 30)

    @field_validator("issuer", "public_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        if not is_address(url) or not (url.startswith("https://") or is_loopback(urlsplit(url).hostname)):
            raise ValueError("write it as https://host; plain http is for this machine only")
        return url.rstrip("/")


class Access(Section):
    """`mode`: `demo` lets everybody on this machine do everything, and is refused where others could come in; `policy`
    asks each for a login or a token. `roles` take the place of ours of the same names. `regions`: selling entities.
    `people`: who works with the command line.
    """

    mode: Literal["demo", "policy"] = "demo"
    roles: dict[Role, RolePolicy] = {}
    regions: dict[RegionName, tuple[str, ...]] = {}
    people: dict[str, Person] = {}
    oidc: Oidc | None = None

    @model_validator(mode="after")
    def _known_regions(self) -> "Access":
        for name, person in self.people.items():
            for region in person.regions:
                if region != EVERYWHERE and region not in self.regions:
                    raise ValueError(f"people.{name}.regions: unknown region {region!r}; known: {self._known()}")
        return self

    def _known(self) -> str:
        return ", ".join([EVERYWHERE, *self.regions])

    def check_regions(self, regions: tuple[str, ...]) -> None:
        """ValueError for a region that there is not."""
        if unknown := [each for each in regions if each != EVERYWHERE and each not in self.regions]:
            raise ValueError(f"unknown region {unknown[0]!r}; known: {self._known()}")

    def policy(self) -> Policy:
        """Ours, with what is configured in its place."""
        return default_policy().with_changes(self.roles, self.regions)

    def on_this_machine(self, user: str) -> Principal:
        """Who works with the command line: in demo mode everybody is an admin, else nobody who is not named."""
        if self.mode == "demo":
            return self.policy().principal(user, roles=["admin"], kind="demo")
        person = self.people.get(user)
        return self.policy().principal(
            user, roles=person.roles if person else (), regions=person.regions if person else ()
        )
