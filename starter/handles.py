"""The way to a lifecycle that runs: its handle, typed once."""

from temporalio.client import Client, WorkflowHandle

from domain.messages import LifecycleOutcome
from workflows.lifecycle import CustomerLifecycle

LifecycleHandle = WorkflowHandle[CustomerLifecycle, LifecycleOutcome]


def lifecycle_handle(client: Client, workflow_id: str) -> LifecycleHandle:
    """Of the run that is the newest when it is asked."""
    return client.get_workflow_handle_for(CustomerLifecycle.run, workflow_id)
