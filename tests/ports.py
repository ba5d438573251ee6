"""Free ports, of which no other worker of pytest-xdist takes one before it is used."""

import itertools
import os
import random
import socket

FIRST, EACH = 20_000, 5_000  # below the ports that the kernel gives to those who ask for any

# each is offered once in a round: of two that are asked for together, none is the other
_offers = itertools.count(random.randrange(EACH))


def free_port() -> int:
    """A port of this worker's own range that nobody listens on."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2
    while True:
        port = FIRST + worker * EACH + next(_offers) % EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
