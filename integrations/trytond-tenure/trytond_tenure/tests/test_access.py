# SPDX-License-Identifier: GPL-3.0-or-later
from trytond.pool import Pool
from trytond.transaction import Transaction

from . import world
from .case import DENIED, TODAY, CommandTestCase

# What Tryton leaves open to every user who is logged in, whatever its groups: the user's own things.
_OPEN = ("ir.", "res.")


class AccessTestCase(CommandTestCase):
    def as_stranger(self):
        """Somebody of sales and accounting, without our group."""
        return Transaction().set_user(self.stranger)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stranger = world.user(world.STRANGER)

    def test_without_the_group_no_command_is_performed_or_answered(self):
        draft = self.draft()
        with self.as_stranger(), Transaction().set_context(_check_access=True):
            self.assertRaises(DENIED, self.perform, "create_customer", world.customer("002"))
            self.assertRaises(DENIED, self.perform, "post_invoice", {"invoice": draft, "on": TODAY.isoformat()})
            self.assertRaises(DENIED, self.read, "probe")
            self.assertRaises(DENIED, self.read, "changes", cursor="")

    def test_the_buttons_of_invoices_are_not_open_to_others_or_from_outside(self):
        Invoice = Pool().get("account.invoice")
        for button in ("tenure_post", "tenure_pay", "tenure_credit"):
            self.assertNotIn(button, Invoice.__rpc__)
        invoice = self.record("account.invoice", self.draft())
        with self.as_stranger(), Transaction().set_context(_check_access=True):
            self.assertRaises(DENIED, Invoice.tenure_post, [Invoice(invoice.id)])

    def test_the_technical_user_reads_no_other_user(self):
        User = Pool().get("res.user")
        self.assertEqual([user.id for user in User.search([])], [self.user])
        self.assertRaises(DENIED, User.read, [self.stranger], ["login"])
        self.assertRaises(DENIED, User.write, [User(self.user)], {"name": "root"})

    def test_the_technical_user_touches_no_invoice_but_by_command(self):
        pool = Pool()
        Invoice, Move = pool.get("account.invoice"), pool.get("account.move")
        draft = self.record("account.invoice", self.draft())
        for work in (
            lambda: Invoice.delete([draft]),
            lambda: Invoice.write([draft], {"comment": "mine"}),
            lambda: Invoice.create([{"party": draft.party.id}]),
            lambda: Invoice.post([draft]),
            lambda: Invoice.cancel([draft]),
            lambda: Invoice.process([draft]),
            lambda: pool.get("account.invoice.line").delete(list(draft.lines)),
            lambda: Move.search([]),
            lambda: pool.get("account.move.line").search([]),
            lambda: pool.get("account.account").write(pool.get("account.account").search([], limit=1), {"name": "x"}),
        ):
            self.assertRaises(DENIED, work)
        self.assertEqual(self.record("account.invoice", draft.id).state, "draft")

    def test_the_technical_user_does_not_touch_the_ledgers(self):
        pool = Pool()
        self.customer()
        for name in ("request", "event", "told", "outbox", "lock", "credit_hold", "reference"):
            Model = pool.get(f"tenure.{name}")
            with self.subTest(name=name):
                with Transaction().set_context(_check_access=False):
                    rows = Model.search([], limit=1)
                for mode in ("write", "delete"):
                    self.assertFalse(pool.get("ir.model.access").check(Model.__name__, mode, raise_exception=False))
                if rows:
                    self.assertRaises(DENIED, Model.delete, rows)
        fields = {"tenure_ends": TODAY, "tenure_external_id": "mine", "tenure_ended": True}
        subscription = self.record("sale.subscription", self.sold())
        for name, value in fields.items():
            self.assertRaises(DENIED, pool.get("sale.subscription").write, [subscription], {name: value})

    def test_the_technical_user_writes_these_and_nothing_else(self):
        pool = Pool()
        Access = pool.get("ir.model.access")
        names = [name for name, Model in pool.iterobject() if hasattr(Model, "_table") and not name.startswith(_OPEN)]
        access = Access.get_access(names)
        guarded = {row.model for row in self._all(Access)}
        writable = {name for name in names if access[name]["write"] and name in guarded}
        deletable = {name for name in names if access[name]["delete"] and name in guarded}
        self.assertEqual(writable, {"sale.subscription"})
        self.assertEqual(deletable, set())
        self.assertEqual({name for name in names if access[name]["create"] and name in guarded},
                         {"sale.subscription", "tenure.request"})  # fmt: skip

    def _all(self, Model):
        with Transaction().set_context(_check_access=False):
            return Model.search([])

    def test_perform_keeps_the_rights_of_the_models(self):
        """The group alone does not do it: without its right to write subscriptions there is no command about one."""
        made = self.active()
        Access = Pool().get("ir.model.access")
        with Transaction().set_user(0):  # who alone may change what the module brings along
            Access.write(
                Access.search([("model", "=", "sale.subscription"), ("group.name", "=", "Tenure")]),
                {"perm_write": False, "perm_create": False},
            )
        self.assertRaises(DENIED, self.start, made, "seat", "2026-01-01")
        self.assertRaises(DENIED, self.perform, "end_subscription",
                          {"subscription": made, "ends": "2026-06-01", "reason": "churn"})  # fmt: skip
        self.assertRaises(DENIED, self.bill, made, "2026-06-01")
        self.assertRaises(DENIED, self.sold, customer=self.customer("002"), contract="crm/007/1")
        self.assertEqual(self.state(made)["ends"], "2027-01-01")

    def test_perform_keeps_the_buttons(self):
        draft = self.draft()
        Button = Pool().get("ir.model.button")
        with Transaction().set_user(0):
            group = Pool().get("res.group")(name="Others")
            group.save()
            [button] = Button.search([("model", "=", "account.invoice"), ("name", "=", "tenure_post")])
            Button.write([button], {"groups": [("remove", [g.id for g in button.groups]), ("add", [group.id])]})
        self.assertRaises(DENIED, self.post, draft)
        self.assertEqual(self.record("account.invoice", draft).state, "draft")

    def test_a_user_works_for_its_companies_alone(self):
        made = self.customer(entity="acme-de", currency="EUR")
        User = Pool().get("res.user")
        Company = Pool().get("company.company")
        with Transaction().set_context(_check_access=False):
            [german] = Company.search([("tenure_code", "=", "acme-de")])
            User.write([User(self.user)], {"companies": [("remove", [german.id])]})
        self.refused("invalid", self.customer, "002", entity="acme-de", currency="EUR")
        self.refused("not_found", self.read, "balance", customer=made)
