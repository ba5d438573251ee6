"""What stands in the ledger for a record outside that is not there any more: forgotten, or given another id."""

from sqlmodel import Session

from domain.routes import any_of
from store.database import insert_once, now
from store.inbox import unpark
from store.ledger import FOUND_BY, hear_of_deal
from store.lifecycles import link_new
from store.tables import EffectRow


def forget(session: Session, key: str, lost: str) -> bool:
    """Let the effect be done once more, where the ledger still has the record that is lost; or a refusal, since what an
    earlier try was refused for may be mended. Said again after the effect was begun anew it changes nothing: what is
    under way, or done since, stays."""
    row = session.get(EffectRow, key, with_for_update=True)
    if row is None or row.state not in ("DONE", "REFUSED"):
        return False
    if row.state == "DONE" and (row.result or {}).get("id") != lost:
        return False
    row.state, row.result, row.lease_until, row.doubt_since = "RELEASED", None, 0.0, None
    row.reason, row.updated_at = f"{lost} is lost outside", now(session)
    return True


def relink(session: Session, contract: str, key: str, id: str, connection: str) -> None:
    """The key stands for this record from now on, and the record finds its contract."""
    clock = now(session)
    row = EffectRow(
        key=key, contract=contract, operation=f"{connection}.{_METHODS[key.partition(':')[0]]}", state="DONE", fence=0,
        arguments="linked", generation=1, asked_arguments="linked", asked_generation=1, lease_until=0.0,
        result={"id": id}, reason="linked", created_at=clock, updated_at=clock,
    )  # fmt: skip
    if not insert_once(session, row, keys=("key",)):
        there = session.get_one(EffectRow, key, with_for_update=True)
        if there.state != "DONE" or (there.result or {}).get("id") != id:
            there.state, there.result, there.doubt_since = "DONE", {"id": id}, None
            there.reason, there.updated_at = "linked", clock
    method = _METHODS[key.partition(":")[0]]
    if method in FOUND_BY:
        system, kind = FOUND_BY[method]
        where = connection if system == "erp" else system
        if link_new(session, where, kind, id, contract):
            unpark(session, *(f"{name}:{kind}:{id}" for name in dict.fromkeys((where, system, any_of(system)))))
        if kind == "deal":
            hear_of_deal(session, id)


RECORDS = {
    "customer": "erp",
    "subscription": "erp",
    "company": "cs",
    "onboarding": "cs",
    "playbook": "cs",
    "renewal-opportunity": "crm",
}
"""Whose record a key stands for, by what it begins with."""
_METHODS = {
    "customer": "create_customer",
    "subscription": "create_subscription",
    "company": "ensure_company",
    "onboarding": "launch_onboarding",
    "playbook": "start_playbook",
    "renewal-opportunity": "create_renewal_opportunity",
}
