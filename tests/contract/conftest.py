"""What a kit's world needs."""

from tests.kits.outbox import outbox_server, outbox_url

__all__ = ["outbox_server", "outbox_url"]
