"""How each kind of difference is repaired: from the difference and what is expected, the mends, in order."""

from typing import Any

from domain import keys
from domain.ports.records import Correction, RecordKind
from domain.reconciling import accepting, redoing
from domain.reconciling.difference import Remedy
from domain.reconciling.expected import Expected
from domain.reconciling.ground import Ground, Unrepairable
from domain.reconciling.mends import Correct, Mend, Relink, Retire

_OF: dict[str, RecordKind] = {
    "erp_customer": "customers", "erp_subscription": "subscriptions", "crm_opportunity": "opportunities",
    "cs_company": "companies", "cs_onboarding": "plans", "cs_playbook": "playbooks",
}  # fmt: skip


def repair(ground: Ground, remedy: Remedy) -> list[Mend]:
    """Raises Unrepairable."""
    if remedy not in ground.difference.remedies or remedy == "ignore":
        able = ", ".join(each for each in ground.difference.remedies if each != "ignore") or "only ignored, or by hand"
        raise Unrepairable(f"{ground.difference.kind} is not repaired by {remedy}: {able}")
    match remedy:
        case "accept":
            return accepting.accept(ground)
        case "link":
            return _link(ground)
    if ground.difference.klass in ("orphaned", "duplicated") and ground.difference.kind != "erp_line_unknown":
        return [_retire(ground, ground.difference.subject)]
    return redoing.redo(ground)


def kind_of_record(ground: Ground) -> RecordKind:
    return next(kind for name, kind in _OF.items() if ground.difference.kind.startswith(name))


def _retire(ground: Ground, id: str) -> Mend:
    return Retire(connection=ground.difference.connection, kind=kind_of_record(ground), id=id)


def _link(ground: Ground) -> list[Mend]:
    """Another record is the one that is meant; the one that was, where it is still there, is put away."""
    e, said = ground.contract, ground.difference
    id = ground.choice or (said.theirs if said.klass in ("missing", "not_outside", "duplicated") else "")
    if not id:
        raise Unrepairable("say which record it is")
    if said.kind == "erp_subscription_contract":
        redoing.not_anothers(ground, id)
    kind = kind_of_record(ground)
    key, fields = _linked(e, kind)
    mends: list[Mend] = [
        Correct(connection=said.connection, correction=Correction(kind=kind, id=id, fields=fields)),
        Relink(contracts=tuple(each.contract for each in ground.sharing), key=key, id=id, connection=said.connection),
    ]
    if kind == "customers":
        mends[1:1] = redoing.moved_to(ground, id)
    if said.klass == "duplicated" and said.ours and said.ours != id:
        mends.append(_retire(ground, said.ours))
    return mends


def _linked(e: Expected, kind: RecordKind) -> tuple[str, dict[str, Any]]:
    """The key that will stand for it, and what the record must say to be found by."""
    match kind:
        case "customers":
            return e.customer_key, {"key": e.customer_key, "account": e.account}
        case "subscriptions":
            return keys.subscription(e.leg), {"contract": e.leg, "customer": e.customer}
        case "opportunities":
            key = keys.renewal_opportunity(e.contract, e.term)
            return key, {"key": key, "contract": e.contract}
        case "companies":
            return e.company_key, {"account": e.account}
    raise Unrepairable(f"{kind} are not linked")
