# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the outbox: pages after a cursor, the cursor of now, and what is so now as snapshots."""

import datetime as dt
import json

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

_LAST = 2**62
_LONGEST_PAGE = 500
_ORDER = ("account.invoice", "sale.subscription")


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    @without_check_access
    def read_changes(cls, given):
        """What came after the cursor, oldest first. `expired`: what came after it was forgotten, or is not known."""
        pool = Pool()
        Event, Outbox = pool.get("tenure.event"), pool.get("tenure.outbox")
        cursor, limit = given.text("cursor", ""), cls._limit(given)
        after = _place(cursor)
        outbox, horizon = Outbox(1), Event.horizon()
        pruned = (outbox.pruned_xid or 0, outbox.pruned_event or 0)
        if after is None or (pruned != (0, 0) and after < pruned) or (horizon is not None and after[0] > horizon):
            return {"events": [], "cursor": cursor, "expired": True}
        table = Event.__table__()
        where = (table.xid > after[0]) | ((table.xid == after[0]) & (table.id > after[1]))
        if horizon is not None:
            where &= table.xid < horizon
        sql = Transaction().connection.cursor()
        sql.execute(
            *table.select(
                table.xid,
                table.id,
                table.name,
                table.kind,
                table.at,
                table.data,
                where=where,
                order_by=[table.xid, table.id],
                limit=limit,
            )
        )
        events = [
            {"id": name, "cursor": f"{xid}:{event}", "kind": kind, "at": _instant(at), "data": json.loads(data)}
            for xid, event, name, kind, at, data in sql.fetchall()
        ]
        return {"events": events, "cursor": events[-1]["cursor"] if events else cursor, "expired": False}

    @classmethod
    @without_check_access
    def read_head(cls, given):
        """The cursor of now: whatever a later look does not see comes after it."""
        Event = Pool().get("tenure.event")
        horizon = Event.horizon()
        if horizon is not None:
            return {"cursor": f"{horizon - 1}:{_LAST}"}
        table = Event.__table__()
        sql = Transaction().connection.cursor()
        sql.execute(*table.select(table.id, order_by=[table.id.desc], limit=1))
        return {"cursor": f"0:{(sql.fetchone() or [0])[0]}"}

    @classmethod
    @without_check_access
    def read_back_fill(cls, given):
        """What is so now of invoices, then of subscriptions, that changed since a day; `cursor` null: that was all."""
        pool = Pool()
        position, limit = given.text("position", ""), cls._limit(given)
        since = given.text("since", None)
        changed = []
        if since is not None:
            try:
                moment = dt.datetime.fromisoformat(since)
            except ValueError:
                raise given.invalid("since", "an instant like 2027-01-31T00:00:00Z is needed") from None
            if moment.tzinfo:
                moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
            changed = ["OR", ("write_date", ">=", moment), [("write_date", "=", None), ("create_date", ">=", moment)]]
        model, _, last = (position or f"{_ORDER[0]}:0").partition(":")
        if model not in _ORDER or not last.isdigit():
            raise given.invalid("position", "it is not one that an earlier page gave")
        Model, Told = pool.get(model), pool.get("tenure.told")
        with Transaction().set_context(active_test=False):
            domain = [("id", ">", int(last)), *Model.tenure_told_domain(), changed]
            records = Model.search(domain, order=[("id", "ASC")], limit=limit)
        events = []
        for record in records:
            facts = record.tenure_facts()
            if facts is None:
                continue
            version, _ = Told.of(record)
            at = _instant(record.write_date or record.create_date)
            for kind, name, data in record.tenure_snapshots(facts, version):
                events.append({"id": name, "cursor": "", "kind": kind, "at": at, "data": {**data, "version": version}})
        following = _ORDER.index(model) + 1
        if len(records) == limit:
            cursor = f"{model}:{records[-1].id}"
        else:
            cursor = f"{_ORDER[following]}:0" if following < len(_ORDER) else None
        return {"events": events, "cursor": cursor, "expired": False}

    @classmethod
    def _limit(cls, given):
        limit = given.whole("limit", 100)
        if limit < 1:
            raise given.invalid("limit", "at least 1 is needed")
        return min(limit, _LONGEST_PAGE)


def _place(cursor):
    """(transaction, event) of a cursor; None for one that was never given."""
    if not cursor:
        return (0, 0)
    xid, colon, event = cursor.partition(":")
    return (int(xid), int(event)) if colon and xid.isdigit() and event.isdigit() and len(cursor) < 50 else None


def _instant(moment):
    return moment.replace(tzinfo=dt.UTC).isoformat()
