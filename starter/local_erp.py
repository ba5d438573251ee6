"""Which ERP the local stack brings up: the sandbox's, or a real one beside it, to which new orders then go."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from domain.routes import Route
from starter.mistakes import Mistake
from starter.sections import Connection, Feed, Secret, Section

if TYPE_CHECKING:
    from starter.settings import Settings

ErpName = Literal["sandbox", "tryton"]
ERPS: tuple[ErpName, ...] = ("sandbox", "tryton")
TRYTON = "tryton"  # the name of the connection, and of its feed
DATABASE, USER = "tenure", "tenure"
PASSWORD, ADMIN_PASSWORD = Path("secrets/tryton"), Path("secrets/tryton-admin")
CHOICE = "erp.json"


class LocalErp(Section):
    """The local stack's ERP. `system`: where it isn't said, what the last `tenure up --erp` chose, else the sandbox."""

    system: ErpName | None = None
    port: int = Field(8702, ge=1, le=65535)


def with_local_erp(settings: "Settings", chosen: ErpName | None = None) -> "Settings":
    """The settings of a stack with this ERP (`chosen`, else configured, else remembered).

    Tryton is a connection `tryton` beside the configured ones, and the first route of kind erp: what lives with
    another ERP stays with it, and every new order goes to Tryton.
    """
    system = chosen or settings.erp.system or _remembered(settings.state_path) or "sandbox"
    erp = settings.erp.model_copy(update={"system": system})
    if system == "sandbox":
        return settings.model_copy(update={"erp": erp})
    if taken := [name for table in (settings.connections, settings.feeds) for name in table if name == TRYTON]:
        raise Mistake(
            f"connections.{taken[0]}: the name is the local ERP's; give yours another, or choose no local ERP"
        )
    connection = Connection(
        kind="erp",
        adapter="tryton",
        base_url=f"http://127.0.0.1:{erp.port}",
        user=USER,
        password=Secret(generated=PASSWORD),
        database=DATABASE,
    )
    feed = Feed(connection=TRYTON, adapter="tryton", every=2, jitter=0)
    return settings.model_copy(
        update={
            "erp": erp,
            "connections": {**settings.connections, TRYTON: connection},
            "routes": (Route(kind="erp", connection=TRYTON), *settings.routes),
            "feeds": {**settings.feeds, TRYTON: feed},
        }
    )


def parse_erp(name: str | None) -> ErpName | None:
    """The ERP that a person names; None for none. Raises Mistake when there is no such."""
    for each in ERPS:
        if name == each:
            return each
    if name:
        raise Mistake(f"--erp: {name!r} is not one of {', '.join(ERPS)}")
    return None


def remember(settings: "Settings") -> None:
    """Later commands of this stack mean this ERP, too, until another one is chosen."""
    (settings.state_path / CHOICE).write_text(json.dumps({"system": settings.erp.system}), encoding="utf-8")


def _remembered(state: Path) -> ErpName | None:
    try:
        system = json.loads((state / CHOICE).read_text(encoding="utf-8"))["system"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return next((each for each in ERPS if each == system), None)
