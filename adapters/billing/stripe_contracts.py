"""A contract as Stripe keeps it for us: a record in metadata, and what follows from it for each line's schedule."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal, Self

from pydantic import BaseModel

from adapters.billing.stripe_values import CONTRACT, LONGEST_VALUE, fits
from adapters.http import Json
from domain.base import Frozen
from domain.errors import InvalidInput, Rejected
from domain.ports import NewSubscription, SubscriptionLine
from domain.terms import ChargeType, Frequency

MOST_LINES = 30
TOO_MANY_LINES = f"Stripe's metadata hold at most {MOST_LINES} lines of a contract, with those that were removed"
LOGS = 4
"""Values that hold the marks of what was done: a hundred, of which the oldest go first."""
_MARK = 19
_PER_LOG = LONGEST_VALUE // (_MARK + 1)

LETTERS = {
    "activate_order": "a", "start_billing": "b", "amend_subscription": "m", "renew_subscription": "r",
    "end_subscription": "e", "cancel_subscription": "c", "change_term": "t",
}  # fmt: skip

Status = Literal["draft", "active", "ended", "cancelled"]


class Billed(Frozen):
    """`by`: the schedule or invoice that bills the line; `mark`: the key and arguments that started it."""

    starts: date
    accepted_on: date
    by: str
    mark: str

    @property
    def scheduled(self) -> bool:
        return self.by.startswith("sub_sched_")


class Line(Frozen):
    """`quantities`: from which day on which one holds, the first from the beginning. `[starts, ends)` are its own days,
    None where they are the contract's."""

    id: str
    product: str
    unit_price: Decimal | None
    charge: ChargeType
    frequency: Frequency
    quantities: tuple[tuple[date, Decimal], ...]
    billed: Billed | None = None
    starts: date | None = None
    ends: date | None = None

    @property
    def recurs(self) -> bool:
        return self.frequency is not Frequency.ONCE

    def billing(self) -> Billed:
        """Raises Rejected while it is not billed."""
        if self.billed is None:
            raise Rejected(f"line {self.id} is not billed")
        return self.billed

    def billed_by(self, schedule: str) -> "Line":
        return self.model_copy(update={"billed": self.billing().model_copy(update={"by": schedule})})

    def quantity(self, on: date) -> Decimal:
        reached = [quantity for since, quantity in self.quantities if since <= on]
        return reached[-1] if reached else self.quantities[0][1]

    def amended(self, effective: date, quantity: Decimal, today: date) -> "Line":
        """A target from a day on, until one that is set for a day to come. What is over is forgotten."""
        last = max(effective, today)
        kept = [(since, each) for since, each in self.quantities if since < effective or since > last]
        ordered = sorted([*kept, (effective, quantity)])
        reached = sum(1 for since, _ in ordered if since <= today)
        return self.model_copy(update={"quantities": tuple(ordered[max(reached - 1, 0) :])})


class Contract(Frozen):
    """`[starts, ends)` is the time that is agreed so far, `term_starts` the first day of its last term,
    `reason` why it was ended or cancelled."""

    id: str
    contract: str
    customer: str
    selling_entity: str
    currency: str
    payment_days: int
    purchase_order: str | None
    status: Status
    starts: date | None
    ends: date | None
    term_starts: date | None
    arguments: str
    lines: tuple[Line, ...]
    marks: tuple[str, ...] = ()
    reason: str = ""

    def line(self, line_id: str) -> Line:
        for line in self.lines:
            if line.id == line_id:
                return line
        raise Rejected(f"the subscription has no line {line_id}")

    def naming(self, purchase_order: str | None) -> "Contract":
        """With another purchase order, where one is told."""
        return self.model_copy(update={"purchase_order": purchase_order}) if purchase_order else self

    def of(self, line: Line) -> "Contract":
        """What of the contract holds for a line: it ends with the line, where that is over before."""
        last = min((day for day in (self.ends, line.ends) if day is not None), default=None)
        return self.model_copy(update={"ends": last})

    def removed(self, line_id: str, effective: date) -> "Contract":
        """Without a line from a day on; of one that would begin later, nothing is left."""
        line = self.line(line_id)
        if line.ends is not None and line.ends <= effective:
            raise Rejected(f"line {line_id} ends on {line.ends} already")
        return self.with_line(line.model_copy(update={"ends": max(effective, line.starts or effective)}))

    def added(self, new: SubscriptionLine, effective: date, today: date) -> "Contract":
        """With a line more; or with one that was to be removed on that day, and goes on as it was."""
        sold = _line_sold(new).model_copy(update={"starts": new.starts or effective})
        there = next((line for line in self.lines if line.id == new.id), None)
        if there is None:
            if len(self.lines) >= MOST_LINES:
                raise InvalidInput(TOO_MANY_LINES)
            return self.model_copy(update={"lines": (*self.lines, sold)})
        removed = max(effective, there.starts or effective)
        if (there.ends, there.product) != (removed, new.product):
            raise Rejected(f"the subscription has a line {new.id} already")
        if there.billed is not None and removed <= max(today, there.billed.starts):
            raise Rejected(f"line {new.id} has ended at Stripe, which can't be taken back; add it under another id")
        return self.with_line(there.model_copy(update={"ends": new.ends}))

    def with_line(self, changed: Line) -> "Contract":
        lines = tuple(changed if line.id == changed.id else line for line in self.lines)
        return self.model_copy(update={"lines": lines})

    def require(self, *statuses: Status) -> None:
        if self.status not in statuses:
            raise Rejected(f"the subscription is {self.status}, not {' or '.join(statuses)}")

    def did(self, mark: str) -> bool:
        """Whether this was done. Raises Rejected when it was done under this key with other arguments."""
        return any(same_key(done, mark) for done in self.marks)

    def marked(self, mark: str) -> "Contract":
        return self.model_copy(update={"marks": (*self.marks, mark)[-LOGS * _PER_LOG :]})

    @classmethod
    def sold(cls, record_id: str, new: NewSubscription) -> Self:
        """What a new subscription is at first. Raises InvalidInput for what Stripe can't hold."""
        if len(new.lines) > MOST_LINES:
            raise InvalidInput(TOO_MANY_LINES)
        return cls(
            id=record_id,
            contract=new.contract,
            customer=new.customer,
            selling_entity=new.selling_entity,
            currency=new.currency,
            payment_days=new.payment_terms_days,
            purchase_order=new.purchase_order,
            status="draft",
            starts=new.starts,
            ends=new.ends,
            term_starts=new.starts,
            arguments=fingerprint(new),
            lines=tuple(_line_sold(line) for line in new.lines),
        )

    @classmethod
    def read(cls, record_id: str, metadata: Mapping[str, str]) -> Self:
        """Of the metadata of a record. Raises KeyError and ValueError for what is no record of ours."""
        lines = [_line_read(json.loads(metadata[name])) for name in sorted(metadata) if name.startswith("line_")]
        marks = " ".join(metadata[name] for name in sorted(metadata) if name.startswith("done_"))
        return cls.model_validate({
            "id": record_id,
            "contract": metadata[CONTRACT],
            "customer": metadata["customer"],
            "selling_entity": metadata["selling_entity"],
            "currency": metadata["currency"],
            "payment_days": metadata["payment_days"],
            "purchase_order": metadata.get("purchase_order") or None,
            "status": metadata["status"],
            "starts": metadata.get("starts") or None,
            "ends": metadata.get("ends") or None,
            "term_starts": metadata.get("term_starts") or None,
            "arguments": metadata["arguments"],
            "lines": lines,
            "marks": marks.split(),
            "reason": metadata.get("reason", ""),
        })  # fmt: skip

    def metadata(self) -> dict[str, str]:
        """Every key that a record can have, so that what no longer holds is unset by an empty value."""
        said = {
            CONTRACT: self.contract,
            "customer": self.customer,
            "selling_entity": self.selling_entity,
            "currency": self.currency,
            "payment_days": str(self.payment_days),
            "purchase_order": self.purchase_order or "",
            "status": self.status,
            "starts": _text(self.starts),
            "ends": _text(self.ends),
            "term_starts": _text(self.term_starts),
            "arguments": self.arguments,
            "reason": self.reason[:LONGEST_VALUE],
        }
        said |= {f"line_{n:02d}": _line_text(line) for n, line in enumerate(self.lines)}
        for n in range(LOGS):
            said[f"done_{n}"] = " ".join(self.marks[n * _PER_LOG : (n + 1) * _PER_LOG])
        return {name: fits(value, name) for name, value in said.items()}

    def changes(self, before: "Contract") -> dict[str, str]:
        was = before.metadata()
        return {name: value for name, value in self.metadata().items() if was.get(name) != value}


def mark_of(operation: str, key: str, arguments: BaseModel | str) -> str:
    """One thing that was done, by a letter, its key and its arguments."""
    return LETTERS[operation] + hashlib.sha256(key.encode()).hexdigest()[:10] + fingerprint(arguments)[:8]


def same_key(done: str, mark: str) -> bool:
    """Raises Rejected where a key was used with other arguments."""
    if done[:11] != mark[:11]:
        return False
    if done != mark:
        raise Rejected("this key is done with other arguments; a new intention needs a new key")
    return True


def fingerprint(arguments: BaseModel | str) -> str:
    text = arguments if isinstance(arguments, str) else arguments.model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _line_sold(line: SubscriptionLine) -> Line:
    sold = Line(
        id=line.id,
        product=line.product,
        unit_price=line.unit_price,
        charge=line.charge,
        frequency=line.frequency,
        quantities=((date.min, line.quantity),),
        starts=line.starts,
        ends=line.ends,
    )
    if len(_line_text(sold)) > LONGEST_VALUE // 2:
        raise InvalidInput(f"line {line.id[:40]}: its id and product are too long for Stripe's metadata")
    return sold


def _line_text(line: Line) -> str:
    price = None if line.unit_price is None else str(line.unit_price)
    said: Json = {"i": line.id, "p": line.product, "u": price, "c": line.charge.value, "f": line.frequency.value}
    said["q"] = [["" if since == date.min else since.isoformat(), str(each)] for since, each in line.quantities]
    said |= {name: day.isoformat() for name, day in (("s", line.starts), ("e", line.ends)) if day is not None}
    if line.billed is not None:
        started = line.billed
        said["b"] = [started.starts.isoformat(), started.accepted_on.isoformat(), started.by, started.mark]
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _line_read(said: Json) -> Json:
    billed = dict(zip(("starts", "accepted_on", "by", "mark"), said["b"], strict=True)) if "b" in said else None
    return {
        "id": said["i"],
        "product": said["p"],
        "unit_price": said["u"],
        "charge": said["c"],
        "frequency": said["f"],
        "quantities": [[since or date.min.isoformat(), each] for since, each in said["q"]],
        "billed": billed,
        "starts": said.get("s"),
        "ends": said.get("e"),
    }


def _text(day: date | None) -> str:
    return "" if day is None else day.isoformat()
