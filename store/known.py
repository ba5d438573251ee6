"""What the store knows of contracts, page by page: what reconciliation holds the outside against."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from domain.ports import Health
from domain.view import LifecycleView
from store.database import moment
from store.tables import AliasRow, EffectRow, LifecycleRow, LifecycleViewRow, OrderRow, RolledUpRow


@dataclass(frozen=True)
class KnownContract:
    """`view` None: the lifecycle has shown nothing yet. `rests`: for how long neither view nor ledger has changed, by
    the store's clock. `shown`: by the company's id, what CS was shown, where that is settled."""

    life: LifecycleRow
    view: LifecycleView | None
    document: Mapping[str, Any]
    ledger: Mapping[str, str]
    rests: timedelta | None
    sole: bool
    shown: Mapping[str, Health]


def page(session: Session, after: str = "", limit: int = 200) -> Sequence[KnownContract]:
    """The contracts after one, by their ids."""
    query = select(LifecycleRow).where(LifecycleRow.contract > after).order_by(col(LifecycleRow.contract)).limit(limit)
    return _known(session, session.exec(query).all())


def of(session: Session, contracts: Collection[str]) -> Sequence[KnownContract]:
    query = select(LifecycleRow).where(col(LifecycleRow.contract).in_(contracts))
    return _known(session, session.exec(query.order_by(col(LifecycleRow.contract))).all())


def of_account(session: Session, account: str) -> Sequence[KnownContract]:
    query = select(LifecycleRow).where(LifecycleRow.account == account)
    return _known(session, session.exec(query.order_by(col(LifecycleRow.contract))).all())


def contracts_among(session: Session, names: Collection[str]) -> set[str]:
    """Those that are contracts of ours."""
    return set(session.exec(select(LifecycleRow.contract).where(col(LifecycleRow.contract).in_(names))).all())


def keys_among(session: Session, keys: Collection[str]) -> set[str]:
    """Those that stand in the ledger."""
    return set(session.exec(select(EffectRow.key).where(col(EffectRow.key).in_(keys))).all())


def aliases_among(session: Session, system: str, kind: str, ids: Collection[str]) -> set[str]:
    """Those records outside that find a contract."""
    query = select(AliasRow.foreign_id).where(AliasRow.system == system, AliasRow.kind == kind)
    return set(session.exec(query.where(col(AliasRow.foreign_id).in_(ids))).all())


def _known(session: Session, lives: Sequence[LifecycleRow]) -> Sequence[KnownContract]:
    names = [life.contract for life in lives]
    views = {
        row.contract: row
        for row in session.exec(select(LifecycleViewRow).where(col(LifecycleViewRow.contract).in_(names)))
    }
    documents = _newest_orders(session, names)
    ledgers: dict[str, dict[str, str]] = {name: {} for name in names}
    touched: dict[str, float] = {}
    effects = select(EffectRow.contract, EffectRow.key, EffectRow.state, EffectRow.updated_at)
    for contract, key, state, at in session.exec(effects.where(col(EffectRow.contract).in_(names))):
        ledgers[contract][key] = state
        touched[contract] = max(at, touched.get(contract, 0.0))
    deals = [life.deal for life in lives]
    parts = select(LifecycleRow.deal, func.count()).where(col(LifecycleRow.deal).in_(deals))
    of_deal = dict(session.exec(parts.group_by(LifecycleRow.deal)).all())
    shown, clock = _shown(session, views.values()), moment(session)

    def known(life: LifecycleRow) -> KnownContract:
        row = views.get(life.contract)
        moments = [row.updated_at] if row else []
        if life.contract in touched:
            moments.append(datetime.fromtimestamp(touched[life.contract], tz=life.created_at.tzinfo))
        return KnownContract(
            life=life,
            view=LifecycleView.model_validate(row.view) if row else None,
            document=documents.get(life.contract, {}),
            ledger=ledgers[life.contract],
            rests=clock - max(moments) if moments else None,
            sole=of_deal.get(life.deal, 1) == 1,
            shown=shown,
        )

    return [known(life) for life in lives]


def _newest_orders(session: Session, names: Collection[str]) -> dict[str, dict[str, Any]]:
    orders = select(OrderRow).where(col(OrderRow.contract).in_(names)).order_by(col(OrderRow.revision))
    return {row.contract: row.document for row in session.exec(orders)}


def _shown(session: Session, views: Collection[LifecycleViewRow]) -> dict[str, Health]:
    """By the company's id in its CS platform."""
    companies = [ref for row in views for key, ref in row.view.get("effects", {}).items() if key.startswith("company:")]
    rows = session.exec(select(RolledUpRow).where(col(RolledUpRow.subject).in_(set(companies)))).all()
    settled = {row.subject: row.shown for row in rows if row.shown and not row.shown.get("under_way")}
    return {
        subject: Health.model_validate(shown["health"]) for subject, shown in settled.items() if shown.get("health")
    }
