# SPDX-License-Identifier: GPL-3.0-or-later
"""What of Tryton's base we add to: the scheduler prunes the outbox, a rule may speak of the user itself."""

from trytond.pool import PoolMeta
from trytond.transaction import Transaction


class Cron(metaclass=PoolMeta):
    __name__ = "ir.cron"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.append(("tenure.outbox|prune", "Prune Tenure's Outbox"))


class Rule(metaclass=PoolMeta):
    __name__ = "ir.rule"

    @classmethod
    def _get_context(cls, model_name):
        context = super()._get_context(model_name)
        if model_name == "res.user":
            context["user_id"] = Transaction().user
        return context

    @classmethod
    def _get_cache_key(cls, model_names):
        key = super()._get_cache_key(model_names)
        return (*key, Transaction().user) if "res.user" in model_names else key
