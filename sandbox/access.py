"""What a system lets its callers do, and which custom fields it has: everything, until somebody takes it away."""

from typing import Any

from pydantic import BaseModel

from sandbox.api import Api, Call, Problem
from sandbox.box import Box

SYSTEMS = ("crm", "erp", "cs", "support", "usage")

# By system: the fields that an installation adds to records, so that they can be found again.
CUSTOM: dict[str, tuple[str, ...]] = {
    "crm": (
        "Tenure_Contract__c", "Tenure_Status__c", "Tenure_Renewal_Date__c", "ERP_Customer__c", "ERP_Subscription__c",
        "Tenure_External_Id__c", "Tenure_Renews_Opportunity__c",
    ),
    "erp": ("external_id",),
    "cs": ("external_id", "parent_external_id"),
    "support": (),
    "usage": (),
}  # fmt: skip


class Restriction(BaseModel):
    """A system is only read, or lacks custom fields; an empty one lifts it. A restarted box has none."""

    system: str
    read_only: bool = False
    without: list[str] = []


def check(box: Box, call: Call, *, reads: bool) -> None:
    """Raises the problem of a call that a restriction forbids."""
    restriction = box.restrictions.get(call.system)
    if restriction is None or reads:
        return
    if restriction.read_only:
        raise Problem(403, "forbidden", "these credentials may only read")
    missing = [name for name in restriction.without if isinstance(call.body, dict) and call.body.get(name) is not None]
    if missing:
        raise Problem(400, "malformed", f"no such field: {', '.join(missing)}")


def whoami(box: Box, call: Call) -> dict[str, Any]:
    """What the caller may do here, which custom fields there are, and what o'clock it is."""
    restriction = box.restrictions.get(call.system) or Restriction(system=call.system)
    return {
        "system": call.system,
        "clock": box.clock.now().isoformat(),
        "may_write": not restriction.read_only,
        "fields": [name for name in CUSTOM[call.system] if name not in restriction.without],
    }


def access_api(system: str) -> Api:
    api = Api(system)
    api.operation("GET", "/whoami")(whoami)
    return api
