# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions of Tryton, held to the terms of a contract: term with exclusive end, lines that wait for their billing
start, periods counted from the first billed day, quantities that change from a day on."""

import datetime as dt
from decimal import Decimal

from dateutil.relativedelta import relativedelta
from trytond.model import ModelSQL, Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .customers import customer_id

# months of one period
MONTHS = {"monthly": 1, "quarterly": 3, "annual": 12}
_SELECTION = [(None, ""), *((name, name.capitalize()) for name in ("once", *MONTHS))]


class Subscription(metaclass=PoolMeta):
    __name__ = "sale.subscription"
    tenure_external_id = fields.Char("External Id", readonly=True, strip=False)
    tenure_contract = fields.Char("Contract", readonly=True, strip=False)
    tenure_activated_on = fields.Date("Activated On", readonly=True)
    tenure_starts = fields.Date("Term Starts", readonly=True)
    tenure_ends = fields.Date("Term Ends", readonly=True, help="The first day that is not served and not billed.")
    tenure_term = fields.Integer("Term", readonly=True)
    tenure_ended = fields.Boolean("Ended", readonly=True)
    tenure_reason = fields.Text("Reason of the End", readonly=True)
    tenure_purchase_order = fields.Char("Purchase Order", readonly=True)
    tenure_renews = fields.Many2One("sale.subscription", "Renews", readonly=True, ondelete="RESTRICT")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(
            (
                "tenure_external_id_unique",
                Unique(table, table.tenure_external_id),
                "tenure.msg_subscription_external_id",
            )
        )

    @classmethod
    def copy(cls, subscriptions, default=None):
        default = dict(default or {})
        for name in ("external_id", "contract", "activated_on", "starts", "ends", "term", "reason", "renews"):
            default.setdefault(f"tenure_{name}", None)
        default.setdefault("tenure_ended", False)
        return super().copy(subscriptions, default=default)

    @classmethod
    def on_modification(cls, mode, subscriptions, field_names=None):
        super().on_modification(mode, subscriptions, field_names=field_names)
        if mode == "write":
            Pool().get("tenure.outbox").touch([s for s in subscriptions if s.tenure_contract])

    def compute_next_invoice_date(self):
        """Every day: what was counted is invoiced when its period begins, and lines begin on days of their own. By
        Tryton's recurrence, a line that is billed from a later day would wait for the subscription's next anniversary.
        """
        if not self.tenure_contract:
            return super().compute_next_invoice_date()
        if self.next_invoice_date is None:
            return self.invoice_start_date or self.start_date
        return self.next_invoice_date + dt.timedelta(1)

    @classmethod
    def process(cls, subscriptions):
        """A term that is billed to its end is not over: ours close when they were ended, and the day has come."""
        super().process([s for s in subscriptions if not s.tenure_contract or s.tenure_is_over()])

    def tenure_today(self):
        with Transaction().set_context(company=self.company.id):
            return Pool().get("ir.date").today()

    def tenure_is_over(self):
        return self.tenure_ended and self.tenure_ends <= self.tenure_today()

    def tenure_status(self):
        if self.state == "cancelled":
            return "cancelled"
        if self.state == "closed" or self.tenure_ended:
            return "ended"
        return "active" if self.state == "running" else "draft"

    def tenure_entitled(self):
        """Whether the customer may use it today: within its term, also when its end is already ordered."""
        today = self.tenure_today()
        within = (
            self.tenure_starts and self.tenure_starts <= today and (not self.tenure_ends or today < self.tenure_ends)
        )
        return bool(within) and self.tenure_status() in ("active", "ended")

    def _get_invoice(self):
        invoice = super()._get_invoice()
        if self.tenure_contract:
            invoice.reference = self.tenure_purchase_order
        return invoice

    def tenure_facts(self):
        if not self.tenure_contract or self.state in ("draft", "quotation"):
            return None
        return {
            "status": self.tenure_status(),
            "starts": _iso(self.tenure_starts),
            "ends": _iso(self.tenure_ends),
            "lines": {
                line.tenure_line: {
                    "quantity": line.tenure_quantity_text(self.tenure_today()),
                    "billed_from": _iso(line.tenure_billed_from),
                    **line.tenure_days(),
                }
                for line in self.lines
                if line.tenure_line
            },
        }

    @classmethod
    def tenure_told_domain(cls):
        return [("tenure_contract", "!=", None), ("state", "in", ["running", "closed", "cancelled"])]

    def tenure_events(self, before, facts, version):
        if before is None or before["status"] != facts["status"]:
            kind = f"subscription.{facts['status']}"
        else:
            kind = "subscription.changed"
        yield kind, f"subscription/{self.id}/{version + 1}", self._tenure_data(facts)

    def tenure_snapshots(self, facts, version):
        yield f"subscription.{facts['status']}", f"subscription/{self.id}/{version}", self._tenure_data(facts)

    def _tenure_data(self, facts):
        return {
            "subscription": str(self.id),
            "contract": self.tenure_contract,
            "customer": customer_id(self.party, self.company),
            "selling_entity": self.company.tenure_code,
            "currency": self.currency.code,
            **facts,
        }


class Line(metaclass=PoolMeta):
    __name__ = "sale.subscription.line"
    tenure_line = fields.Char("External Id", readonly=True, strip=False)
    tenure_charge = fields.Char("Charge", readonly=True)
    tenure_frequency = fields.Selection(_SELECTION, "Frequency", readonly=True)
    tenure_starts = fields.Date("Starts", readonly=True, help="Empty: with the subscription.")
    tenure_ends = fields.Date(
        "Ends", readonly=True, help="The first day on which it is not billed. Empty: with the subscription."
    )
    tenure_billed_from = fields.Date("First Billed Day", readonly=True, help="Empty: not billed until told so.")
    tenure_accepted_on = fields.Date(
        "Accepted On", readonly=True, help="The day the service was accepted: it triggers the revenue schedule."
    )
    tenure_periods = fields.Integer("Billed Periods", readonly=True)
    tenure_quantities = fields.One2Many("tenure.subscription.quantity", "line", "Quantities", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(
            (
                "tenure_line_unique",
                Unique(table, table.subscription, table.tenure_line),
                "tenure.msg_subscription_line_external_id",
            )
        )

    @classmethod
    def copy(cls, lines, default=None):
        default = dict(default or {})
        for name in (
            "line", "charge", "frequency", "starts", "ends", "billed_from", "accepted_on", "periods", "quantities",
        ):  # fmt: skip
            default.setdefault(f"tenure_{name}", None)
        return super().copy(lines, default=default)

    @classmethod
    def on_modification(cls, mode, lines, field_names=None):
        super().on_modification(mode, lines, field_names=field_names)
        if mode == "write":
            Pool().get("tenure.outbox").touch([line.subscription for line in lines if line.tenure_line])

    def tenure_period(self, n):
        """The first day of the n-th period (from 0). Counted from the first billed day, so that the 31st comes back
        after a February."""
        return self.tenure_billed_from + relativedelta(months=n * MONTHS[self.tenure_frequency])

    def tenure_last(self):
        """The first day on which it is not billed any more: its own, or the subscription's; None: there is none."""
        return min((day for day in (self.tenure_ends, self.subscription.tenure_ends) if day), default=None)

    def tenure_period_end(self, date):
        """The first day of the period after the one that begins on a day."""
        n = 0
        while self.tenure_period(n) <= date:
            n += 1
        return self.tenure_period(n)

    def compute_next_consumption_date(self):
        if not self.tenure_line:
            return super().compute_next_consumption_date()
        if self.tenure_billed_from is None or self.tenure_charge == "usage":
            return None
        periods = self.tenure_periods or 0
        if self.tenure_frequency == "once":
            following = None if periods else self.tenure_billed_from
        else:
            following = self.tenure_period(periods)
        ends = self.tenure_last()
        return following if following and (ends is None or following < ends) else None

    def get_consumption(self, date):
        if not self.tenure_line:
            return super().get_consumption(date)
        Consumption = Pool().get("sale.subscription.line.consumption")
        self.tenure_periods = (self.tenure_periods or 0) + 1
        return Consumption(line=self, quantity=self.tenure_quantity(date), date=date)

    def tenure_quantity(self, date):
        """How many are billed for a period that begins on this day."""
        quantity = self.quantity
        for change in sorted(self.tenure_quantities, key=lambda change: (change.effective, change.id)):
            if change.effective <= date:
                quantity = change.quantity
        return quantity

    def tenure_quantity_text(self, date):
        return format(self.tenure_quantity(date), ".10f").rstrip("0").rstrip(".") or "0"

    def tenure_days(self):
        """Its own days, as far as it has any."""
        days = {"starts": self.tenure_starts, "ends": self.tenure_ends}
        return {name: day.isoformat() for name, day in days.items() if day}

    def tenure_price(self, today):
        """What a billing period is charged, net of tax, where not only usage tells; and the quantity to come."""
        amount, target = None, None
        if self.tenure_charge != "usage" and self.unit_price is not None:
            quantity = Decimal(self.tenure_quantity_text(today))
            amount = str(self.subscription.currency.round(quantity * self.unit_price))
        coming = [change.effective for change in self.tenure_quantities if change.effective > today]
        if coming:
            target = self.tenure_quantity_text(max(coming))
        return {
            "charge": self.tenure_charge, "frequency": self.tenure_frequency, "amount": amount, "target": target,
            "quantity_since": _iso(self.tenure_quantity_since(today)),
        }  # fmt: skip

    @without_check_access
    def tenure_quantity_since(self, today):
        """The first day for which the quantity of today is billed, where that was another before: a period that was
        counted with the other one keeps that to its end."""
        quantity, since = self.tenure_quantity(today), None
        for change in sorted(self.tenure_quantities, key=lambda change: (change.effective, change.id), reverse=True):
            if change.effective <= today:
                if change.quantity != quantity or change.effective == dt.date.min:
                    break
                since = change.effective
        if since is None or self.tenure_billed_from is None or self.tenure_frequency not in MONTHS:
            return since
        Consumption = Pool().get("sale.subscription.line.consumption")
        for counted in Consumption.search([("line", "=", self.id), ("quantity", "!=", quantity)]):
            since = max(since, self.tenure_period_end(counted.date))
        return since

    def tenure_revenue(self, today):
        """How far the schedule that the acceptance triggered has come."""
        if self.tenure_accepted_on is None:
            return "none"
        if today < self.tenure_accepted_on:
            return "scheduled"
        ends = self.tenure_last()
        return "complete" if self.tenure_frequency == "once" or (ends and ends <= today) else "running"


class Quantity(ModelSQL):
    "How many of a line from a day on; what was billed before keeps its quantity"

    __name__ = "tenure.subscription.quantity"
    line = fields.Many2One("sale.subscription.line", "Line", required=True, ondelete="CASCADE")
    effective = fields.Date("Effective", required=True)
    quantity = fields.Float("Quantity", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add("line")


class Consumption(metaclass=PoolMeta):
    __name__ = "sale.subscription.line.consumption"

    @classmethod
    def _group_invoice_key(cls, consumption):
        """One invoice line for each period, which says what it is for: Tryton sums periods that were missed."""
        key = super()._group_invoice_key(consumption)
        line = consumption.line
        if not line.tenure_line:
            return key
        period = consumption.date.isoformat()
        if line.tenure_frequency in MONTHS:
            period = f"{period} – {(line.tenure_period_end(consumption.date) - dt.timedelta(1)).isoformat()}"
        text = f"{line.description}\n{period}" if line.description else period
        return tuple((name, text if name == "description" else value) for name, value in key)

    @classmethod
    @without_check_access
    def tenure_undo(cls, subscription):
        """Take back what was counted and not invoiced."""
        cls.delete(cls.search([("line.subscription", "=", subscription.id), ("invoice_line", "=", None)]))


def _iso(day):
    return day.isoformat() if day else None
