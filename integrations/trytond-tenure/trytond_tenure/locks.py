# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time, where the database alone would let one succeed and send the others away.

Transactions of Tryton see the database as it was when they began (REPEATABLE READ). So to have waited for a lock is of
no use within a transaction: what the lock guards has changed unseen. Hence three steps: ask for the lock without
waiting; if it is taken, wait for it *between* two transactions; and touch a row, which fails where somebody else had
the lock since our transaction began. The server runs a transaction again that failed so.
"""

import hashlib

from sql import Conflict
from trytond import backend
from trytond.model import ModelSQL, Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction, TransactionError

_LONGEST_WAIT = "30s"


class Lock(ModelSQL):
    "What was done by one transaction at a time, as a number, and how often"

    __name__ = "tenure.lock"
    number = fields.Integer("Number", required=True)
    number._sql_type = "BIGINT"
    taken = fields.Integer("Taken", required=True)
    taken._sql_type = "BIGINT"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(("number_unique", Unique(table, table.number), "tenure.msg_lock_number"))


class Busy(TransactionError):
    """Somebody else is at it. The server calls `fix`, which waits, and then runs the whole transaction again."""

    def __init__(self, number):
        super().__init__()
        self._number = number

    def fix(self, extras):
        super().fix(extras)
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        cursor.execute(f"SET LOCAL lock_timeout = '{_LONGEST_WAIT}'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (self._number,))
        transaction.rollback()


def alone(name):
    """Be the only transaction that does what `name` names, until its end, and see all that the others did of it.

    SQLite has one writer at a time anyway.
    """
    if backend.name != "postgresql":
        return
    number = int.from_bytes(hashlib.sha256(f"tenure:{name}".encode()).digest()[:8], "big", signed=True)
    cursor = Transaction().connection.cursor()
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (number,))
    if not cursor.fetchone()[0]:
        raise Busy(number)
    table = Pool().get("tenure.lock").__table__()
    again = Conflict(table, indexed_columns=[table.number], columns=[table.taken], values=[table.taken + 1])
    cursor.execute(*table.insert([table.number, table.taken], [[number, 1]], on_conflict=again))


def alone_in_the_books(company):
    """Post for a company one after the other: its numbers have no gaps and follow the dates.

    Takes the company's strict sequences at once and waits for them, where Tryton would take them one by one, start the
    transaction again for each, and give up when somebody else has one.
    """
    if backend.name != "postgresql":
        return
    alone(f"books:{company.id}")
    transaction = Transaction()
    table = Pool().get("ir.sequence.strict").__table__()
    cursor = transaction.connection.cursor()
    cursor.execute(
        f"SELECT id FROM {table._name} WHERE company = %s OR company IS NULL ORDER BY id FOR UPDATE",  # noqa: S608
        (company.id,),
    )
    transaction._locked_records[table._name].update(row[0] for row in cursor.fetchall())
