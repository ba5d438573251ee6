"""The kill switch: which connections are frozen, and why."""

from collections.abc import Mapping

from sqlmodel import Session, col, select

from store.settings import drop_setting, set_setting, setting
from store.tables import SettingRow

EVERYTHING = "all"
FREEZE = "freeze:"
NO_REASON = "yes"


def freeze(session: Session, connection: str, reason: str) -> None:
    """Again: with the new reason, if there is one."""
    set_setting(session, f"{FREEZE}{connection}", reason or setting(session, f"{FREEZE}{connection}") or NO_REASON)


def thaw(session: Session, connection: str) -> bool:
    """False when it was not frozen."""
    was_frozen = setting(session, f"{FREEZE}{connection}") != ""
    drop_setting(session, f"{FREEZE}{connection}")
    return was_frozen


def frozen(session: Session) -> dict[str, str]:
    """By connection, or "all": why; empty where nobody said."""
    query = select(SettingRow).where(col(SettingRow.name).startswith(FREEZE, autoescape=True))
    rows = session.exec(query.order_by(col(SettingRow.name))).all()
    return {row.name.removeprefix(FREEZE): "" if row.value == NO_REASON else row.value for row in rows}


def freezing(connection: str) -> list[str]:
    """The settings by which a connection is frozen."""
    return [f"{FREEZE}{name}" for name in (EVERYTHING, connection)]


def why_frozen(connection: str, switches: Mapping[str, str]) -> tuple[str, str] | None:
    """What is frozen of which this connection is a part, and why, by its settings; None when it is not."""
    for name in (EVERYTHING, connection):
        if reason := switches.get(f"{FREEZE}{name}"):
            return name, "" if reason == NO_REASON else reason
    return None
