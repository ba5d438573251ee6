"""Makes the secrets that the local stack needs and nobody should commit."""

import base64
import os
import secrets
from pathlib import Path

from starter.sections import Subscriber, WebhookSource
from starter.settings import Settings


def make_secrets(settings: Settings) -> None:
    """Create every `generated` secret of a sender or a subscriber that doesn't exist yet, as `whsec_<base64>`."""
    owners: list[WebhookSource | Subscriber] = [*settings.webhooks.values(), *settings.subscribers.values()]
    for owner in owners:
        for secret in owner.secrets:
            if secret.generated is not None:
                make_secret(settings.secret_path(secret), "whsec_")


def make_secret(path: Path, prefix: str = "") -> str:
    """The secret in a file: made when there is none, of 32 random bytes, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        # Written aside and linked into place: whoever sees the file sees a whole secret, and the first one stays.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(prefix + base64.b64encode(secrets.token_bytes(32)).decode("ascii") + "\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()
