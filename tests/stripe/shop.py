"""What the stand-in for Stripe holds, and what time does to it."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any

import stripe
from dateutil.relativedelta import relativedelta

from tests.stripe.typed import blank

Record = dict[str, Any]
SEARCH_LAG = timedelta(minutes=1)


class Refused(Exception):
    """An error of Stripe's, with its HTTP status."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, type: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.type = status, code, type


class Shop:
    """Records by kind and id, oldest first. `now` moves by itself until it is set, and by `advance`."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Record]] = {}
        self._made_at: dict[str, datetime] = {}
        self._shift = timedelta(0)
        self._numbers = count(1)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift

    @property
    def seconds(self) -> int:
        return int(self.now.timestamp())

    def advance(self, by: timedelta) -> None:
        self._shift += by
        for schedule in list(self.all("subscription_schedule")):
            self.run(schedule)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"

    def put(self, resource: type[stripe.StripeObject], record_id: str, **said: Any) -> Record:
        kind = resource.OBJECT_NAME  # type: ignore[attr-defined]  # each resource has one
        empty = blank(resource)
        record = {**empty, "id": record_id, "object": kind, **said}
        if "created" in empty:
            record["created"] = self.seconds
        self.records.setdefault(kind, {})[record_id] = record
        self._made_at[record_id] = self.now
        return record

    def all(self, kind: str) -> list[Record]:
        return list(self.records.get(kind, {}).values())

    def get(self, kind: str, record_id: str, *, param: bool = False) -> Record:
        """`param`: it is named in a parameter, not in the path."""
        try:
            return self.records[kind][record_id]
        except KeyError:
            status = 400 if param else 404
            raise Refused(f"No such {kind}: '{record_id}'", status=status, code="resource_missing") from None

    def searchable(self, kind: str) -> list[Record]:
        """The search knows what was made, or changed, a while ago."""
        return [each for each in self.all(kind) if self.now - self._made_at[each["id"]] >= SEARCH_LAG]

    def age(self, record: Record, by: timedelta) -> None:
        """It was made a while ago."""
        self._made_at[record["id"]] -= by
        record["created"] -= int(by.total_seconds())

    def touched(self, record: Record) -> None:
        self._made_at[record["id"]] = self.now

    def page(self, records: list[Record], params: Record, url: str) -> Record:
        """A list, newest first, with Stripe's two cursors."""
        newest, limit = records[::-1], int(params.get("limit", 10))
        ids = [each["id"] for each in newest]
        if "ending_before" in params:
            before = newest[: ids.index(params["ending_before"])]
            return {"object": "list", "data": before[-limit:], "has_more": len(before) > limit, "url": url}
        after = newest[ids.index(params["starting_after"]) + 1 :] if "starting_after" in params else newest
        return {"object": "list", "data": after[:limit], "has_more": len(after) > limit, "url": url}

    def merge(self, metadata: dict[str, str] | None, changes: Any) -> dict[str, str]:
        """Metadata as Stripe documents them: merged by key, an empty value unsets, with its limits."""
        merged = {**(metadata or {}), **(changes or {})}
        kept = {name: value for name, value in merged.items() if value != ""}
        if len(kept) > 50 or any(len(name) > 40 for name in kept) or any(len(each) > 500 for each in kept.values()):
            raise Refused("Metadata can have up to 50 keys of 40 characters, with values of up to 500")
        return kept

    def price(self, item: Record, currency: str | None = None) -> Record:
        """A price that is named, or one that is made from `price_data` and is for this use only."""
        if "price" in item:
            named = self.get("price", item["price"], param=True)
            if not named["active"]:
                raise Refused("The price specified is inactive. This field only accepts active prices.")
            return named
        data = item["price_data"]
        self.get("product", data["product"], param=True)
        amount = Decimal(data["unit_amount_decimal"])
        whole = int(amount) if amount == amount.to_integral_value() else None
        recurring = data.get("recurring")
        made = self.put(
            stripe.Price,
            self.new_id("price"),
            currency=data["currency"],
            product=data["product"],
            unit_amount=whole,
            unit_amount_decimal=str(amount),
            type="recurring" if recurring else "one_time",
            active=False,
        )
        if recurring:
            blank_recurring = blank(stripe.Price.Recurring)
            counted = int(recurring.get("interval_count", 1))
            made["recurring"] = {**blank_recurring, "interval": recurring["interval"], "interval_count": counted}
        return made

    # ── schedules and what they become ──

    def run(self, schedule: Record) -> None:
        """Whatever is due by now: begin, go to the next phase, end."""
        if schedule["status"] == "not_started" and schedule["phases"][0]["start_date"] <= self.seconds:
            schedule["status"] = "active"
            schedule["subscription"] = self._subscription(schedule)["id"]
        if schedule["status"] != "active":
            return
        for phase in schedule["phases"]:
            if phase["start_date"] <= self.seconds < phase["end_date"]:
                span = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
                self._enter(schedule, phase)
                schedule["current_phase"] = span
                return
        schedule["current_phase"] = None
        subscription = self.get("subscription", schedule["subscription"])
        if schedule["end_behavior"] == "cancel":
            schedule |= {"status": "completed", "completed_at": self.seconds}
            subscription |= {"status": "canceled", "ended_at": self.seconds, "schedule": None}
        else:
            schedule |= {"status": "released", "released_at": self.seconds}
            schedule |= {"released_subscription": subscription["id"], "subscription": None}
            subscription["schedule"] = None

    def _subscription(self, schedule: Record) -> Record:
        made = self.put(
            stripe.Subscription,
            self.new_id("sub"),
            customer=schedule["customer"],
            schedule=schedule["id"],
            status="active",
            currency=schedule["phases"][0]["currency"],
            start_date=schedule["phases"][0]["start_date"],
            collection_method=schedule["default_settings"]["collection_method"],
            days_until_due=schedule["default_settings"]["invoice_settings"]["days_until_due"],
        )
        made["items"] = {"object": "list", "data": [], "has_more": False, "url": "/v1/subscription_items"}
        return made

    def _enter(self, schedule: Record, phase: Record) -> None:
        subscription = self.get("subscription", schedule["subscription"])
        subscription["metadata"] = dict(phase["metadata"])
        items = []
        for item in phase["items"]:
            price = self.get("price", item["price"])
            made = {**blank(stripe.SubscriptionItem), "id": self.new_id("si"), "object": "subscription_item"}
            made |= {"price": price, "quantity": item["quantity"], "subscription": subscription["id"]}
            made |= {"current_period_start": phase["start_date"], "current_period_end": phase["end_date"]}
            items.append(made)
        subscription["items"]["data"] = items

    def bill(self, subscription: Record) -> Record:
        """An open invoice for the subscription's items, due by its terms."""
        amount = sum(
            int(Decimal(each["price"]["unit_amount_decimal"] or 0) * (each["quantity"] or 0))
            for each in subscription["items"]["data"]
        )
        details = {**blank(stripe.Invoice.Parent.SubscriptionDetails), "subscription": subscription["id"]}
        details["metadata"] = subscription["metadata"]
        parent = {**blank(stripe.Invoice.Parent), "type": "subscription_details", "subscription_details": details}
        invoice = self.put(
            stripe.Invoice,
            self.new_id("in"),
            customer=subscription["customer"],
            currency=subscription["currency"],
            parent=parent,
            collection_method=subscription["collection_method"],
            status="draft",
        )
        return self.finalize(invoice, amount, subscription["days_until_due"])

    def finalize(self, invoice: Record, amount: int, days: int | None) -> Record:
        due = self.seconds + 86_400 * days if days is not None else None
        invoice |= {"status": "open", "number": invoice["id"].upper(), "due_date": due, "total": amount}
        invoice |= {"amount_due": amount, "amount_remaining": amount, "subtotal": amount}
        invoice["status_transitions"] |= {"finalized_at": self.seconds}
        return invoice

    def pay(self, invoice: Record) -> None:
        invoice |= {"status": "paid", "amount_paid": invoice["total"], "amount_remaining": 0}
        invoice["status_transitions"] |= {"paid_at": self.seconds}

    def phases(self, asked: list[Record], began: int, currency_of: str | None = None) -> list[Record]:
        """Phases in a row, each with its end."""
        made, start = [], began
        for n, each in enumerate(asked):
            if "start_date" in each:
                if n and int(each["start_date"]) != start:
                    raise Refused("phases must follow one another")
                start = int(each["start_date"])
            end = int(each["end_date"]) if "end_date" in each else self._after(start, each)
            if end <= start:
                raise Refused("The end date of a phase must be after its start date")
            phase = {**blank(stripe.SubscriptionSchedule.Phase), "start_date": start, "end_date": end}
            phase["metadata"] = dict(each.get("metadata", {}))
            for item in each["items"]:
                price = self.price(item)
                if price["recurring"] is None:
                    raise Refused("The price must be recurring")
                metered = price["recurring"]["usage_type"] == "metered"
                if metered and "quantity" in item:
                    raise Refused("Quantity should not be specified where usage_type is metered")
                held = {**blank(stripe.SubscriptionSchedule.Phase.Item), "price": price["id"], "plan": price["id"]}
                held["quantity"] = None if metered else int(item.get("quantity", 1))
                phase["items"].append(held)
                phase["currency"] = price["currency"]
            made.append(phase)
            start = end
        return made

    def _after(self, start: int, phase: Record) -> int:
        if "duration" not in phase:
            raise Refused("Each phase needs an end_date or a duration")
        interval, counted = phase["duration"]["interval"], int(phase["duration"].get("interval_count", 1))
        begins = datetime.fromtimestamp(start, UTC)
        return int((begins + relativedelta(**{f"{interval}s": counted})).timestamp())  # type: ignore[arg-type]  # days=…


def cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
