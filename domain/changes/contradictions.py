"""What can't be true at the same time: amendments against the order of their days, past a move or a term's end, and a
renewal that changes what is not there any more."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from domain import keys
from domain.changes.kinds import Undo
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription, Step


def check_won(state: LifecycleState, after: LifecycleState, key: str) -> None:
    """Raises Refused where the amendment of a won deal, on its way under `key` in `after`, contradicts what was decided
    before: a quantity would be wrong, and nobody would hear of it."""
    for step in _steps(after.queue):
        if step.key == key:
            check_order(state, _amendment(step, key).lines, step.effective)
    check_nothing_new(state, after)


def check_nothing_new(state: LifecycleState, after: LifecycleState) -> None:
    """Raises Refused for a contradiction that is not there already: an older contract may hold some."""
    was = set(_contradictions(state))
    for what in _contradictions(after):
        if what not in was:
            raise Refused(what)


def check_order(state: LifecycleState, lines: Collection[str], effective: date) -> None:
    """The targets of a line are in the order of their days: what is decided later counts from that day or a later."""
    for made in _amendments(state):
        for line in sorted(made.lines & set(lines)):
            if effective < made.on:
                raise Refused(
                    f"{made.name} changes line {line} from {made.on} on: name a day from then on{made.undone}"
                )


class _Amendment(NamedTuple):
    """One that stands: what changes which lines, from which day on. `undone`: how it could be gone."""

    name: str
    on: date
    lines: frozenset[str]
    undone: str = ""

    @property
    def effective(self) -> str:
        return f"{self.name} is effective on {self.on}"


def _amendments(state: LifecycleState) -> Iterator[_Amendment]:
    """Those that were made as changes, or that deals won for a day of their own; of others, those on their way."""
    ours = {step.key for record in state.changes for step in record.steps}
    stands = [record for record in state.changes if record.undone_by is None and not isinstance(record.change, Undo)]
    for record in stands:
        yield from (_amendment(step, record.id, f", or undo {record.id} first") for step in _steps(record.steps))
    for step in _steps((*state.queue, *state.doubts.values())):
        if step.key not in ours:
            yield _amendment(step, step.key)
    waiting = {step.key for step in (*state.queue, *state.doubts.values())}
    for key, won in state.won.items():
        if key not in waiting:
            yield _Amendment(key, won.on, frozenset(won.lines))


def _amendment(step: AmendSubscription, name: str, undone: str = "") -> _Amendment:
    return _Amendment(name, step.effective, frozenset({*step.quantities, *step.added, *step.removed}), undone)


def _steps(steps: Iterable[Step]) -> Iterator[AmendSubscription]:
    return (step for step in steps if isinstance(step, AmendSubscription))


def _contradictions(state: LifecycleState) -> Iterator[str]:
    """In words, each with what to do first. An older contract may hold some: only what a change adds is refused."""
    if state.sheet is None or state.activated_on is None:
        return
    term, moving = state.term_now(), state.moving
    renewal = keys.renewal_amendment(state.contract, state.term + 1)
    amendments = [made for made in _amendments(state) if made.name != renewal]
    if moving is not None:
        for made in amendments:
            if made.on > moving.on:
                yield f"{made.effective}, and it would move on {moving.on}: choose another day{made.undone}"
    if term is None or term.ends is None:
        return
    for made in amendments:
        if made.on >= term.ends:
            yield f"{made.effective}, and the term would be over on {term.ends}: choose another day{made.undone}"
    if moving is not None and moving.on >= term.ends:
        yield f"it moves on {moving.on}, and the term would be over on {term.ends}: undo the move first"
    yield from _at_renewal(state, term.ends)


def _at_renewal(state: LifecycleState, ends: date) -> Iterator[str]:
    """What changes with the next term must be there then."""
    agreed, decided = state.at_renewal, state.decision.quantities if state.decision else {}
    there = {line.id for line in state.known.lines if line.ends is None or line.ends > ends}
    for line in dict.fromkeys((*agreed.quantities, *agreed.removed)):
        if line not in there:
            yield (
                f"line {line} changes with the renewal on {ends}, and would be over by then: "
                f"tenure amend --at-renewal --keep {line} first"
            )
    for line in decided:
        if line not in there:
            yield f"line {line} is renewed from {ends} on, and would be over by then"
    if agreed.removed and not agreed.added and there <= set(agreed.removed):
        yield f"no line would be left from the renewal on {ends}: end the contract instead"
