"""The capability API, version 1: one file per capability."""

from fastapi import APIRouter

from experience.api import (
    accounts,
    activations,
    audit,
    backlog,
    case_commands,
    cases,
    changes,
    entitlements,
    exports,
    figures,
    finance_commands,
    glossary,
    invoices,
    lifecycle_commands,
    lifecycles,
    reconciliation,
    renewals,
    repairs,
    sla,
)

API = "/api/v1"

CAPABILITIES = (
    *(accounts, activations, audit, backlog, cases, entitlements, exports, figures),
    *(glossary, invoices, lifecycles, reconciliation, renewals, sla),
    *(case_commands, changes, finance_commands, lifecycle_commands, repairs),
)

router = APIRouter()
for capability in CAPABILITIES:
    router.include_router(capability.router)
