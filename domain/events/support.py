"""What the help desk says. It owns its cases."""

from pydantic import Field

from domain.events.base import OfAccount, event

OF_SUPPORT = "tenure.support_case."
_LEVEL = "when the open cases of severity 1 or 2 change"


class SupportCase(OfAccount):
    """A snapshot of a support case: severity 1 (worst) to 4; a lower `version` is history."""

    case: str = Field(min_length=1, description="id of the case in the help desk")
    severity: int = Field(description="1 (worst) to 4")
    version: int = Field(ge=0, lt=10**18, description="the case's version in the help desk; it grows with every change")


@event("tenure.support_case.opened.v1", owner="support", truth="support", subject="account", wakes=_LEVEL)
class SupportCaseOpened(SupportCase):
    """A case was opened, or opened again."""


@event(
    "tenure.support_case.severity_changed.v1",
    owner="support",
    truth="support",
    subject="account",
    wakes=_LEVEL,
    since="0.2",
)
class SupportCaseSeverityChanged(SupportCase):
    """An open case is more, or less, severe than it was."""


@event("tenure.support_case.closed.v1", owner="support", truth="support", subject="account", wakes=_LEVEL)
class SupportCaseClosed(SupportCase):
    """A case was solved or withdrawn."""
