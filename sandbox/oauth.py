"""OAuth 2 as the vendor-shaped systems have it. The box's token is every secret here: client secret, refresh token."""

from datetime import datetime, timedelta

from sandbox.api import Call, Problem
from sandbox.box import Box


def grant(box: Box, call: Call, lasts: timedelta) -> str:
    """A new access token, for `lasts` of business time."""
    asked = call.fields("grant_type", "client_id", "client_secret")
    if asked["client_secret"] != box.token:
        raise Problem(401, "invalid_client", "invalid client credentials")
    if asked["grant_type"] == "refresh_token":
        if asked.get("refresh_token") != box.token:
            raise Problem(400, "invalid_grant", "expired access/refresh token")
    elif asked["grant_type"] != "client_credentials":
        raise Problem(400, "unsupported_grant_type", "grant type not supported")
    token = box.new_id(f"{call.system}-access")
    box.store.put(call.system, "tokens", token, {"until": (box.clock.now() + lasts).isoformat()})
    return token


def admits(system: str, box: Box, token: str) -> bool:
    """A token that was granted and lasts still, or the box's own, as a private app's never ends."""
    known = box.store.get(system, "tokens", token)
    if known is None:
        return token == box.token
    return box.clock.now() < datetime.fromisoformat(known["until"])
