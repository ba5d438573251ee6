"""A connector's acceptance suite in five lines: a kit's test class from a factory of worlds.

    @asynccontextmanager
    async def acme() -> AsyncIterator[AcmeWorld]:
        ...yield AcmeWorld(...)

    TestAcmeErp = erp_contract(acme)

The parameters of a factory are fixtures. `declared` sets what a kit leaves to the vendor (`mapping`, `slowest`). The
class form, a subclass of the kit with a fixture `world`, is the same, and has room for tests of the vendor's own.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest

from tests.kits.crm import CrmContract
from tests.kits.crm_reader import CrmReaderContract
from tests.kits.cs import CsContract
from tests.kits.erp import ErpContract
from tests.kits.erp_records import ErpRecordsContract
from tests.kits.feed import FeedContract
from tests.kits.support import SupportContract
from tests.kits.usage import UsageContract

Factory = Callable[..., AbstractAsyncContextManager[Any]]


def contract(kit: type, factory: Factory, **declared: Any) -> Any:
    """The kit's class, whose worlds the factory makes, a new one for each test."""

    async def world(self: object, **fixtures: Any) -> AsyncIterator[Any]:
        async with factory(**fixtures) as made:
            yield made

    known = inspect.signature(factory).parameters
    wanted = [name for name, parameter in known.items() if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in wanted]
    world.__signature__ = inspect.Signature([itself, *named])  # type: ignore[attr-defined]  # pytest reads it
    return type(f"{kit.__name__}Of", (kit,), {"world": pytest.fixture(world), **declared})


crm_contract = partial(contract, CrmContract)
crm_reader_contract = partial(contract, CrmReaderContract)
cs_contract = partial(contract, CsContract)
erp_contract = partial(contract, ErpContract)
erp_records_contract = partial(contract, ErpRecordsContract)
feed_contract = partial(contract, FeedContract)
support_contract = partial(contract, SupportContract)
usage_contract = partial(contract, UsageContract)
