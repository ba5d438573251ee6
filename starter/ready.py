"""How a process without a port tells others that it is ready, and that it is still alive.

`python -m starter.ready` asks: it looks at the ready file that `TENURE_READY_FILE` names, or asks the URL that it is
given. It ends with 0, or with 1 and one line.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from starter.settings import READY_FILE_VARIABLE

BEAT = 2.0
DEAD_AFTER = 15.0  # seconds without a beat


def announce_ready() -> None:
    """Say that this process does its work now. Does nothing when nobody asked to be told."""
    if path := _ready_file():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(str(os.getpid()), encoding="ascii")
        draft.replace(path)


def withdraw_ready() -> None:
    """A process that begins is not ready, whatever the one before it has left."""
    if path := _ready_file():
        path.unlink(missing_ok=True)


async def beat() -> None:
    """Until cancelled, and from the announcement on: show that this process' event loop goes round."""
    path = _ready_file()
    while path is not None:
        if path.exists():
            os.utime(path)
        await asyncio.sleep(BEAT)


def complaint(url: str | None) -> str | None:
    """What is wrong with the process that is asked about; None when it is ready and alive."""
    if url is not None:
        return _refusal(url)
    path = _ready_file()
    if path is None:
        return f"{READY_FILE_VARIABLE} is not set, and no URL is given"
    try:
        silent = time.time() - path.stat().st_mtime
    except OSError:
        return "not ready yet"
    return f"no sign of life for {silent:.0f} s" if silent > DEAD_AFTER else None


def _refusal(url: str) -> str | None:
    import httpx

    try:
        status = httpx.get(url, timeout=3.0, trust_env=False).status_code
    except httpx.HTTPError as error:
        return f"{url}: {type(error).__name__}"
    return None if status == httpx.codes.OK else f"{url}: {status}"


def _ready_file() -> Path | None:
    name = os.environ.get(READY_FILE_VARIABLE)
    return Path(name) if name else None


if __name__ == "__main__":
    sys.exit(complaint(sys.argv[1] if len(sys.argv) > 1 else None))
