"""Who may ask: every request passes here after it was routed, before its endpoint."""

from fastapi import Request

from experience.endpoints import asked


async def admit(request: Request) -> None:
    """Raises LookupError for an endpoint that declares no permission."""
    asked(request)
