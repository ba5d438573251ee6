"""What a line of a contract is as a subscription schedule: its phases follow from the contract, whole, every time."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from dateutil.relativedelta import relativedelta

from adapters.billing.stripe_contracts import Contract, Line, fingerprint
from adapters.billing.stripe_values import (
    CONTRACT,
    CUSTOMER,
    INTERVALS,
    KEY,
    LINE,
    SUBSCRIPTION,
    Days,
    metadata_of,
    minor,
    whole,
)
from adapters.http import Json
from domain.terms import ChargeType

MARK = "tenure_mark"
REVISION, SHAPE = "tenure_revision", "tenure_shape"
LONGEST_LOOKUP_KEY = 200
_OVER = ("canceled", "completed")


@dataclass(frozen=True)
class Billing:
    """How a connection bills. `collection`: how invoices are paid; `tax`: whether Stripe Tax works it out."""

    days: Days
    collection: Literal["send_invoice", "charge_automatically"] = "send_invoice"
    tax: bool = False

    def created(self, contract: Contract, line: Line, item: Json, starts: date, *, key: str, mark: str) -> Json:
        """The parameters of a new schedule, from a day on; one that is past is billed from then all the same."""
        metadata = {**of_line(contract, line), KEY: key, MARK: mark}
        return {
            "customer": contract.customer,
            "start_date": self.days.start(starts),
            "end_behavior": _end(contract),
            "default_settings": self._settings(contract),
            "metadata": metadata,
            "phases": self._phases(contract, line, item, starts, None, None),
        }

    def updated(self, contract: Contract, line: Line, schedule: Json, at: datetime) -> Json | None:
        """What changes a schedule that is not over to what the contract says; None when it was changed so already. The
        phase that runs can't be moved, and the price stays: another one would be prorated against it.

        Its revision counts, so that a change back, and the same change again, are other requests than the first.
        """
        running, item = schedule["current_phase"], {"price": schedule["phases"][-1]["items"][0]["price"]}
        if running is None:
            began = schedule["phases"][0]["start_date"]
            phases = self._phases(contract, line, item, self.days.of(began), began, None)
        else:
            today = self.days.today(at)
            phases = self._phases(contract, line, item, today, running["start_date"], running["end_date"])
        before = metadata_of(schedule)
        wanted: Json = {"end_behavior": _end(contract), "phases": phases}
        if contract.purchase_order:  # it may be another one since
            wanted["default_settings"] = self._settings(contract)
        shape = fingerprint(json.dumps(wanted, sort_keys=True))
        if before.get(SHAPE) == shape:
            return None
        revision = int(before.get(REVISION, 0)) + 1
        metadata = {**of_line(contract, line), REVISION: str(revision), SHAPE: shape}
        return {**wanted, "proration_behavior": "create_prorations", "metadata": metadata}

    def ends_now(self, contract: Contract, at: datetime) -> bool:
        return contract.ends is not None and self.days.start(contract.ends) <= at.timestamp()

    def price(self, contract: Contract, line: Line, unit_price: Decimal, product: str) -> Json:
        """The price that the line was sold for, once an interval. All lines that were sold for the same share it."""
        interval, count = INTERVALS[line.frequency]
        price = _priced(contract, unit_price, product)
        told = f"tenure:{product}:{price['currency']}:{price['unit_amount_decimal']}:{count}{interval}"
        key = told if len(told) <= LONGEST_LOOKUP_KEY else f"tenure:{fingerprint(told)}"
        return {**price, "lookup_key": key, "recurring": {"interval": interval, "interval_count": count}}

    def once(self, contract: Contract, line: Line, times: int, starts: date, unit_price: Decimal, product: str) -> Json:
        """The item of an invoice: what the line was sold for, so many times."""
        quantity = format((line.quantity(starts) * times).normalize(), "f")
        return {"price_data": _priced(contract, unit_price, product), "quantity_decimal": quantity}

    def intervals(self, contract: Contract, line: Line, starts: date, at: datetime) -> int:
        """How often Stripe would have billed a term that is over: once for each interval that began. 0: it is not."""
        if contract.ends is None or not self.ends_now(contract, at):
            return 0
        unit, count = INTERVALS[line.frequency]
        step = relativedelta(months=count if unit == "month" else 12 * count)
        begun = 0
        while starts + step * begun < contract.ends:
            begun += 1
        return begun

    def invoice(self, contract: Contract, line: Line, *, key: str, mark: str) -> Json:
        """The parameters of the invoice of a line that is charged once; it is a draft until it is told to go on."""
        made: Json = {
            "customer": contract.customer,
            "currency": contract.currency.lower(),
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "collection_method": self.collection,
            "metadata": {**of_line(contract, line), KEY: key, MARK: mark},
        }
        if self.collection == "send_invoice":
            made["days_until_due"] = contract.payment_days
        if self.tax:
            made["automatic_tax"] = {"enabled": True}
        if contract.purchase_order:
            made["custom_fields"] = [_order_of(contract.purchase_order)]
        return made

    def going_out(self, starts: date, at: datetime) -> Any:
        """What lets that invoice go on: at once, or on the day from which the line is billed."""
        due = self.days.start(starts)
        waits = {"automatically_finalizes_at": due} if due > at.timestamp() else {}
        return {"auto_advance": True, **waits}

    def _settings(self, contract: Contract) -> Json:
        invoices: Json = {}
        if self.collection == "send_invoice":
            invoices["days_until_due"] = contract.payment_days
        if contract.purchase_order:
            invoices["custom_fields"] = [_order_of(contract.purchase_order)]
        settings: Json = {"collection_method": self.collection}
        if invoices:
            settings["invoice_settings"] = invoices
        if self.tax:
            settings["automatic_tax"] = {"enabled": True}
        return settings

    def _phases(
        self, contract: Contract, line: Line, item: Json, starts: date, began: int | None, runs_until: int | None
    ) -> list[Json]:
        """From a day on. `began`: when the phase that runs did; `runs_until`: when that one is to end so far."""
        changes = {since for since, _ in line.quantities} | {contract.term_starts or starts}
        days = [starts, *sorted(day for day in changes if day > starts and (contract.ends or date.max) > day)]
        phases = []
        for day, following in zip(days, [*days[1:], contract.ends], strict=True):
            phase: Json = {"items": [_counted(item, line, day)], "metadata": of_line(contract, line)}
            if following is not None:
                phase["end_date"] = self.days.start(following)
            elif day == starts and runs_until is not None:
                phase["end_date"] = runs_until
            else:  # evergreen: after one interval the schedule lets go, and the subscription runs on
                interval, count = INTERVALS[line.frequency]
                phase["duration"] = {"interval": interval, "interval_count": count}
            phases.append(phase)
        if began is not None:
            phases[0]["start_date"] = began
        return phases


def of_line(contract: Contract, line: Line) -> dict[str, str]:
    """Metadata by which an event, or a person, finds the contract."""
    return {SUBSCRIPTION: contract.id, CUSTOMER: contract.customer, CONTRACT: contract.contract, LINE: line.id}


def is_over(schedule: Json) -> bool:
    return schedule["status"] in _OVER


def _priced(contract: Contract, unit_price: Decimal, product: str) -> Json:
    amount = format(minor(unit_price, contract.currency), "f")
    return {"currency": contract.currency.lower(), "product": product, "unit_amount_decimal": amount}


def _counted(item: Json, line: Line, day: date) -> Json:
    if line.charge is ChargeType.USAGE:
        return dict(item)
    return {**item, "quantity": whole(line.quantity(day), line.id)}


def _order_of(purchase_order: str) -> Json:
    return {"name": "Purchase order", "value": purchase_order[:140]}


def _end(contract: Contract) -> Literal["cancel", "release"]:
    return "release" if contract.ends is None else "cancel"
