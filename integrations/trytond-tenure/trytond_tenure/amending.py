# SPDX-License-Identifier: GPL-3.0-or-later
"""Amendments of an active subscription, from a day on: quantities, lines that come, lines that go."""

import datetime as dt

from trytond.pool import Pool, PoolMeta

from .books import refuse_closed
from .errors import REJECTED, TenureError


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def do_amend_subscription(cls, given):
        """All of it from one day on. Periods that were billed stay as they are: a difference is not prorated."""
        Subscription = Pool().get("sale.subscription")
        subscription = cls.active_subscription_of(given)
        effective, quantities = given.day("effective"), given.amounts("quantities")
        added, removed = given.rows("added", []), given.texts("removed")
        if not (quantities or added or removed):
            raise given.invalid("quantities", "nothing is amended")
        if subscription.tenure_ends and effective >= subscription.tenure_ends:
            raise TenureError(REJECTED, "the amendment takes effect when the term is over")
        refuse_closed(subscription.company, effective)
        for name, quantity in quantities.items():
            line = cls.line_of(subscription, name)
            if quantity < 0:
                raise given.invalid("quantities", f"{name}: it can't be negative")
            cls._check_decimals(given, f"quantities.{name}", quantity, line.unit)
            cls._set_quantity(line, effective, quantity)
        for name in removed:
            cls._remove(cls.line_of(subscription, name), effective)
        for row in added:
            cls._add(row, subscription, effective)
        with cls.keeping("sale.subscription"):
            cls._reckon(Subscription(subscription.id).lines)
        return {"id": str(subscription.id)}

    @classmethod
    def _set_quantity(cls, line, effective, quantity):
        pool = Pool()
        Line, Quantity = pool.get("sale.subscription.line"), pool.get("tenure.subscription.quantity")
        if not line.tenure_quantities:
            # what was sold, so that a period before the amendment still finds it
            Quantity.create([{"line": line.id, "effective": dt.date.min, "quantity": line.quantity}])
        Quantity.create([{"line": line.id, "effective": effective, "quantity": float(quantity)}])
        line = Line(line.id)
        cls._keep(line, quantity=line.tenure_quantity(line.subscription.tenure_today()))

    @classmethod
    def _remove(cls, line, effective):
        if line.tenure_ends and line.tenure_ends <= effective:
            raise TenureError(REJECTED, f"the line {line.tenure_line!r} ends on {line.tenure_ends} already")
        cls._keep(line, tenure_ends=max(effective, line.tenure_starts or effective))

    @classmethod
    def _add(cls, given, subscription, effective):
        """A line that is held from billing; or one whose removal on that day is taken back: it goes on as it was."""
        name = given.text("id")
        for line in subscription.lines:
            if line.tenure_line == name:
                removed = max(effective, line.tenure_starts or effective)
                if (line.tenure_ends, line.service.product.code) != (removed, given.text("product")):
                    raise TenureError(REJECTED, f"the subscription has a line {name!r} already")
                cls._keep(line, tenure_ends=given.day("ends", None))
                return
        starts = given.day("starts", None) or effective
        line = cls._line(given, subscription)
        if line.tenure_ends and line.tenure_ends <= starts:
            raise given.invalid("ends", "a line must end after its start")
        line.tenure_starts, line.start_date = starts, max(subscription.start_date, starts)
        with cls.keeping("sale.subscription"):
            line.save()

    @classmethod
    def _keep(cls, line, **values):
        with cls.keeping("sale.subscription"):
            Pool().get("sale.subscription.line").write([line], values)
