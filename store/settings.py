"""Switches of the whole installation, as text by name."""

from sqlmodel import Session

from store.database import insert_once
from store.tables import SettingRow


def setting(session: Session, name: str, default: str = "") -> str:
    row = session.get(SettingRow, name)
    return default if row is None else row.value


def set_setting(session: Session, name: str, value: str) -> None:
    if not insert_once(session, SettingRow(name=name, value=value), keys=("name",)):
        session.get_one(SettingRow, name).value = value


def drop_setting(session: Session, name: str) -> None:
    row = session.get(SettingRow, name)
    if row is not None:
        session.delete(row)
