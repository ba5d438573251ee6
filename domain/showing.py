"""What a lifecycle looks like once a step is done, worked out by whoever performs it."""

import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from datetime import datetime

from domain import outcomes, projection
from domain.books import Shows
from domain.state import LifecycleState
from domain.steps import Performed, Step
from domain.view import LifecycleView

# What moves with every event and every second is no news alone. Nor is what never moves alone: a history holds the face
# of its time, and one with another field in it would have the view kept anew on replay.
NO_NEWS = {"as_of", "last_seq", "renewed_until"}

_DEFAULTS = LifecycleState(tenant="", contract="").model_dump(mode="json")


def packed(state: LifecycleState) -> str:
    """The state without what is at its default, compressed: nobody reads it, and a history keeps it for years."""
    dumped = state.model_dump(mode="json")
    news = {name: value for name, value in dumped.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
    return b64encode(zlib.compress(json.dumps(news, separators=(",", ":")).encode())).decode()


def unpacked(state: str) -> bytes:
    """The JSON of a packed state."""
    return zlib.decompress(b64decode(state))


def view_after(shows: Shows, step: Step, performed: Performed, now: datetime) -> LifecycleView:
    """The view that follows from the step's success, if nothing else has happened meanwhile."""
    state = LifecycleState.model_validate_json(unpacked(shows.state))
    outcomes.done(state, step, performed, now)
    return projection.view(state, now)


def face(view: LifecycleView) -> str:
    """What of a view is news, in short."""
    return hashlib.sha256(view.model_dump_json(exclude=NO_NEWS).encode()).hexdigest()[:16]
