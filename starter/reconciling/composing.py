"""Putting reconciliation together over the connected systems."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from temporalio.client import Client

from starter.office import Office
from starter.reconciling.lives import OfficeLives
from starter.reconciling.reading import Source
from starter.reconciling.reconciler import Reconciler
from starter.reconciling.repairs import Hands, Performing, Repairs
from starter.reconciling.runs import CONNECTION, Runs
from starter.settings import Settings
from store.database import Database


class Connected(Protocol):
    """A connected system. Its adapter has `records` where it can list what it holds (domain/ports/records.py)."""

    @property
    def kind(self) -> Any: ...
    @property
    def port(self) -> Any: ...


def reconciler(settings: Settings, database: Database, client: Client, systems: Mapping[str, Connected]) -> Reconciler:
    """Over every system that can be listed, and Temporal's own list."""
    sources = {
        name: Source(name, each.kind, each.port.records)
        for name, each in systems.items()
        if hasattr(each.port, "records")
    }
    sources[CONNECTION] = Source(CONNECTION, "workflow", Runs(client, settings.tenant))
    settle = timedelta(seconds=settings.reconciliation.settle)
    return Reconciler(database, sources, settings.landscape.homes, settle=settle)


def repairs(office: Office, reconciler: Reconciler, systems: Mapping[str, Connected], perform: Performing) -> Repairs:
    """With the steps as a worker performs them, and the adapters that set records right."""
    menders = {name: each.port.records for name, each in systems.items() if hasattr(each.port, "records")}
    return Repairs(office.database, reconciler, Hands(perform, menders, OfficeLives(office)))
