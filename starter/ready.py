"""How a process without a port tells the local stack that it is ready."""

import os
from pathlib import Path

from starter.settings import READY_FILE_VARIABLE


def announce_ready() -> None:
    """Say that this process does its work now. Does nothing when nobody asked to be told."""
    if name := os.environ.get(READY_FILE_VARIABLE):
        path = Path(name)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(str(os.getpid()), encoding="ascii")
        draft.replace(path)
