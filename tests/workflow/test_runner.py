"""In what a lifecycle's code runs: the sandbox holds, and whoever encodes payloads is asked as the SDK would."""

import dataclasses
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from starter.runner import ContextFreeRunner, OneSandboxRunner, runner_for


@activity.defn(name="runner.echo")
async def echo(word: str) -> str:
    return word


@workflow.defn(name="RunnerProbe")
class Probe:
    @workflow.run
    async def run(self, word: str) -> str:
        if word == "clock":
            return str(time.time())
        return await workflow.execute_activity(echo, word, start_to_close_timeout=timedelta(seconds=5))


@dataclasses.dataclass
class Signing(PayloadCodec, WithSerializationContext):
    """Signs each payload with what it belongs to, and takes none that belongs to another."""

    activity: str = ""
    seen: set[str] = dataclasses.field(default_factory=set)

    def with_context(self, context: SerializationContext) -> Self:
        about = (isinstance(context, ActivitySerializationContext) and context.activity_type) or ""
        return dataclasses.replace(self, activity=about)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        self.seen.add(self.activity)
        return [self._signed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        for payload in payloads:
            if payload.metadata.pop("of", b"nobody").decode() != self.activity:
                raise ValueError("a payload of something else")
        return list(payloads)

    def _signed(self, payload: Payload) -> Payload:
        signed = Payload()
        signed.CopyFrom(payload)
        signed.metadata["of"] = self.activity.encode()
        return signed


async def lived(client: Client, word: str) -> str:
    queue = f"runner-{uuid.uuid4().hex[:8]}"
    runner = runner_for(client.data_converter)
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Probe],
        activities=[echo],
        workflow_runner=runner,
        workflow_failure_exception_types=[Exception],
    ):
        return await client.execute_workflow(Probe.run, word, id=queue, task_queue=queue)


async def test_the_code_of_a_lifecycle_stays_in_the_sandbox(temporal: Client) -> None:
    assert isinstance(runner_for(temporal.data_converter), ContextFreeRunner)
    assert await lived(temporal, "a word") == "a word"
    with pytest.raises(WorkflowFailureError) as failed:
        await lived(temporal, "clock")
    assert "time.time" in str(failed.value.cause)


async def test_a_codec_is_told_what_it_encodes_for(temporal: Client) -> None:
    codec = Signing()
    converter = dataclasses.replace(temporal.data_converter, payload_codec=codec)
    assert type(runner_for(converter)) is OneSandboxRunner
    client = Client(temporal.service_client, data_converter=converter)
    assert await lived(client, "a word") == "a word"
    assert codec.seen == {"", "runner.echo"}
