"""Customer success: companies, onboarding, health, playbooks."""

from collections.abc import Mapping
from datetime import date
from typing import Literal, Protocol

from domain.base import Frozen
from domain.effects import EffectClass
from domain.ports.erp import Ref


class NewCompany(Frozen):
    account: str
    name: str
    parent_account: str | None = None


class OnboardingTask(Frozen):
    """A task of a plan; completing one with a `milestone` completes that milestone."""

    name: str
    due_in_days: int
    milestone: str | None = None


class NewOnboarding(Frozen):
    """A plan launched for a contract, from a template."""

    company: str
    contract: str
    template: str
    starts: date
    tasks: tuple[OnboardingTask, ...]


class Health(Frozen):
    """A company's risk and renewal priority: a LEVEL, set whole."""

    company: str
    risk: Literal["low", "medium", "high"]
    renewal_priority: Literal["normal", "raised", "urgent"]
    lifecycle_stage: str
    reasons: tuple[str, ...]


class NewPlaybook(Frozen):
    company: str
    contract: str
    name: str
    due: date
    steps: tuple[str, ...]


class CustomerSuccess(Protocol):
    effects: Mapping[str, EffectClass]

    async def ensure_company(self, new: NewCompany, *, key: str) -> Ref: ...
    async def launch_onboarding(self, new: NewOnboarding, *, key: str) -> Ref: ...
    async def find_onboarding(self, key: str) -> Ref | None: ...
    async def set_health(self, health: Health) -> None: ...
    async def start_playbook(self, new: NewPlaybook, *, key: str) -> Ref: ...
    async def find_playbook(self, key: str) -> Ref | None: ...
    async def post_note(self, company: str, text: str, *, key: str) -> Ref: ...
    async def open_tasks(self, company: str) -> int: ...
