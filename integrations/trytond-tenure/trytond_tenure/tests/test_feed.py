# SPDX-License-Identifier: GPL-3.0-or-later
import datetime as dt
import time
import unittest
from contextlib import contextmanager

from trytond import backend
from trytond.cache import Cache
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, TestCase, activate_module
from trytond.transaction import Transaction

from . import world


class FeedTestCase(TestCase):
    """Reading the outbox over transactions that really commit."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        activate_module("tenure")
        world.build()
        cls.user = world.user()

    def setUp(self):
        super().setUp()
        self.forget()
        self.addCleanup(self.forget)

    def forget(self):
        with self.transaction():
            table, marks = Pool().get("tenure.event").__table__(), Pool().get("tenure.outbox").__table__()
            cursor = Transaction().connection.cursor()
            cursor.execute(*table.delete())
            cursor.execute(*marks.delete())
        Cache.drop(DB_NAME)

    @contextmanager
    def transaction(self):
        with Transaction().start(DB_NAME, 1, close=backend.name == "sqlite") as transaction:
            xid = Pool().get("tenure.event")._xid()
            yield
            transaction.commit()
        self.settle(xid)

    def settle(self, xid):
        """Wait for those who are at work in other databases of this PostgreSQL."""
        deadline = time.monotonic() + 30
        while backend.name == "postgresql" and time.monotonic() < deadline:
            with Transaction().start(DB_NAME, 1, readonly=True):
                if Pool().get("tenure.event").horizon() > xid:
                    return
            time.sleep(0.1)

    def write_down(self, *names):
        for name in names:
            Pool().get("tenure.event").write_down("invoice.posted", name, {"invoice": name})

    def read(self, operation, **arguments):
        with Transaction().start(DB_NAME, self.user, readonly=True, context={"_check_access": True}):
            return Pool().get("tenure.command").read(operation, arguments)

    def names(self, cursor="", limit=100):
        """Page after page, to the end."""
        found = []
        while (page := self.read("changes", cursor=cursor, limit=limit))["events"]:
            self.assertFalse(page["expired"])
            found += [event["id"] for event in page["events"]]
            cursor = page["cursor"]
        return found

    def test_pages_follow_each_other(self):
        for name in "abc":
            with self.transaction():
                self.write_down(name, name + name)
        self.assertEqual(self.names(limit=1), ["a", "aa", "b", "bb", "c", "cc"])
        page = self.read("changes", cursor="", limit=3)
        [event] = [event for event in page["events"] if event["id"] == "b"]
        self.assertEqual(
            (event["kind"], event["data"], event["cursor"]), ("invoice.posted", {"invoice": "b"}, page["cursor"])
        )
        self.assertEqual(dt.datetime.fromisoformat(event["at"]).tzinfo, dt.timezone.utc)
        self.assertEqual(self.names(page["cursor"]), ["bb", "c", "cc"])

    @unittest.skipUnless(backend.name == "postgresql", "SQLite has one writer at a time")
    def test_a_slow_transaction_is_not_read_past(self):
        with self.transaction():
            self.write_down("before")
        with Transaction().start(DB_NAME, 1) as slow:
            Pool().get("tenure.event")._xid()  # the older transaction, which writes later: a higher id
            with Transaction().new_transaction() as quick:
                self.write_down("quick")
                newest = Pool().get("tenure.event")._xid()
                quick.commit()
            with Transaction().new_transaction(readonly=True):
                page = Pool().get("tenure.command").read("changes", {"cursor": ""})
                head = Pool().get("tenure.command").read("head", {})["cursor"]
            self.assertEqual([event["id"] for event in page["events"]], ["before"])
            self.write_down("slow")
            slow.commit()
        self.settle(newest)
        self.assertEqual(self.names(page["cursor"]), ["slow", "quick"])
        self.assertEqual(self.names(head), ["slow", "quick"])

    def test_what_comes_after_the_head_is_new(self):
        with self.transaction():
            self.write_down("old")
        head = self.read("head")["cursor"]
        self.assertEqual(self.names(head), [])
        with self.transaction():
            self.write_down("new")
        self.assertEqual(self.names(head), ["new"])

    def test_a_cursor_into_what_was_pruned_is_expired(self):
        with self.transaction():
            self.write_down("old")
        cursor = self.read("changes", cursor="")["cursor"]
        with self.transaction():
            table = Pool().get("tenure.event").__table__()
            Transaction().connection.cursor().execute(
                *table.update([table.at], [dt.datetime.fromisoformat("2020-01-01")], where=table.name == "old")
            )
            self.write_down("new")
        with self.transaction():
            Pool().get("tenure.outbox").prune()
        self.assertEqual(self.names(cursor), ["new"])
        for expired in ("", "0:0", "no cursor", "1:2:3"):
            with self.subTest(cursor=expired):
                page = self.read("changes", cursor=expired)
                self.assertEqual((page["events"], page["expired"]), ([], True))

    @unittest.skipUnless(backend.name == "postgresql", "SQLite numbers no transactions")
    def test_a_cursor_of_the_time_before_a_restore_is_expired(self):
        self.assertTrue(self.read("changes", cursor=f"{2**60}:1")["expired"])
