"""An identity provider of a test's own: OpenID Connect as real ones speak it, with a key of its own."""

import base64
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

ISSUER = "https://id.example"
CLIENT, SECRET = "tenure", "the-clients-secret"


@dataclass
class IdentityProvider:
    """Answers over `transport`. `claims`: of whoever logs in. `wrong`: claims that it gets wrong."""

    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "email": "ann@acme.example", "name": "Ann"})
    wrong: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1"}))
    signs_with: ECKey | None = None
    issuer: str = ISSUER
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self._answer)

    def log_in(self, address: str) -> str:
        """What somebody's browser is sent back to after they have logged in there."""
        parts = urlsplit(address)
        assert parts.path == "/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down")
        match request.url.path:
            case "/.well-known/openid-configuration":
                ends = ("authorize", "token", "jwks", "logout")
                authorization, token, keys, logout = (f"{ISSUER}/{each}" for each in ends)
                return httpx.Response(
                    200,
                    json={
                        "issuer": self.issuer,
                        "authorization_endpoint": authorization,
                        "token_endpoint": token,
                        "jwks_uri": keys,
                        "end_session_endpoint": logout,
                    },
                )
            case "/jwks":
                return httpx.Response(200, json=KeySet([self.key]).as_dict(private=False))
            case "/token":
                return self._token(request)
        return httpx.Response(404)

    def _token(self, request: httpx.Request) -> httpx.Response:
        given = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.asked.pop(given["code"], None)
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        proven = asked and base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        if request.headers.get("authorization") != f"Basic {basic}" or asked is None or not proven:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        signer = self.signs_with or self.key
        id_token = jwt.encode(
            {"alg": "ES256", "kid": signer.kid}, {**claims, **self.claims, **self.wrong}, signer, algorithms=["ES256"]
        )
        return httpx.Response(200, json={"access_token": "a", "token_type": "Bearer", "id_token": id_token})
