"""The auditor: knows what came in, what the outside systems hold, and nothing of Tenure but its list of open cases."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.faults.lives import SEATED, Life, Promise, promise
from bench.faults.outside import Document, Outside

Held = Mapping[tuple[str, str], list[Document]]

LOGGED = (("erp", "activations"), ("erp", "amendments"), ("erp", "billing_starts"), ("erp", "renewals"))
"""What an ERP logs of each thing done; after a repair the state is right, and the log tells another way there."""
ORDER = (
    (("erp", "customers"), ("erp", "subscriptions"), ("erp", "activations"), ("erp", "billing_starts")),
    (("erp", "activations"), ("erp", "amendments")),
    (("erp", "activations"), ("erp", "renewals")),
    (("erp", "activations"), ("cs", "plans")),
    (("cs", "companies"), ("cs", "plans")),
    (("cs", "companies"), ("cs", "playbooks")),
    (("erp", "activations"), ("crm", "renewal opportunities")),
)
"""What is made later must not come before the first of what it rests on."""


@dataclass(frozen=True)
class Finding:
    """What is not as it should be. `kind`: doubled, missing, order, lost event, state, stuck, workflow."""

    kind: str
    contract: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.contract}: {self.what}"


def audit(
    outside: Outside,
    lives: Sequence[Life],
    cases: Mapping[str, Sequence[str]],
    failures: Collection[str] = (),
    repaired: Collection[str] = (),
) -> list[Finding]:
    """Everything that breaks a promise. `cases`: the open ones, by contract. `failures`: of workflow tasks.
    `repaired`: contracts that an outside system had forgotten a part of: there the state counts, not the way to it."""
    found = [Finding("workflow", "", failure) for failure in failures]
    for life in lives:
        wrong = list(_of_life(outside.of(life), life, again=life.contract in repaired))
        found += wrong
        open_cases = list(cases.get(life.contract, ()))
        short = any(each.kind in ("missing", "lost event", "state") for each in wrong)
        if (short or promise(life).waits) and not open_cases:
            found.append(Finding("stuck", life.contract, "it does not come to its end, and no case says so"))
        if open_cases and not promise(life).waits:
            found.append(Finding("stuck", life.contract, f"a case is still open: {'; '.join(open_cases)}"))
    return found


def _of_life(held: Held, life: Life, *, again: bool) -> Iterator[Finding]:
    promised = promise(life)
    yield from _counts(held, life, promised, again)
    if not again:
        yield from _order(held, life)
    if not promised.waits:
        yield from _state(held, life, promised)


def _counts(held: Held, life: Life, promised: Promise, again: bool) -> Iterator[Finding]:
    for place, wanted in promised.counts.items():
        if again and place in LOGGED:
            continue
        system, kind = place
        found = len(held.get(place, ()))
        if found > wanted:
            yield Finding("doubled", life.contract, f"{found} {kind} in {system}, not {wanted}")
        elif found < wanted:
            events = sorted(event for event, caused in promised.events.items() if caused == place)
            said = f"{found} {kind} in {system}, not {wanted}"
            missing = f"{said}; told by {', '.join(events)}" if events else said
            yield Finding("lost event" if events else "missing", life.contract, missing)
    lines = Counter(str(each.record["line"]) for each in held.get(("erp", "billing_starts"), ()))
    for line, times in lines.items():
        if times > 1 and not again:
            yield Finding("doubled", life.contract, f"line {line} is billed {times} times")
    notes = Counter(str(each.record["text"]) for each in held.get(("cs", "notes"), ()))
    if notes and max(notes.values()) > 1:
        yield Finding("doubled", life.contract, "a note was posted twice")


def _order(held: Held, life: Life) -> Iterator[Finding]:
    for chain in ORDER:
        for before, after in pairwise(chain):
            first, second = held.get(before, ()), held.get(after, ())
            if second and (not first or min(each.n for each in second) < min(each.n for each in first)):
                yield Finding("order", life.contract, f"{after[1]} came before {before[1]}")


def _state(held: Held, life: Life, promised: Promise) -> Iterator[Finding]:
    for each in held.get(("erp", "subscriptions"), ())[:1]:
        record = each.record
        if record["status"] != "active":
            yield Finding("state", life.contract, f"the subscription is {record['status']}")
        if (term := record.get("term", 1)) != promised.term:
            yield Finding("state", life.contract, f"the subscription is in term {term}, not {promised.term}")
        billed = {line["product"] for line in record["lines"] if line["billing_starts"]}
        if billed != promised.billed:
            yield Finding("state", life.contract, f"billed are {sorted(billed)}, not {sorted(promised.billed)}")
        seats = next((line["quantity"] for line in record["lines"] if line["product"] == SEATED), "none")
        if not _same(seats, promised.seats):
            yield Finding("state", life.contract, f"{seats} seats, not {promised.seats}")
    risks = {str(each.record["risk"]) for each in held.get(("cs", "health"), ())}
    if promised.risk is not None and risks != {promised.risk}:
        yield Finding("state", life.contract, f"CS shows the risk {sorted(risks)}, not {promised.risk}")


def _same(text: str, number: int) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False
