"""What a simulation needs of its surroundings: the composition root gives it (wiring.open_simulation)."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from temporalio.client import Client

from domain.company import Company
from domain.ports import OnboardingTask
from domain.recorded import Recorded
from domain.routes import Landscape
from domain.state import LifecycleState
from store.database import Database


class World(Protocol):
    """The recording systems, together."""

    @property
    def effects(self) -> Sequence[Recorded]: ...
    @property
    def names(self) -> frozenset[str]: ...
    def outage(self, system: str, begins: datetime, ends: datetime) -> None: ...
    def knows(self, account: str, deal: str, parent: str | None = None) -> None: ...
    def hears(self, account: str, event: object) -> None: ...
    def holds(self, state: LifecycleState, tasks: Sequence[OnboardingTask]) -> None: ...


class House(Protocol):
    """Where one life is lived: a store of its own, workers on a task queue of its own, the world outside."""

    @property
    def database(self) -> Database: ...
    @property
    def world(self) -> World: ...
    @property
    def task_queue(self) -> str: ...


class OpenHouse(Protocol):
    def __call__(
        self, client: Client, company: Company, landscape: Landscape, *, task_queue: str
    ) -> AbstractAsyncContextManager[House]: ...


Say = Callable[[str], None]
