"""Two futures of one contract, side by side: what is only in one of them, and what is on another day or of another
size."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

from domain.base import Frozen
from starter.simulation.life import Future
from starter.simulation.lines import Line


class Changed(Frozen):
    """The same fact in both futures, in other words or on another day."""

    without: Line
    instead: Line


class Difference(Frozen):
    """`without`: only as it is now; `instead`: only with what was asked."""

    contract: str
    begins: date
    until: date
    without: tuple[Line, ...]
    instead: tuple[Line, ...]
    changed: tuple[Changed, ...]

    def __bool__(self) -> bool:
        return bool(self.without or self.instead or self.changed)


def difference(without: Future, instead: Future) -> Difference:
    """What differs, in order. A fact is the same by its key; what stands under one key more than once, such as a level,
    is not compared with itself of another day."""
    common = Counter(without.lines) & Counter(instead.lines)
    before, after = _beside(without.lines, common), _beside(instead.lines, common)
    often = {key for future in (without, instead) for key, times in _times(future.lines).items() if times > 1}
    moved = (before.keys() & after.keys()) - often
    return Difference(
        contract=without.contract,
        begins=without.begins,
        until=without.until,
        without=_in_place(line for key, lines in before.items() if key not in moved for line in lines),
        instead=_in_place(line for key, lines in after.items() if key not in moved for line in lines),
        changed=tuple(
            sorted(
                (Changed(without=before[key][0], instead=after[key][0]) for key in moved),
                key=lambda each: min(_place(each.without), _place(each.instead)),
            )
        ),
    )


def unified(found: Difference) -> list[tuple[str, Line]]:
    """As one listing by date: "-" is only so without, "+" only with what was asked; a changed fact has both."""
    blocks: list[tuple[tuple[date, str], list[tuple[str, Line]]]] = []
    blocks += [(_place(each), [("-", each)]) for each in found.without]
    blocks += [(_place(each), [("+", each)]) for each in found.instead]
    blocks += [
        (min(_place(each.without), _place(each.instead)), [("-", each.without), ("+", each.instead)])
        for each in found.changed
    ]
    return [line for _, block in sorted(blocks, key=lambda block: block[0]) for line in block]


def _beside(lines: Iterable[Line], common: Counter[Line]) -> dict[str, list[Line]]:
    """By key, what is not in both."""
    left, found = Counter(common), defaultdict(list)
    for line in lines:
        if left[line] > 0:
            left[line] -= 1
        else:
            found[line.key].append(line)
    return found


def _times(lines: Iterable[Line]) -> Counter[str]:
    return Counter(line.key for line in lines)


def _in_place(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=_place))


def _place(line: Line) -> tuple[date, str]:
    return line.on, line.key
