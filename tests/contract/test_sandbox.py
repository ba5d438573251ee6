"""The adapters of the sandbox pass every kit."""

from collections.abc import AsyncIterator

import pytest

from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from adapters.support.sandbox import SandboxSupport
from adapters.usage.sandbox import SandboxUsage
from tests.kits.crm import CrmContract
from tests.kits.cs import CsContract
from tests.kits.erp import ErpContract
from tests.kits.sandbox import SandboxWorld, sandbox_world
from tests.kits.support import SupportContract
from tests.kits.usage import UsageContract


class TestSandboxCrm(CrmContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SandboxCrm]]:
        async with sandbox_world("crm", SandboxCrm) as world:
            yield world


class TestSandboxErp(ErpContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SandboxErp]]:
        async with sandbox_world("erp", SandboxErp) as world:
            yield world


class TestSandboxCs(CsContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SandboxCs]]:
        async with sandbox_world("cs", SandboxCs) as world:
            yield world


class TestSandboxSupport(SupportContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SandboxSupport]]:
        async with sandbox_world("support", SandboxSupport) as world:
            yield world


class TestSandboxUsage(UsageContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld[SandboxUsage]]:
        async with sandbox_world("usage", SandboxUsage) as world:
            yield world
