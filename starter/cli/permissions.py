"""What each command needs of who gives it. A command that is not here can't be given; a test finds one."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.access import Permission as P

Arguments = Mapping[str, Any]
Needed = P | Callable[[Arguments], P]


def _stages(given: Arguments) -> P:
    return P.LIFECYCLE_STAGE if any("=" in word for word in given["what"] or []) else P.LIFECYCLE_READ


def _event(given: Arguments) -> P:
    if not str(given["what"]).isdecimal():
        return P.EVENT_SEND
    return P.EVENT_REPLAY if given["again"] else P.EVENT_READ


def _limit(given: Arguments) -> P:
    changes = any(given[name] is not None for name in ("per_second", "burst", "concurrent"))
    return P.CONNECTION_FREEZE if changes or given["unlimited"] or given["reset"] else P.CONNECTION_READ


def _check(given: Arguments) -> P:
    return P.LIFECYCLE_READ if given["contract"] else P.STACK_OPERATE  # of every contract, or of one that is served


OPEN = (
    *("access", "api", "demo", "events", "glossary", "map check", "reconcile kinds", "simulate", "terms explain"),
    *("down", "setup", "status", "up"),
)
"""What says nothing of any contract, and what only who runs the processes of this machine can do anyhow."""

NEEDED: Mapping[str, Needed] = {
    "accounts list": P.ACCOUNT_READ,
    "accounts merge": P.ACCOUNT_REGROUP,
    "accounts split": P.ACCOUNT_REGROUP,
    "accounts undo": P.ACCOUNT_REGROUP,
    "amend": P.LIFECYCLE_CHANGE,
    "approve": P.BILLING_APPROVE,
    "audit": P.AUDIT_READ,
    "cancel": P.LIFECYCLE_END,
    "cases assign": P.CASE_WORK,
    "cases each assign": P.CASE_WORK,
    "cases each resolve": P.CASE_RESOLVE,
    "cases each retry": P.CASE_RETRY,
    "cases each tag": P.CASE_WORK,
    "cases edit": P.CASE_EDIT,
    "cases list": P.CASE_READ,
    "cases note": P.CASE_WORK,
    "cases resolve": P.CASE_RESOLVE,
    "cases retry": P.CASE_RETRY,
    "cases show": P.CASE_READ,
    "cases snooze": P.CASE_WORK,
    "cases tag": P.CASE_WORK,
    "changes": P.LIFECYCLE_READ,
    "connections": P.CONNECTION_READ,
    "connections check": P.CONNECTION_READ,
    "connections limit": _limit,
    "cost": P.LIFECYCLE_READ,
    "consolidate": P.ACCOUNT_REGROUP,
    "coterm": P.LIFECYCLE_CHANGE,
    "deploy": P.STACK_OPERATE,
    "deploy rollback": P.STACK_OPERATE,
    "deploy status": P.BACKLOG_READ,
    "end": P.LIFECYCLE_END,
    "event": _event,
    "export": P.EXPORT_READ,
    "extend": P.LIFECYCLE_CHANGE,
    "fast-forward": P.SIMULATION_RUN,
    "fix": P.LIFECYCLE_FIX,
    "forecast": P.RENEWAL_FORECAST,
    "forecasts": P.FORECAST_READ,
    "freeze": P.CONNECTION_FREEZE,
    "hold": P.BILLING_HOLD,
    "import contracts": P.IMPORT_RUN,
    "import promote": P.IMPORT_RUN,
    "import report": P.LIFECYCLE_READ,
    "import status": P.LIFECYCLE_READ,
    "leaders": P.MEASURE_READ,
    "leakage": P.LEAKAGE_READ,
    "list": P.LIFECYCLE_READ,
    "milestone": P.MILESTONE_REPORT,
    "move": P.LIFECYCLE_CHANGE,
    "notice": P.RENEWAL_DECIDE,
    "notices": P.SLA_READ,
    "notices retry": P.SLA_MANAGE,
    "notices show": P.SLA_READ,
    "pause": P.LIFECYCLE_CHANGE,
    "po": P.BILLING_HOLD,
    "price-notice": P.BILLING_HOLD,
    "reconcile ignore": P.RECONCILIATION_REPAIR,
    "reconcile list": P.RECONCILIATION_READ,
    "reconcile repair": P.RECONCILIATION_REPAIR,
    "reconcile run": P.RECONCILIATION_RUN,
    "reconcile runs": P.RECONCILIATION_READ,
    "reconcile show": P.RECONCILIATION_READ,
    "reject": P.BILLING_APPROVE,
    "release": P.BILLING_HOLD,
    "renew": P.RENEWAL_DECIDE,
    "relearn": P.EVENT_REPLAY,
    "replay": P.EVENT_REPLAY,
    "replay-check": _check,
    "resume": P.LIFECYCLE_CHANGE,
    "show": P.LIFECYCLE_READ,
    "sla": P.SLA_READ,
    "signal": P.EVENT_SEND,
    "split-contract": P.ACCOUNT_REGROUP,
    "stages": _stages,
    "start": P.LIFECYCLE_START,
    "subscribers": P.BACKLOG_READ,
    "subscribers retry": P.SUBSCRIBER_SETTLE,
    "subscribers skip": P.SUBSCRIBER_SETTLE,
    "thaw": P.CONNECTION_FREEZE,
    "tokens": P.TOKEN_READ,
    "tokens create": P.TOKEN_MANAGE,
    "tokens revoke": P.TOKEN_MANAGE,
    "undo": P.LIFECYCLE_CHANGE,
    "watch": P.LIFECYCLE_READ,
    "what-if": P.LIFECYCLE_READ,
    "withdraw": P.RENEWAL_DECIDE,
}
