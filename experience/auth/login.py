"""A login on its way, and how it fails. What makes one (provider.py) takes a second to load, and few need it."""

from dataclasses import dataclass


class LoginFailed(Exception):
    """Somebody can't be let in. One line for them; it holds nothing that the provider sent in confidence."""


@dataclass(frozen=True)
class Login:
    """A login on its way: what has to come back, and what proves that we asked."""

    address: str
    nonce: str
    verifier: str
