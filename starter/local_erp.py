"""Which ERP the local stack brings up: the sandbox's, or a real one beside it, to which new orders then go."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

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
    """The local stack's ERP. `system`: where new orders go; unless it is said, what the last `tenure up --erp` chose,
    else the sandbox. `keep_tryton`: Tryton runs, also beside the sandbox, for the lifecycles that live with it.
    """

    system: ErpName | None = None
    keep_tryton: bool = False
    port: int = Field(8702, ge=1, le=65535)


def with_local_erp(settings: "Settings", chosen: ErpName | None = None) -> "Settings":
    """The settings of a stack with this ERP (`chosen`, else configured, else remembered).

    Tryton is a connection `tryton` beside the configured ones, and the first route of kind erp. What lives with one ERP
    stays with it, whatever is chosen later: only new orders go elsewhere.
    """
    remembered = _remembered(settings.state_path)
    system = chosen or settings.erp.system or remembered.system or "sandbox"
    keep = settings.erp.keep_tryton or remembered.keep_tryton or system == TRYTON
    erp = settings.erp.model_copy(update={"system": system, "keep_tryton": keep})
    if not keep:
        return settings.model_copy(update={"erp": erp})
    if TRYTON in settings.connections or TRYTON in settings.feeds:
        raise Mistake(f"connections.{TRYTON}: the name is the local ERP's; give yours another")
    for name, port in settings.ports().items():
        if port == erp.port and name != "erp.port":
            raise Mistake(f"erp.port and {name} are both {port}")
    connection = Connection(
        kind="erp",
        adapter="tryton",
        base_url=f"http://127.0.0.1:{erp.port}",
        user=USER,
        password=Secret(generated=PASSWORD),
        database=DATABASE,
    )
    others = [name for name, each in settings.connections.items() if each.kind == "erp"]
    to = [TRYTON] if system == TRYTON else others if len(others) == 1 else []  # several have routes of their own
    return settings.model_copy(
        update={
            "erp": erp,
            "connections": {**settings.connections, TRYTON: connection},
            "routes": (*(Route(kind="erp", connection=name) for name in to), *settings.routes),
            "feeds": {**settings.feeds, TRYTON: Feed(connection=TRYTON, adapter="tryton", every=5, jitter=0)},
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
    path = settings.state_path / CHOICE
    draft = path.with_suffix(".draft")
    draft.write_text(settings.erp.model_dump_json(include={"system", "keep_tryton"}), "utf-8")
    draft.replace(path)  # whoever dies before it has chosen nothing


def _remembered(state: Path) -> LocalErp:
    path = state / CHOICE
    try:
        return LocalErp.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return LocalErp()
    except (OSError, ValidationError):
        # to take the sandbox's would send new orders, in silence, to another ERP
        raise Mistake(f"{path} can't be read: remove it, then choose again with `tenure up --erp`") from None
