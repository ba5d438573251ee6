"""Standard Webhooks signatures: who sent this, and when."""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from standardwebhooks import Webhook, WebhookVerificationError

from starter.settings import SettingsError

Refusal = Literal["missing_signature", "outside_tolerance", "wrong_signature"]


class Signatures:
    """The valid secrets of one source. A message is good when any of them signed it, within the tolerance."""

    def __init__(self, source: str, secrets: Sequence[str], tolerance_seconds: int) -> None:
        """Raises SettingsError for a secret that is not base64, as the standard has it (`whsec_...`)."""
        try:
            self._verifiers = [Webhook(secret) for secret in secrets]
        except Exception as error:  # the library raises RuntimeError, its own class, or binascii.Error
            raise SettingsError(f"webhooks.{source}.secrets: not a whsec_ secret ({type(error).__name__})") from None
        self._tolerance = tolerance_seconds

    def refusal(self, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
        """Why the message is refused, or None when it is authentic and in time."""
        if not all(headers.get(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")):
            return "missing_signature"
        try:
            age = abs(time.time() - float(headers["webhook-timestamp"]))
        except ValueError:
            return "wrong_signature"
        if not age <= self._tolerance:  # so, and not `age >`, that a NaN is refused too
            return "outside_tolerance"
        return None if any(_verifies(verifier, body, headers) for verifier in self._verifiers) else "wrong_signature"


def _verifies(verifier: Webhook, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        verifier.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: a signature or body that can't even be decoded
        return False
    return True
