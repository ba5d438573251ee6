"""Switches of the whole installation, as text by name."""

from collections.abc import Collection

from sqlalchemy import bindparam
from sqlmodel import Session, col, delete, select

from store.database import insert_once
from store.tables import SettingRow


def setting(session: Session, name: str, default: str = "") -> str:
    row = session.get(SettingRow, name)
    return default if row is None else row.value


_NAMED = select(SettingRow.name, SettingRow.value).where(col(SettingRow.name).in_(bindparam("names", expanding=True)))


def settings_of(session: Session, names: Collection[str]) -> dict[str, str]:
    """Those of `names` that are set, in one question."""
    rows = session.connection().execute(_NAMED, {"names": list(names)}).all()
    return {row.name: row.value for row in rows}


def set_setting(session: Session, name: str, value: str) -> None:
    if not insert_once(session, SettingRow(name=name, value=value), keys=("name",)):
        session.get_one(SettingRow, name, with_for_update=True, populate_existing=True).value = value


def drop_setting(session: Session, name: str) -> None:
    session.exec(delete(SettingRow).where(col(SettingRow.name) == name))
