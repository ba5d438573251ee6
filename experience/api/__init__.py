"""The capability API, version 1: one file per capability."""

from fastapi import APIRouter

from experience.api import accounts, activations, backlog, cases, entitlements, glossary, invoices, lifecycles, renewals

API = "/api/v1"

router = APIRouter()
for capability in (accounts, activations, backlog, cases, entitlements, glossary, invoices, lifecycles, renewals):
    router.include_router(capability.router)
