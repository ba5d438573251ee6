"""A small disk for the embedded server's database, that can be filled and emptied. Needs root, to mount it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOUNT, UNMOUNT = "/bin/mount", "/bin/umount"
MEGABYTES = 256
BLOCK = b"\0" * 65536


class Disk:
    """A tmpfs. Full, it answers ENOSPC, as any disk does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        with (self.path / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(BLOCK) == len(BLOCK):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        (self.path / "ballast").unlink()


@contextmanager
def own_disk(path: Path) -> Iterator[Disk]:
    """Mounted until the end. PermissionError where we may not mount."""
    path.mkdir(parents=True)
    size = f"size={MEGABYTES}m"
    asked = subprocess.run([MOUNT, "-t", "tmpfs", "-o", size, "tenure-faults", str(path)], capture_output=True)
    if asked.returncode:
        raise PermissionError(f"{path} can't be mounted: {asked.stderr.decode().strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run([UNMOUNT, "--lazy", str(path)], check=True)
