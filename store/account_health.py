"""The risks of a company's contracts, and the one that they roll up to, of which CS is told once."""

from pydantic import BaseModel
from sqlmodel import Session, select

from domain.books import RolledUp
from domain.policies.account_risk import roll_up
from domain.ports import Health
from store.clocks import risk_was_told
from store.database import Database, insert_once
from store.tables import ContractRiskRow, RolledUpRow


class SqlAccountHealth:
    """domain.books.AccountHealth. `scope` keeps the companies of one CS platform apart from those of another."""

    def __init__(self, database: Database, scope: str = "") -> None:
        self._db = database
        self._scope = scope

    async def assess(self, contract: str, health: Health) -> RolledUp:
        return await self._db.write(lambda session: _assess(session, contract, health, _subject(self._scope, health)))

    async def shown(self, contract: str, rolled: RolledUp) -> RolledUp:
        subject = _subject(self._scope, rolled.health)
        return await self._db.write(lambda session: _shown(session, contract, rolled, subject))


class _Shown(BaseModel):
    """What CS was last shown, and whose writes are on their way, or died there: they are in doubt until done."""

    health: Health | None = None
    under_way: list[str] = []


def recall(session: Session, contract: str, health: Health, scope: str) -> None:
    """What CS was shown of a contract, as its lifecycle remembers it: a store that was restored may have forgotten."""
    row = _rolled_up(session, contract, health, _subject(scope, health))
    others = [each for each in _seen(row).under_way if each != contract]
    row.shown = _Shown(health=Health.model_validate(row.health), under_way=others).model_dump(mode="json")


def _subject(scope: str, health: Health) -> str:
    return f"{scope}/{health.company}" if scope else health.company


def _assess(session: Session, contract: str, health: Health, subject: str) -> RolledUp:
    row = _rolled_up(session, contract, health, subject)
    return _what_to_show(session, row, contract, _seen(row))


def _rolled_up(session: Session, contract: str, health: Health, subject: str) -> RolledUpRow:
    insert_once(session, RolledUpRow(subject=subject, health={}), keys=("subject",))
    row = _locked(session, subject)  # from here on nobody else reckons for this company
    risk = ContractRiskRow(contract=contract, subject=subject, health=health.model_dump(mode="json"))
    if not insert_once(session, risk, keys=("contract",)):
        session.get_one(ContractRiskRow, contract).sqlmodel_update({"subject": subject, "health": risk.health})
        session.flush()
    contracts = session.exec(select(ContractRiskRow).where(ContractRiskRow.subject == subject)).all()
    amounts_to = roll_up({each.contract: Health.model_validate(each.health) for each in contracts})
    if (now := amounts_to.model_dump(mode="json")) != row.health:
        row.health, row.version = now, row.version + 1
    return row


def _shown(session: Session, contract: str, rolled: RolledUp, subject: str) -> RolledUp:
    row = _locked(session, subject)
    others = [each for each in _seen(row).under_way if each != contract]
    return _what_to_show(session, row, contract, _Shown(health=rolled.health, under_way=others))


def _what_to_show(session: Session, row: RolledUpRow, contract: str, seen: _Shown) -> RolledUp:
    """Where there is news, the write counts as under way from here on: nobody knows what becomes of it."""
    health = Health.model_validate(row.health)
    news = seen.health != health or contract in seen.under_way
    if not news:
        risk_was_told(session, contract)
    if news and contract not in seen.under_way:
        seen.under_way.append(contract)
    row.shown = seen.model_dump(mode="json")
    return RolledUp(health=health, version=row.version, news=news)


def _seen(row: RolledUpRow) -> _Shown:
    return _Shown.model_validate(row.shown or {})


def _locked(session: Session, subject: str) -> RolledUpRow:
    return session.exec(select(RolledUpRow).where(RolledUpRow.subject == subject).with_for_update()).one()
