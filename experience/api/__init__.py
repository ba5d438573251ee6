"""The capability API, version 1: one file per capability."""

from fastapi import APIRouter

from experience.api import lifecycles

API = "/api/v1"

router = APIRouter()
for capability in (lifecycles,):
    router.include_router(capability.router)
