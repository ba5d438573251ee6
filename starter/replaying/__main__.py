"""`python -m starter.replaying [FOLDER [PATH …]]`: exit code 1, and what to do, when the gate is red."""

import asyncio
import os
import sys
from pathlib import Path

from starter.replaying.corpus import HISTORIES, check_corpus

ADVICE = """\
Lifecycles that run for years hold histories like this one; with this change they would stop, or act twice.
 - Keep the old way for them:  if workflow.patched("<what changed>"): <new way>  else: <old way>
 - Record a new path, or a new version's, beside the old ones:  python -m tests.replay.record"""


def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else HISTORIES
    reds = asyncio.run(check_corpus(folder, sys.argv[2:]))
    for red in reds:
        sys.stderr.write(f"replay gate: {red}\n")
    if reds:
        sys.stderr.write(f"{ADVICE}\n")
    sys.stderr.flush()
    os._exit(
        bool(reds)
    )  # a process that ends right after its replayer can crash in the SDK's teardown (sdk-python #300)


if __name__ == "__main__":
    main()
