"""The sandbox that a worker runs lifecycles in: `lifecycle.py` is imported anew for each run, what it is made of once.

To import all of it for every run took 70 ms of the processor, this takes 25 (docs/adr/0039). No module here keeps a
state of its own. The replay gate runs in the full sandbox: what a workflow may not call is refused there, in whichever
file it stands.
"""

from pkgutil import iter_modules

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import workflows

ANEW = "lifecycle"


def runner() -> SandboxedWorkflowRunner:
    """For a worker's `workflow_runner`."""
    once = [f"workflows.{module.name}" for module in iter_modules(workflows.__path__) if module.name != ANEW]
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*once))
