"""What is counted at an outside system's door."""

from collections.abc import Sequence


def most_in_a_second(calls: Sequence[float]) -> int:
    """The most calls that any one second saw, wherever it begins; `calls` in seconds."""
    ordered = sorted(calls)
    return max((sum(begin <= at < begin + 1 for at in ordered[n:]) for n, begin in enumerate(ordered)), default=0)
