"""Where the real ERP's files lie, and as whom its PostgreSQL runs: never as root, which it refuses."""

import contextlib
import fcntl
import hashlib
import os
import pwd
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from starter.mistakes import Mistake

Say = Callable[[str], None]

# whom root lends to PostgreSQL: the first that the machine has
ACCOUNTS = ("pgserver", "postgres", "nobody")
SOURCE = Path(__file__).parents[2] / "integrations"


class ErpError(Mistake):
    """The real ERP can't be brought up. One line that says why and what to do; the end of a log may follow it."""


def cache_home() -> Path:
    """Where environments and templates are kept between runs: XDG_CACHE_HOME/tenure, else ~/.cache/tenure.

    Root's own cache is often closed to the account that PostgreSQL runs as; it is then /var/cache/tenure.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = (Path(named) if os.path.isabs(named) else Path("~/.cache").expanduser()) / "tenure"
    return home if server_account() is None or _others_may_enter(home) else Path("/var/cache/tenure")


def data_home(state: Path) -> Path:
    """Where the ERP's data of a stack lies: below its `state` directory, or, for root, /var/lib/tenure/<stack>."""
    own = state / "erp"
    return own if server_account() is None else Path("/var/lib/tenure", _digest(state.resolve()))


def socket_home(data: Path) -> Path:
    """The directory of a server's socket, whose path must be short: at most 107 bytes with the socket's name."""
    return Path(tempfile.gettempdir(), f"tenure-pg-{_server_uid()}-{_digest(data.resolve())}")


def make_socket_home(data: Path) -> None:
    """The directory is there, and nobody but the server (and root) can enter it: there are no passwords behind it."""
    directory = socket_home(data)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        give_to_server(directory)
        found = directory.lstat()
    except OSError as error:
        raise ErpError(f"{directory}: {error.strerror}; TMPDIR names another place for sockets") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != _server_uid() or found.st_mode & 0o077:
        raise ErpError(f"{directory} belongs to somebody else; TMPDIR names another place for sockets")


def server_account() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ErpError(f"PostgreSQL does not run as root, and there is none of the accounts {', '.join(ACCOUNTS)}")


def give_to_server(directory: Path) -> None:
    """Let the server own a directory and all that is in it, when it runs as somebody else."""
    account = server_account()
    if account is None:
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def make_directory(directory: Path) -> None:
    """With every parent that is missing, open to the server's account."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            each.chmod(0o755)
    except OSError as error:
        raise ErpError(f"{error.filename}: {error.strerror}") from None


@contextlib.contextmanager
def alone(lock: Path, say: Say) -> Iterator[None]:
    """Whoever comes second waits until the first is done; a process that dies lets go."""
    make_directory(lock.parent)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another run is preparing the ERP: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fingerprint(*parts: Path | str) -> str:
    """Of texts, files, and directories without what tests and builds leave there: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode() + b"\0")
            continue
        for file in [part] if part.is_file() else sorted(part.rglob("*")):
            inner = file.relative_to(part).parts
            if file.is_file() and not any(_made(name) for name in inner):
                digest.update("/".join(inner).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _server_uid() -> int:
    account = server_account()
    return os.getuid() if account is None else account.pw_uid


def _made(name: str) -> bool:
    return name in ("__pycache__", "build", "dist", ".pytest_cache") or name.endswith((".egg-info", ".pyc"))


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def _others_may_enter(directory: Path) -> bool:
    there = [each for each in (directory, *directory.parents) if each.exists()]
    return all(each.stat().st_mode & stat.S_IXOTH for each in there)
