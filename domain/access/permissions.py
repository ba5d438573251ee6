"""What can be allowed: a closed list of `<thing>.<verb>`. Whatever is no `.read` is a command."""

from enum import StrEnum
from fnmatch import fnmatchcase


class Permission(StrEnum):
    """One thing that a person or a machine may do. Each endpoint, page and CLI command names exactly one."""

    GLOSSARY_READ = "glossary.read"  # what words mean, the catalog of events, our own version
    LIFECYCLE_READ = "lifecycle.read"  # state, timeline, effects, what happens next
    ORDER_READ = "order.read"  # the order document, with its parties and prices
    ACCOUNT_READ = "account.read"
    BILLING_READ = "billing.read"  # financial status, entitlement, invoice collection
    RENEWAL_READ = "renewal.read"  # eligibility, readiness, decision
    FORECAST_READ = "forecast.read"
    CASE_READ = "case.read"
    BACKLOG_READ = "backlog.read"  # events waiting, latency, dead letters, subscribers, feeds
    SLA_READ = "sla.read"
    MEASURE_READ = "measure.read"  # the leaders' figures
    LEAKAGE_READ = "leakage.read"
    RECONCILIATION_READ = "reconciliation.read"
    CONNECTION_READ = "connection.read"
    EVENT_READ = "event.read"  # an event as it came in
    EXPORT_READ = "export.read"
    AUDIT_READ = "audit.read"
    TOKEN_READ = "token.read"  # noqa: S105 (names a permission)

    LIFECYCLE_START = "lifecycle.start"
    LIFECYCLE_FIX = "lifecycle.fix"  # correct an order, try a step again
    LIFECYCLE_CHANGE = "lifecycle.change"  # amend, extend, co-term, pause, notice, withdraw, undo
    LIFECYCLE_END = "lifecycle.end"  # cancel, terminate
    LIFECYCLE_STAGE = "lifecycle.stage"  # switch stages off or to observing, cut over
    MILESTONE_REPORT = "milestone.report"
    BILLING_HOLD = "billing.hold"  # credit hold, release, purchase order, price notice
    BILLING_APPROVE = "billing.approve"
    RENEWAL_DECIDE = "renewal.decide"
    RENEWAL_FORECAST = "renewal.forecast"
    ACCOUNT_REGROUP = "account.regroup"  # merge and split accounts, link contracts
    CASE_WORK = "case.work"  # assign, tag, note, snooze
    CASE_EDIT = "case.edit"
    CASE_RETRY = "case.retry"
    CASE_RESOLVE = "case.resolve"
    EVENT_SEND = "event.send"
    EVENT_REPLAY = "event.replay"
    SLA_MANAGE = "sla.manage"
    SNAPSHOT_TAKE = "snapshot.take"
    RECONCILIATION_RUN = "reconciliation.run"
    RECONCILIATION_REPAIR = "reconciliation.repair"
    SUBSCRIBER_SETTLE = "subscriber.settle"
    CONNECTION_FREEZE = "connection.freeze"  # freeze, thaw, the ledger's epoch
    IMPORT_RUN = "import.run"
    SIMULATION_RUN = "simulation.run"
    TOKEN_MANAGE = "token.manage"  # noqa: S105 (names a permission)
    STACK_OPERATE = "stack.operate"  # the processes of this machine, set-up, migration, deploys

    @property
    def command(self) -> bool:
        """Whether it changes anything: a command is always audited, a read when it shows what is sensitive."""
        return not self.endswith(".read")


WHOLE = frozenset(
    (
        Permission.ACCOUNT_REGROUP, Permission.AUDIT_READ, Permission.CONNECTION_FREEZE, Permission.EVENT_REPLAY,
        Permission.IMPORT_RUN, Permission.RECONCILIATION_RUN, Permission.SLA_MANAGE, Permission.SNAPSHOT_TAKE,
        Permission.STACK_OPERATE, Permission.SUBSCRIBER_SETTLE, Permission.TOKEN_MANAGE, Permission.TOKEN_READ,
    )
)  # fmt: skip
"""What concerns every contract at once: whoever finds those of some regions only can't do it rightly."""


def matching(globs: tuple[str, ...]) -> frozenset[Permission]:
    """The permissions that any of the globs names, such as `case.*`. ValueError for one that names none."""
    found: set[Permission] = set()
    for glob in globs:
        named = {each for each in Permission if fnmatchcase(each, glob)}
        if not named:
            raise ValueError(f"{glob!r} names no permission; known: {', '.join(Permission)}")
        found |= named
    return frozenset(found)
