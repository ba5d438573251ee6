"""Makes the secrets that the local stack needs and nobody should commit."""

import base64
import os
import secrets

from starter.sections import Subscriber, WebhookSource
from starter.settings import Settings


def make_secrets(settings: Settings) -> None:
    """Create every `generated` secret that doesn't exist yet: 32 random bytes as `whsec_<base64>`, mode 0600."""
    owners: list[WebhookSource | Subscriber] = [*settings.webhooks.values(), *settings.subscribers.values()]
    for owner in owners:
        for secret in owner.secrets:
            if secret.generated is None:
                continue
            path = settings.secret_path(secret)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.exists():
                continue
            # Written aside and linked into place: whoever sees the file sees a whole secret, and the first one stays.
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii") + "\n")
            try:
                os.link(draft, path)
            except FileExistsError:
                continue
            finally:
                draft.unlink()
