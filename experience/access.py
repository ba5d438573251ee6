"""Who may ask: every request passes here after it was routed, before its endpoint."""

from fastapi import Request

from domain.access import default_policy, demo_principal
from experience.endpoints import asked


async def admit(request: Request) -> None:
    """Says who asks, as `request.state.principal`. Raises LookupError for an endpoint that declares no permission."""
    asked(request)
    request.state.principal = demo_principal(default_policy())
