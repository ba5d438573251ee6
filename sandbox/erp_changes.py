"""What becomes of an active subscription: other quantities and lines, another end, another term, its end."""

from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, Field, model_validator

from sandbox.api import Answer, Api, Call, refused
from sandbox.box import Box
from sandbox.erp import NewLine, active, change, log, named, sold, subscription_of
from sandbox.erp_books import books_open
from sandbox.store import Record

api = Api("erp")


class Amendment(BaseModel):
    effective: date
    quantities: dict[str, Decimal] = {}
    added: list[NewLine] = []
    removed: list[str] = []

    @model_validator(mode="after")
    def _amends(self) -> Self:
        if not (self.quantities or self.added or self.removed):
            raise ValueError("nothing is amended")
        return self


class TermChange(BaseModel):
    """`ends` null: the subscription has no end any more."""

    ends: date | None
    reason: str


class Renewal(BaseModel):
    term: int = Field(ge=2)
    starts: date
    ends: date | None
    purchase_order: str | None = None


class Ending(BaseModel):
    ends: date
    reason: str


class Cancellation(BaseModel):
    reason: str


@api.operation("POST", "/subscriptions/{subscription}/amend", keyed=True)
def amend_subscription(box: Box, call: Call) -> Answer:
    """Quantities are targets, by line id. A removed line stays, with its last day; it is added again from that day."""
    asked, subscription = Amendment.model_validate(call.fields()), active(box, call)
    books_open(box, asked.effective)
    lines = {line["id"]: dict(line) for line in subscription["lines"]}
    if not set(asked.quantities) | set(asked.removed) <= set(lines):
        raise refused("the subscription has no such line")
    for line, quantity in asked.quantities.items():
        lines[line] |= {"quantity": str(quantity), "quantity_since": asked.effective.isoformat()}
    for line in asked.removed:
        if lines[line]["ends"] is not None and lines[line]["ends"] <= asked.effective.isoformat():
            raise refused(f"the line {line} ends on {lines[line]['ends']} already")
        lines[line]["ends"] = max(asked.effective.isoformat(), lines[line]["starts"] or "")
    for new in asked.added:
        if new.id in lines:
            lines[new.id] = _again(lines[new.id], new, asked.effective)
        else:
            lines[new.id] = sold(new) | {"starts": str(new.starts or asked.effective)}
    change(box, subscription, lines=list(lines.values()))
    return log(box, "amendments", "amd", subscription, asked)


def _again(line: Record, new: NewLine, effective: date) -> Record:
    """The line whose removal on that day is taken back; it goes on as it was."""
    removed = max(effective.isoformat(), line["starts"] or "")
    if (line["ends"], line["product"]) != (removed, new.product):
        raise refused(f"the subscription has a line {new.id} already")
    return {**line, "ends": new.ends.isoformat() if new.ends else None}


@api.operation("POST", "/subscriptions/{subscription}/term", keyed=True)
def change_term(box: Box, call: Call) -> Answer:
    """Another end of the same term. What is billed already, this ERP takes to begin with a line's billing start."""
    asked, subscription = TermChange.model_validate(call.fields()), active(box, call)
    if asked.ends is not None:
        books_open(box, asked.ends)
        ends = asked.ends.isoformat()
        if ends <= subscription["starts"]:
            raise refused(f"the term would end before it starts, on {subscription['starts']}")
        billed = [line["billing_starts"] for line in subscription["lines"] if line["billing_starts"]]
        if billed and ends <= max(billed):
            raise refused(f"billing of a line starts on {max(billed)}, which would be after the end")
    change(box, subscription, ends=asked.ends.isoformat() if asked.ends else None)
    return log(box, "term_changes", "trm", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/renew", keyed=True)
def renew_subscription(box: Box, call: Call) -> Answer:
    """Into a term that ends, or into one without end."""
    asked, subscription = Renewal.model_validate(call.fields()), active(box, call)
    if asked.ends is not None and asked.ends <= asked.starts:
        raise refused("a term must end after its start")
    ends = asked.ends.isoformat() if asked.ends else None
    change(box, subscription, term=asked.term, ends=ends, **named(asked.purchase_order))
    return log(box, "renewals", "ren", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/end", keyed=True)
def end_subscription(box: Box, call: Call) -> Answer:
    asked, subscription = Ending.model_validate(call.fields()), active(box, call)
    books_open(box, asked.ends)
    change(box, subscription, status="ended", ends=asked.ends.isoformat())
    return log(box, "endings", "end", subscription, asked)


@api.operation("POST", "/subscriptions/{subscription}/cancel", keyed=True)
def cancel_subscription(box: Box, call: Call) -> Answer:
    """Also of a draft: what was never active can be cancelled."""
    asked, subscription = Cancellation.model_validate(call.fields()), subscription_of(box, call)
    if subscription["status"] in ("ended", "cancelled"):
        raise refused(f"the subscription is {subscription['status']}", 409)
    change(box, subscription, status="cancelled")
    return log(box, "cancellations", "can", subscription, asked)
