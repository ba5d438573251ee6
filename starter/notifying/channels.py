"""The tables of `tenure.toml` that say by which ways people are told."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from domain.hours import Amount
from starter.sections import Secret, Section

Kind = Literal["email", "slack", "teams"]


class Channel(Section):
    """One way by which a team is told (`tell` in the company's file). `url`: the incoming webhook of Slack or Teams, a
    secret in itself; `to`: e-mail addresses. What is not urgent is gathered for `digest`.
    """

    kind: Kind
    url: Secret | None = None
    to: tuple[str, ...] = ()
    digest: Amount = timedelta(minutes=15)

    @model_validator(mode="after")
    def _has_its_address(self) -> "Channel":
        if (self.kind == "email") != bool(self.to):
            raise ValueError("e-mail, and nothing else, needs addresses in `to`")
        if (self.kind == "email") == (self.url is not None):
            raise ValueError("Slack and Teams need the secret `url` of an incoming webhook; e-mail has none")
        for address in self.to:
            name, _, host = address.partition("@")
            if not name or not host or not address.isprintable() or any(sign in address for sign in " ,;<>"):
                raise ValueError(f"{address!r} is no e-mail address")
        return self


class Mail(Section):
    """The SMTP server that e-mail is given to. `tls`: from the start (`tls`), after a greeting in clear (`starttls`),
    or none, which is for this machine."""

    host: str = "127.0.0.1"
    port: int = Field(25, ge=1, le=65535)
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str | None = Field(None, min_length=1)
    password: Secret | None = None
    sender: str = "tenure@localhost"

    @model_validator(mode="after")
    def _credentials_belong_together(self) -> "Mail":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.user is not None and self.tls == "none":
            raise ValueError("a password is not sent in clear: set tls")
        return self
