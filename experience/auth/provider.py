"""The identity provider, by OpenID Connect: where people are sent to, and what it says who they are."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.base import OAuth2Error
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from domain.access import EVERYWHERE
from experience.auth.login import Login, LoginFailed
from starter.access import Oidc
from starter.settings import Settings

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Of signatures by a key that only the provider has: `none`, and what our own secret could sign, prove nothing."""
CLOCKS_APART = 60  # seconds
FRESH = 3600.0  # seconds that what the provider says of itself is taken as said
KEYS_APART = 30.0  # seconds between two looks for a key that is not among those we know
PATIENCE = 10.0
MACHINE = "token:"  # how the trail names machines


class Provider:
    """`transport`: another way to reach it than the net."""

    def __init__(self, oidc: Oidc, secret: str | None, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._oidc = oidc
        self._secret = secret
        self._transport = transport
        self._turn = asyncio.Lock()
        self._document: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @property
    def back(self) -> str:
        """Where the provider sends people back to."""
        return f"{self._oidc.public_url}/auth/callback"

    async def begin(self, state: str) -> Login:
        """Raises LoginFailed when the provider does not answer."""
        nonce, verifier = generate_token(32), generate_token(64)
        async with self._client() as client:
            address, _ = client.create_authorization_url(
                await self._endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
            )
        return Login(address, nonce, verifier)

    async def finish(self, code: str, login: Login) -> dict[str, Any]:
        """The claims of who has logged in. Raises LoginFailed when that is not proven."""
        endpoint = await self._endpoint("token_endpoint")
        try:
            async with self._client() as client:
                token = await client.fetch_token(endpoint, code=code, code_verifier=login.verifier)
        except (OAuthError, OAuth2Error) as error:
            raise LoginFailed(f"the identity provider refuses the login ({error.error})") from None
        except (httpx.HTTPError, ValueError) as error:
            raise LoginFailed(f"the identity provider does not answer ({type(error).__name__})") from None
        return await self._proven(str(token.get("id_token") or ""), login.nonce)

    async def end(self) -> str | None:
        """Where a browser goes to end the provider's own session, too; None where that can't be done."""
        address = (await self._said()).get("end_session_endpoint")
        if not isinstance(address, str):
            return None
        asked = {"client_id": self._oidc.client_id, "post_logout_redirect_uri": f"{self._oidc.public_url}/auth/bye"}
        return str(httpx.URL(address).copy_merge_params(asked))

    def known(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """What a session keeps of somebody. Raises LoginFailed for somebody who has no role here."""
        given = _texts(claims.get(self._oidc.roles_claim))
        roles = [self._oidc.roles[each] for each in given if each in self._oidc.roles] if self._oidc.roles else given
        regions = [EVERYWHERE] if (claim := self._oidc.regions_claim) is None else _texts(claims.get(claim))
        email = claims.get("email") if claims.get("email_verified", True) in (True, "true") else None
        subject = str(email or claims.get("preferred_username") or claims["sub"])
        if subject.startswith(MACHINE):
            raise LoginFailed("the identity provider names you as a machine of ours is named")
        if not roles:
            raise LoginFailed(f"{subject} has no role here: the claim {self._oidc.roles_claim} names none")
        return {
            "subject": subject,
            "name": str(claims.get("name") or subject),
            "roles": list(dict.fromkeys(roles)),
            "regions": regions,
        }

    async def _proven(self, id_token: str, nonce: str) -> dict[str, Any]:
        try:
            decoded = jwt.decode(id_token, await self._known_keys(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            try:  # it may have changed its keys since
                decoded = jwt.decode(id_token, await self._known_keys(anew=True), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                raise LoginFailed("the identity provider's answer is not signed by it") from None
        wanted = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_APART,
            iss={"essential": True, "value": str((await self._said())["issuer"])},
            aud={"essential": True, "value": self._oidc.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            wanted.validate(decoded.claims)
        except JoseError as error:
            raise LoginFailed(f"the identity provider's answer is not for us, or too old ({error.error})") from None
        claims: dict[str, Any] = dict(decoded.claims)
        if claims.get("azp", self._oidc.client_id) != self._oidc.client_id:
            raise LoginFailed("the identity provider's answer is for another application")
        return claims

    def _client(self) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._oidc.client_id,
            self._secret,
            scope=" ".join(self._oidc.scopes),
            redirect_uri=self.back,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            code_challenge_method="S256",
            transport=self._transport,
            timeout=PATIENCE,
        )

    async def _endpoint(self, name: str) -> str:
        address = (await self._said()).get(name)
        if not isinstance(address, str):
            raise LoginFailed(f"the identity provider names no {name}")
        return address

    async def _said(self) -> dict[str, Any]:
        """What the provider says of itself."""
        async with self._turn:
            if self._document is None or self._document[0] < time.monotonic():
                found = await self._read(f"{self._oidc.issuer}/.well-known/openid-configuration")
                if str(found.get("issuer", "")).rstrip("/") != self._oidc.issuer:
                    raise LoginFailed("the identity provider says that it is another one")
                self._document = (time.monotonic() + FRESH, found)
            return self._document[1]

    async def _known_keys(self, *, anew: bool = False) -> KeySet:
        address = await self._endpoint("jwks_uri")
        async with self._turn:
            age = time.monotonic() - self._keys[0] if self._keys else FRESH
            if self._keys is None or age >= (KEYS_APART if anew else FRESH):
                self._keys = (time.monotonic(), KeySet.import_key_set(await self._read(address)))  # type: ignore[arg-type]  # read as JSON
            return self._keys[1]

    async def _read(self, address: str) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(transport=self._transport, timeout=PATIENCE) as client:
                answer = await client.get(address)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise LoginFailed(f"the identity provider does not answer ({type(error).__name__})") from None
        if not isinstance(found, dict):
            raise LoginFailed("the identity provider's answer is none")
        return found


def provider_of(settings: Settings) -> Provider | None:
    """The configured one. Raises SettingsError when its secret can't be read."""
    if (oidc := settings.access.oidc) is None:
        return None
    secret = oidc.client_secret
    return Provider(oidc, settings.read_secret(secret, "access.oidc.client_secret") if secret else None)


def _texts(claim: object) -> list[str]:
    """A claim that is a list of texts, or one text with words in it, as providers have it."""
    if isinstance(claim, str):
        return claim.split()
    return [each for each in claim if isinstance(each, str)] if isinstance(claim, Iterable) else []
