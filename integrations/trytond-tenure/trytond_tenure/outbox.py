# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox: what happened to invoices and subscriptions, written in the transaction in which it happened."""

import datetime as dt
import json
from contextlib import contextmanager

from trytond import backend
from trytond.model import Index, ModelSingleton, ModelSQL, Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access


def now():
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


class Outbox(ModelSingleton, ModelSQL):
    "How long the outbox remembers, and up to where it has forgotten"

    __name__ = "tenure.outbox"
    keep_days = fields.Integer("Keep events for days", required=True)
    pruned_xid = fields.Integer("Pruned up to transaction", readonly=True)
    pruned_xid._sql_type = "BIGINT"
    pruned_event = fields.Integer("Pruned up to event", readonly=True)

    @classmethod
    def default_keep_days(cls):
        return 60

    @classmethod
    @contextmanager
    def collecting(cls):
        """Tell what happens within once, at its end: several writes of one command are one change."""
        # not in the context, which tasks take along that run later, on their own
        transaction, touched = Transaction(), {}
        transaction.tenure_touched = touched
        try:
            yield
        finally:
            del transaction.tenure_touched
        cls._tell(touched)

    @classmethod
    def touch(cls, records):
        """These may have changed in a way that is to be told."""
        touched = getattr(Transaction(), "tenure_touched", None)
        names = dict.fromkeys((record.__name__, record.id) for record in records)
        if touched is not None:
            touched.update(names)
        else:
            cls._tell(names)

    @classmethod
    @without_check_access
    def _tell(cls, touched):
        pool = Pool()
        Told = pool.get("tenure.told")
        for name, record_id in touched:
            Told.tell(pool.get(name)(record_id))

    @classmethod
    @without_check_access
    def prune(cls):
        """Forget events that are older than `keep_days`. Run by the scheduler."""
        Event = Pool().get("tenure.event")
        outbox = cls(1)
        limit = now() - dt.timedelta(days=outbox.keep_days)
        cursor = Transaction().connection.cursor()
        table = Event.__table__()
        cursor.execute(
            *table.select(
                table.xid, table.id, where=table.at < limit, order_by=[table.xid.desc, table.id.desc], limit=1
            )
        )
        if last := cursor.fetchone():
            # up to the newest of the old ones in the order of reading, so that no cursor points into a gap
            xid, event = last
            cursor.execute(*table.delete(where=(table.xid < xid) | ((table.xid == xid) & (table.id <= event))))
            # not by `save`: to make the one row there is of this table, Tryton would lock all of it
            marks = cls.__table__()
            columns, values = [marks.keep_days, marks.pruned_xid, marks.pruned_event], [outbox.keep_days, xid, event]
            cursor.execute(*marks.update(columns, values))
            if not cursor.rowcount:
                cursor.execute(*marks.insert(columns, [values]))


class Told(ModelSQL):
    "What was last told of a record, and how often: the version of what is told next"

    __name__ = "tenure.told"
    model = fields.Char("Model", required=True)
    record = fields.Integer("Record", required=True)
    version = fields.Integer("Version", required=True)
    facts = fields.Text("Facts", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(
            ("record_unique", Unique(table, table.model, table.record), "tenure.msg_told_record")
        )

    @classmethod
    def of(cls, record):
        """(version, facts) of what was last told of a record; (0, None) when nothing was."""
        found = cls.search([("model", "=", record.__name__), ("record", "=", record.id)])
        return (found[0].version, json.loads(found[0].facts)) if found else (0, None)

    @classmethod
    def tell(cls, record):
        """Write the events that lead from what was told of the record to what is so now."""
        facts = record.tenure_facts()
        if facts is None:
            return
        version, before = cls.of(record)
        if facts == before:
            return
        told = 0
        for told, (kind, name, data) in enumerate(record.tenure_events(before, facts, version), 1):
            Pool().get("tenure.event").write_down(kind, name, {**data, "version": version + told})
        values = {"version": version + told, "facts": json.dumps(facts, sort_keys=True)}
        if before is None:
            cls.create([{"model": record.__name__, "record": record.id, **values}])
        else:
            cls.write(cls.search([("model", "=", record.__name__), ("record", "=", record.id)]), values)


class Event(ModelSQL):
    "One thing that happened. `xid` is the transaction that wrote it: readers stop before the oldest that is still open"

    __name__ = "tenure.event"
    xid = fields.Integer("Transaction", required=True)
    xid._sql_type = "BIGINT"
    name = fields.Char("Id", required=True)
    kind = fields.Char("Kind", required=True)
    at = fields.DateTime("At", format="%H:%M:%S.%f", required=True)
    data = fields.Text("Data", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes.add(Index(table, (table.xid, Index.Range()), (table.id, Index.Range())))
        cls._order = [("xid", "ASC"), ("id", "ASC")]

    @classmethod
    def write_down(cls, kind, name, data):
        cls.create(
            [{"xid": cls._xid(), "name": name, "kind": kind, "at": now(), "data": json.dumps(data, sort_keys=True)}]
        )

    @classmethod
    def _xid(cls):
        if backend.name != "postgresql":
            return 0
        cursor = Transaction().connection.cursor()
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return cursor.fetchone()[0]

    @classmethod
    def horizon(cls):
        """The oldest transaction that may still write: what lies below it is complete. None: no such thing."""
        if backend.name != "postgresql":
            return None
        cursor = Transaction().connection.cursor()
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return cursor.fetchone()[0]
