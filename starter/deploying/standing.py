"""How far a deploy is: the versions, how many lifecycles live on each, and which can't go on."""

from pydantic import BaseModel
from temporalio.client import Client

from starter.deploying.build import code_build
from starter.deploying.in_place import open_lives, read_visit
from starter.deploying.versions import STUCK, Versions
from starter.settings import Settings
from store.database import Database

NAMED = 20


class VersionStanding(BaseModel):
    """One version. `status`: current, draining, drained or inactive, as Temporal says it; `lifecycles` live on it,
    `stuck` of them can't make their task. `works`: whether a worker of it has asked for a task lately."""

    build: str
    status: str
    lifecycles: int
    stuck: int
    works: bool


class Standing(BaseModel):
    """`build`: of the code that was asked. `unversioned`: lifecycles that no version is known of. `visited`: in place,
    how many this code has looked at. `stuck`: workflow ids, at most twenty of them."""

    pinned: bool
    build: str
    open: int
    versions: list[VersionStanding]
    unversioned: int = 0
    visited: int = 0
    stuck: list[str] = []


def versions_of(client: Client, settings: Settings) -> Versions:
    return Versions(client, settings.deploys.name, settings.temporal.task_queue_prefix)


async def standing(client: Client, database: Database, settings: Settings) -> Standing:
    """Raises Mistake when Temporal does not answer."""
    versions, build = versions_of(client, settings), code_build()
    polling = await versions.polling()
    stuck = [each async for each in versions.find(STUCK, limit=NAMED)]
    if settings.deploys.pinned:
        known = [
            VersionStanding(
                build=each.build,
                status=each.status,
                lifecycles=each.lifecycles,
                stuck=each.stuck,
                works=each.build in polling,
            )
            for each in await versions.list()
        ]
        unversioned = await versions.count("TemporalWorkerDeploymentVersion IS NULL")
        return Standing(
            pinned=True,
            build=build,
            open=await versions.count(),
            versions=known,
            unversioned=unversioned,
            stuck=stuck,
        )
    visit = await database.read(read_visit)
    lives = await database.read(open_lives)
    at_work = [
        VersionStanding(build=each, status="at work", lifecycles=0, stuck=0, works=True) for each in sorted(polling)
    ]
    visited = visit.visited if visit.build == build else 0
    return Standing(pinned=False, build=build, open=lives, versions=at_work, visited=visited, stuck=stuck)
