"""Which version of the workflow code this is: named by what the code says, so that nobody has to count."""

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from starter.sections import Deploys

LIVES_BY = ("activities", "domain", "workflows")
"""The packages that decide what a lifecycle does next. A change of any other moves nobody."""


def code_build(root: Path | None = None) -> str:
    """The build id of the code below `root`, else of the code that this process runs: the same wherever the same is."""
    found = hashlib.sha256(f"temporalio {version('temporalio')}".encode())
    for package in LIVES_BY:
        place = _place(package) if root is None else root / package
        for file in sorted(place.rglob("*.py")):
            found.update(f"{package}/{file.relative_to(place)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def _place(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(next(iter(spec.submodule_search_locations)))


def this_version(deploys: Deploys) -> WorkerDeploymentConfig:
    """What the worker of the lifecycles says of itself. Where nothing is pinned it is only read by people."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deploys.name, build_id=code_build()),
        use_worker_versioning=deploys.pinned,
        default_versioning_behavior=VersioningBehavior.PINNED if deploys.pinned else VersioningBehavior.UNSPECIFIED,
    )
