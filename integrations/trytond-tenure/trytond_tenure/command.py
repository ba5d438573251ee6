# SPDX-License-Identifier: GPL-3.0-or-later
"""`tenure.command`: what may be asked of the ERP, each effect once, and the ledger that sees to it."""

import datetime as dt
import hashlib
import json
from contextlib import contextmanager

from sql import Conflict
from trytond.model import Model, ModelSQL, Unique, fields
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from .arguments import Arguments
from .errors import INVALID, KEY_MISMATCH, TenureError, coded


class Request(ModelSQL):
    "Ledger of commands: one row per key, written in the effect's own transaction"

    __name__ = "tenure.request"
    key = fields.Char("Key", required=True, strip=False)
    operation = fields.Char("Operation", required=True)
    digest = fields.Char("Digest of the arguments", required=True)
    result = fields.Text("Result")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints.append(("key_unique", Unique(table, table.key), "tenure.msg_request_key"))
        cls._order = [("id", "DESC")]

    @classmethod
    def claim(cls, key, operation, digest):
        """Take the key for this transaction: (row, None), or (row, answer) where it was done before.

        A concurrent duplicate waits on the unique index. If the other one commits, PostgreSQL raises a serialization
        failure here, since the row is newer than our snapshot; the server then runs us again and we find the answer.
        """
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        values = [key, operation, digest, Transaction().user, dt.datetime.now(dt.UTC).replace(tzinfo=None)]
        columns = [table.key, table.operation, table.digest, table.create_uid, table.create_date]
        cursor.execute(*table.insert(columns, [values], on_conflict=Conflict(table)))
        ours = cursor.rowcount == 1
        cursor.execute(*table.select(table.id, table.operation, table.digest, table.result, where=table.key == key))
        row, known_operation, known_digest, result = cursor.fetchone()
        if ours:
            return row, None
        if (known_operation, known_digest) != (operation, digest):
            raise TenureError(KEY_MISMATCH, f"the key {key!r} was used for other arguments of {known_operation}")
        return row, json.loads(result)

    @classmethod
    def finish(cls, row, result):
        table = cls.__table__()
        Transaction().connection.cursor().execute(
            *table.update([table.result], [json.dumps(result, sort_keys=True)], where=table.id == row)
        )


class Command(Model):
    """The operations. Other classes of this module add them, as `do_<operation>` and `read_<operation>`."""

    __name__ = "tenure.command"
    # What of the arguments makes two calls with one key mean the same. Others compare all of them.
    _identity = {"create_customer": ("account", "selling_entity")}

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update(perform=RPC(readonly=False), read=RPC())

    @classmethod
    def perform(cls, key, operation, arguments):
        """Have an effect once: the same key with the same arguments is answered with the stored result.

        Nothing is stored of what is refused: the same key may be tried again.
        """
        pool = Pool()
        Request, Outbox = pool.get("tenure.request"), pool.get("tenure.outbox")
        pool.get("ir.model.access").check("tenure.request", "create")
        work = cls._operation("do", operation)
        given = Arguments(arguments)
        if not isinstance(key, str) or not key.strip() or len(key) > 500:
            raise TenureError(INVALID, "a key is needed, of at most 500 characters")
        row, answer = Request.claim(key, operation, cls._digest(operation, arguments))
        if answer is not None:
            return answer
        with coded(), Outbox.collecting(), Transaction().set_context(_tenure_key=key):
            answer = work(given)
        Request.finish(row, answer)
        return answer

    @classmethod
    def read(cls, operation, arguments):
        """Answer a question. Changes nothing."""
        Pool().get("ir.model.access").check("tenure.request", "read")
        work = cls._operation("read", operation)
        with coded():
            return work(Arguments(arguments))

    @classmethod
    def _operation(cls, kind, name):
        work = getattr(cls, f"{kind}_{name}", None) if isinstance(name, str) and name.isidentifier() else None
        if work is None:
            raise TenureError(INVALID, f"there is no operation {name!r}")
        return work

    @classmethod
    def _digest(cls, operation, arguments):
        names = cls._identity.get(operation, arguments)
        meant = {name: arguments.get(name) for name in names if arguments.get(name) is not None}
        text = json.dumps([operation, meant], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    @contextmanager
    def keeping(cls, model, mode="write"):
        """Write what only the module itself may: its fields are read-only to everybody. The right to write or create is
        the user's all the same; `save` would not ask for it."""
        Pool().get("ir.model.access").check(model, mode)
        with without_check_access():
            yield

    @classmethod
    def key(cls):
        """The key of the command that is being performed."""
        return Transaction().context["_tenure_key"]

    @classmethod
    @without_check_access
    def company_of(cls, code):
        """The company of a selling entity, if the user works for it."""
        pool = Pool()
        found = pool.get("company.company").search([("tenure_code", "=", code)])
        if not found:
            raise TenureError(INVALID, f"selling_entity: no company has the code {code!r}")
        if found[0].id not in pool.get("res.user").get_companies():
            raise TenureError(INVALID, f"selling_entity: the user is not allowed to work for {code!r}")
        return found[0]
