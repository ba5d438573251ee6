"""Files that a page refers to: ours, and htmx out of its installed package. Each has its content's hash in its address,
so that a browser may keep it for ever."""

import hashlib
from functools import cache
from importlib.resources import files

from experience.places import STATIC

VENDOR = ("django_htmx", "static/django_htmx")
"""The package that carries htmx, and the folder in it."""

_VENDORED = {"htmx.js": "htmx-2.min.js"}


@cache
def asset(name: str) -> str:
    """The address of a file, such as `console.css`. OSError when there is no such file."""
    if vendored := _VENDORED.get(name):
        return _tagged(f"/vendor/{vendored}", files(VENDOR[0]).joinpath(VENDOR[1], vendored).read_bytes())
    return _tagged(f"/static/{name}", (STATIC / name).read_bytes())


def _tagged(address: str, content: bytes) -> str:
    return f"{address}?v={hashlib.sha256(content).hexdigest()[:12]}"
