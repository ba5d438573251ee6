"""The versions of the workflow code that Temporal knows, and the lifecycles on each of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DeleteWorkerDeploymentVersionRequest,
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkflowExecutionResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.mistakes import Mistake, Refusal

T = TypeVar("T")
COMES_UP_WITHIN, SPREADS_WITHIN = 60.0, 10.0
STUCK = "TemporalReportedProblems IS NOT NULL"
POLLS_WITHIN = timedelta(seconds=75)
"""A worker with nothing to do asks for a task every minute."""


@dataclass(frozen=True)
class Version:
    """One build. `status`: as Temporal says it (current, draining, drained, inactive …). `stuck`: how many of its
    lifecycles can't make their task. `last_current`: when it was current last, None if never."""

    build: str
    status: str
    lifecycles: int
    stuck: int
    last_current: datetime | None = None


class Versions:
    """One deployment, in one namespace, on the lifecycles' task queue. Every method raises Mistake when Temporal does
    not answer."""

    def __init__(self, client: Client, name: str, task_queue: str) -> None:
        self._client = client
        self._name = name
        self._queue = task_queue

    # ── versions ────────────────────────────────────────────────────────────────────────────────────────────────

    async def current(self) -> str:
        """The build that new runs begin with; empty where none was ever made current."""
        return (await self._described()).routing_config.current_deployment_version.build_id

    async def list(self) -> list[Version]:
        """Every version that Temporal knows, the newest first, with the lifecycles on it."""
        return [
            Version(
                build=each.deployment_version.build_id,
                status=WorkerDeploymentVersionStatus.Name(each.status).rpartition("STATUS_")[2].lower(),
                lifecycles=await self.count(self.on(each.deployment_version.build_id)),
                stuck=await self.count(self.on(each.deployment_version.build_id), STUCK),
                last_current=_moment(each.last_current_time) or _moment(each.current_since_time),
            )
            for each in sorted(
                (await self._described()).version_summaries,
                key=lambda each: each.create_time.ToMicroseconds(),
                reverse=True,
            )
        ]

    async def make_current(self, build: str) -> None:
        """New runs begin with it from now on; returns once every part of Temporal knows, or should: on a busy server
        it may take longer, and what is told to move before stays. Raises Refusal when no worker of it has come up."""
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self._client.namespace, deployment_name=self._name, build_id=build
        )
        comes_up = asyncio.get_running_loop().time() + COMES_UP_WITHIN
        while not await self._accepted(request):
            if asyncio.get_running_loop().time() > comes_up:
                raise Refusal(f"no worker of version {build} is up: start its workers, then say it again")
            await asyncio.sleep(0.5)
        give_up = asyncio.get_running_loop().time() + SPREADS_WITHIN
        while asyncio.get_running_loop().time() < give_up:
            found = await self._described()
            known = found.routing_config_update_state == RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_COMPLETED
            if known or found.routing_config.current_deployment_version.build_id != build:
                return
            await asyncio.sleep(0.2)

    async def _accepted(self, request: SetWorkerDeploymentCurrentVersionRequest) -> bool:
        """False while no worker of the version has said which queue it serves, as it does with its first poll."""
        try:
            await self._client.workflow_service.set_worker_deployment_current_version(request, retry=True)
        except RPCError as error:
            if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
                return False
            raise Mistake(f"Temporal refuses to make {request.build_id} current: {error.message}") from None
        return True

    async def forget(self, build: str) -> bool:
        """Have Temporal forget a version that no lifecycle is on. False while workers of it are still up, or have been
        within the last minutes: then it forgets by itself later."""
        request = DeleteWorkerDeploymentVersionRequest(
            namespace=self._client.namespace, deployment_version=self._version(build), skip_drainage=True
        )
        try:
            await self._client.workflow_service.delete_worker_deployment_version(request, retry=True)
        except RPCError as error:
            if error.status is RPCStatusCode.FAILED_PRECONDITION:
                return False
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Mistake(f"Temporal can't forget version {build}: {error.message}") from None
        return True

    async def polling(self) -> dict[str, datetime]:
        """The builds whose workers have asked for a task lately, and when they did last."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=self._queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        found: dict[str, datetime] = {}
        for each in (await _asked(self._client.workflow_service.describe_task_queue(request, retry=True))).pollers:
            at, build = each.last_access_time.ToDatetime(tzinfo=UTC), each.deployment_options.build_id or "unnamed"
            if datetime.now(UTC) - at < POLLS_WITHIN:
                found[build] = max(at, found.get(build, at))
        return found

    async def _described(self) -> WorkerDeploymentInfo:
        request = DescribeWorkerDeploymentRequest(namespace=self._client.namespace, deployment_name=self._name)
        try:
            answer = await self._client.workflow_service.describe_worker_deployment(request, retry=True)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise Refusal(
                    f"Temporal knows no deployment {self._name!r}: start workers with deploys.pinned = true first"
                ) from None
            raise Mistake(f"Temporal does not say which versions there are: {error.message}") from None
        return answer.worker_deployment_info

    def _version(self, build: str) -> WorkerDeploymentVersion:
        return WorkerDeploymentVersion(deployment_name=self._name, build_id=build)

    # ── lifecycles ──────────────────────────────────────────────────────────────────────────────────────────────

    def on(self, build: str) -> str:
        return f"TemporalWorkerDeploymentVersion = '{self._name}:{build}'"

    def not_on(self, build: str) -> str:
        """On another version, or on none."""
        one = f"TemporalWorkerDeploymentVersion != '{self._name}:{build}'"
        return f"({one} OR TemporalWorkerDeploymentVersion IS NULL)"

    def open(self, *that: str) -> str:
        """A visibility query for open lifecycles that meet every condition."""
        ours = f"WorkflowType = 'CustomerLifecycle' AND ExecutionStatus = 'Running' AND TaskQueue = '{self._queue}'"
        return " AND ".join((ours, *that))

    async def count(self, *that: str) -> int:
        """How many open lifecycles meet every condition."""
        return (await _asked(self._client.count_workflows(self.open(*that)))).count

    async def find(self, *that: str, limit: int | None = None) -> AsyncIterator[str]:
        """The workflow ids of open lifecycles that meet every condition."""
        try:
            async for each in self._client.list_workflows(self.open(*that), limit=limit):
                yield each.id
        except RPCError as error:
            raise Mistake(f"Temporal does not list the lifecycles: {error.message}") from None

    async def nudge(self, workflow_id: str) -> None:
        """Have a lifecycle go on as a new run. One that is over needs nothing."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal("begin_anew")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Mistake(f"Temporal takes no signal: {error.message}") from None

    async def lives_on(self, workflow_id: str, build: str) -> bool:
        """Whether the lifecycle has done its last task on this version, and none is failing; or it is over."""
        found = await self._where(workflow_id)
        if found is None:
            return True
        moved = found.workflow_execution_info.versioning_info.deployment_version.build_id == build
        return moved and found.pending_workflow_task.attempt <= 1

    async def fails(self, workflow_id: str) -> bool:
        """Whether its task has failed twice. Once may be a worker that was stopped."""
        found = await self._where(workflow_id)
        return found is not None and found.pending_workflow_task.attempt > 2

    async def _where(self, workflow_id: str) -> DescribeWorkflowExecutionResponse | None:
        """None: it is over."""
        try:
            described = (await self._client.get_workflow_handle(workflow_id).describe()).raw_description
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise Mistake(f"Temporal does not say where {workflow_id} is: {error.message}") from None
        return None if described.workflow_execution_info.HasField("close_time") else described

    async def carry(self, workflow_id: str, build: str) -> None:
        """Have a lifecycle make its next task on another version, whatever it is pinned to: for one that can't make it
        where it is. From then on it is pinned to that version."""
        options = WorkflowExecutionOptions(
            versioning_override=VersioningOverride(
                one_time=VersioningOverride.OneTimeOverride(target_deployment_version=self._version(build))
            )
        )
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            workflow_execution_options=options,
            update_mask=FieldMask(paths=["versioning_override"]),
        )
        try:
            await self._client.workflow_service.update_workflow_execution_options(request, retry=True)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Mistake(f"Temporal does not move {workflow_id}: {error.message}") from None


async def _asked(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except RPCError as error:
        raise Mistake(f"Temporal does not answer: {error.message}") from None


def _moment(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds else None
