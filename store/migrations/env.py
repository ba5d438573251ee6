"""Alembic's way in: it works on the connection, and inside the transaction, that store.migrate hands over."""

from alembic import context
from sqlmodel import SQLModel

import store.audit
import store.board
import store.call_times
import store.clocks
import store.commands
import store.contract_calls
import store.difference_tables
import store.erp_states
import store.leaks
import store.limits
import store.notices
import store.sessions
import store.snapshots
import store.tables
import store.tokens
import store.transit  # noqa: F401 (fills the metadata)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite can't alter a column in place
    transactional_ddl=False,  # the transaction is the caller's, who also commits
)
context.run_migrations()
