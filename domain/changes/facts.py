"""The facts of a lifecycle that changes touch, as a flat list of paths: compared, recorded, and put back."""

from datetime import date
from decimal import Decimal
from typing import Any

from domain.base import Frozen
from domain.changes.kinds import AtRenewal, Moving
from domain.state import Decision, LifecycleState
from domain.terms import LineTerms


class Facts(Frozen):
    """Named as in the state; `lines` are the sheet's, by id."""

    quantities: dict[str, Decimal]
    lines: dict[str, LineTerms]
    moved: dict[int, date]
    decision: Decision | None
    at_renewal: AtRenewal
    window_opened: int
    ends_on: date | None
    end_reason: str
    paused: str | None
    paused_until: date | None
    cancelled: str | None
    moving: Moving | None


_MAPS = ("quantities", "lines", "moved")


def facts_of(state: LifecycleState) -> dict[str, Any]:
    """Path to JSON value; an entry of a map is a path of its own ("quantities/2")."""
    facts = Facts(
        lines={line.id: line for line in (state.sheet.lines if state.sheet else ())},
        **{name: getattr(state, name) for name in Facts.model_fields if name != "lines"},
    )
    flat: dict[str, Any] = {}
    for name, value in facts.model_dump(mode="json").items():
        flat.update({f"{name}/{key}": entry for key, entry in value.items()} if name in _MAPS else {name: value})
    return flat


def put_back(state: LifecycleState, values: dict[str, Any], absent: set[str]) -> None:
    """Set the facts at these paths, and take those of `absent` away."""
    flat = {path: value for path, value in (facts_of(state) | values).items() if path not in absent}
    tree: dict[str, Any] = {name: {} for name in _MAPS}
    for path, value in flat.items():
        name, _, key = path.partition("/")
        if name in _MAPS:
            tree[name][key] = value
        else:
            tree[name] = value
    facts = Facts.model_validate(tree)
    if state.sheet is not None:
        state.sheet = state.sheet.model_copy(update={"lines": tuple(facts.lines.values())})
    for name in Facts.model_fields:
        if name != "lines":
            setattr(state, name, getattr(facts, name))


def touched(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs, on both sides. A path that is missing on a side was not there."""
    paths = [path for path in {**before, **after} if before.get(path, ...) != after.get(path, ...)]
    return (
        {path: before[path] for path in paths if path in before},
        {path: after[path] for path in paths if path in after},
    )
