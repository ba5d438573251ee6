"""The capability API, version 1: one file per capability."""

from fastapi import APIRouter

from experience.api import (
    accounts,
    activations,
    backlog,
    cases,
    entitlements,
    figures,
    glossary,
    invoices,
    lifecycles,
    reconciliation,
    renewals,
    sla,
)

API = "/api/v1"

CAPABILITIES = (
    *(accounts, activations, backlog, cases, entitlements, figures),
    *(glossary, invoices, lifecycles, reconciliation, renewals, sla),
)

router = APIRouter()
for capability in CAPABILITIES:
    router.include_router(capability.router)
