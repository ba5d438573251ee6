"""A subscription that the recording ERP keeps: what is billed of it, its lines and its end."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from domain.errors import Rejected
from domain.ports import Amendment, BillingStart, LineState, NewSubscription, SubscriptionLine, SubscriptionState
from domain.ports.prices import PricedLine, PricedState
from domain.terms import ChargeType


@dataclass
class Subscription:
    """`billed`: by line, the first billed day and the day of acceptance."""

    id: str
    facts: NewSubscription
    starts: date | None
    ends: date | None
    status: Literal["draft", "active", "ended", "cancelled"] = "draft"
    billed: dict[str, tuple[date, date]] = field(default_factory=dict)

    def state(self, today: date) -> SubscriptionState:
        runs = self.starts is not None and self.starts <= today and (self.ends is None or today < self.ends)
        return SubscriptionState(
            id=self.id,
            status=self.status,
            entitled=runs and self.status in ("active", "ended"),
            starts=self.starts,
            ends=self.ends,
            lines=tuple(self._line(line.id, today) for line in self.facts.lines),
        )

    def _line(self, line: str, today: date) -> LineState:
        sold = next(each for each in self.facts.lines if each.id == line)
        billed_from, accepted_on = self.billed.get(line, (None, None))
        return LineState(
            line=line,
            quantity=sold.quantity,
            billed_from=billed_from,
            accepted_on=accepted_on,
            revenue=self._revenue(accepted_on, sold, today),
            starts=sold.starts,
            ends=sold.ends,
        )

    def priced(self, today: date) -> PricedState:
        sold = {line.id: line for line in self.facts.lines}
        state = self.state(today)
        lines = tuple(_priced(sold[line.line], line) for line in state.lines)
        return PricedState(**dict(state) | {"lines": lines}, currency=self.facts.currency)

    def bill(self, start: BillingStart) -> None:
        line = next((each for each in self.facts.lines if each.id == start.line), None)
        if line is None:
            raise Rejected("the subscription has no such line")
        ends = line.ends or self.ends
        if (line.starts and start.starts < line.starts) or (ends and start.starts >= ends):
            raise Rejected(f"the line runs from {line.starts or self.starts} until {ends or 'it is ended'}")
        self.billed[start.line] = (start.starts, start.accepted_on)

    def amend(self, amendment: Amendment) -> None:
        """Quantities are targets. A removed line stays, with its last day; it is added again from that day."""
        lines, on = {line.id: line for line in self.facts.lines}, amendment.effective
        if not set(amendment.quantities) | set(amendment.removed) <= set(lines):
            raise Rejected("the subscription has no such line")
        for line, quantity in amendment.quantities.items():
            lines[line] = lines[line].model_copy(update={"quantity": quantity})
        for line in amendment.removed:
            former = lines[line]
            if former.ends is not None and former.ends <= on:
                raise Rejected(f"the line {line} ends on {former.ends} already")
            lines[line] = former.model_copy(update={"ends": max(on, former.starts or on)})
        for new in amendment.added:
            there = lines.get(new.id)
            if there is None:
                lines[new.id] = new.model_copy(update={"starts": new.starts or on})
            elif (there.ends, there.product) != (max(on, there.starts or on), new.product):
                raise Rejected(f"the subscription has a line {new.id} already")
            else:  # its removal is taken back
                lines[new.id] = there.model_copy(update={"ends": new.ends})
        self.facts = self.facts.model_copy(update={"lines": tuple(lines.values())})

    def move_end(self, ends: date | None) -> None:
        if ends is not None and self.starts is not None and ends <= self.starts:
            raise Rejected(f"the term would end before it starts, on {self.starts}")
        begun = [starts for starts, _ in self.billed.values()]
        if ends is not None and begun and ends <= max(begun):
            raise Rejected(f"billing of a line starts on {max(begun)}, which would be after the end")
        self.ends = ends

    def _revenue(
        self, accepted: date | None, sold: SubscriptionLine, today: date
    ) -> Literal["none", "scheduled", "running", "complete"]:
        if accepted is None:
            return "none"
        if today < accepted:
            return "scheduled"
        ends = sold.ends or self.ends
        delivered = sold.charge is ChargeType.ONE_TIME or (ends is not None and ends <= today)
        return "complete" if delivered else "running"


def _priced(sold: SubscriptionLine, state: LineState) -> PricedLine:
    told = sold.unit_price is not None and sold.charge is not ChargeType.USAGE
    amount = sold.quantity * sold.unit_price if told and sold.unit_price is not None else None
    return PricedLine(**dict(state), charge=sold.charge, frequency=sold.frequency, amount=amount)
