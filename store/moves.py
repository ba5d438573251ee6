"""The rows of a merge or split of accounts: what moves, what is in its way, and what was before, for the way back."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, delete, or_, select, update

from domain import keys
from domain.facts import USAGE
from domain.intentions import CompanyOf, CustomerOf, fingerprint
from store.database import change, insert_once, now, take_turn
from store.fences import fence, gone_into, lift
from store.inbox import ROUTING
from store.subjects import surviving
from store.tables import AccountAliasRow, CaseRow, EffectRow, FactRow, LifecycleRow, LifecycleViewRow
from store.transit import AccountMoveRow

MERGE, SPLIT = "merge", "split"
FENCED, MOVED, DONE = "fenced", "moved", "done"
RETURNING, RETURNED, UNDONE = "returning", "returned", "undone"
"""The states of a move, there and back. Each is reached in one transaction, from the one before it."""
RUNNING = (FENCED, MOVED, RETURNING, RETURNED)


class CannotMove(ValueError):
    """Why two accounts can't be merged, or one can't be split, in one line."""


def open_move(
    session: Session, kind: str, account: str, into: str, by: str, contracts: Sequence[str] = ()
) -> AccountMoveRow:
    """The move, with both accounts fenced; the one that is under way already, where it is the same. Raises CannotMove.

    `contracts`: those that a split takes along.
    """
    take_turn(session, ROUTING)
    running = running_move(session, account, into)
    if running is not None:
        same = (running.kind, running.account, running.into) == (kind, account, into)
        if same and running.state in (FENCED, MOVED):
            return running
        raise CannotMove(f"{describe(running)} is under way; run it again to go on with it, or undo it")
    check_move(session, kind, account, into, contracts)
    move = AccountMoveRow(
        kind=kind,
        account=account,
        into=into,
        by=by,
        state=FENCED,
        contracts=list(contracts),
        started_at=now(session),
    )
    session.add(move)
    session.flush()
    for each in sorted((account, into)):
        fence(session, each, move.id or 0)
    return move


def check_move(session: Session, kind: str, account: str, into: str, contracts: Sequence[str]) -> None:
    """Raises CannotMove."""
    if account == into:
        raise CannotMove(f"{account} is one account; name two")
    for each in (account, into):
        if gone := gone_into(session, each):
            raise CannotMove(f"{each} is part of {gone} already; name {gone}, or undo that first")
    if not contracts_of(session, account):
        raise CannotMove(f"no contract is of the account {account}")
    if (root := surviving(session, into)) != into:
        raise CannotMove(f"by the CRM's word {into} is part of {root}: name that one")
    if kind == MERGE and (root := surviving(session, account)) not in (account, into):
        raise CannotMove(f"by the CRM's word {account} is part of {root}: merge it into that one")
    if kind == SPLIT:
        _check_split(session, account, contracts)


def _check_split(session: Session, account: str, contracts: Sequence[str]) -> None:
    if not contracts:
        raise CannotMove("name the contracts that go, with --contract")
    for contract in contracts:
        if contract not in contracts_of(session, account):
            raise CannotMove(f"{contract} is not of the account {account}")
        activation = session.get(EffectRow, keys.activation(contract))
        if activation is None or activation.state != "DONE":
            raise CannotMove(f"{contract} is not activated; cancel its order, and win it for the other account")


def contracts_of(session: Session, account: str) -> list[str]:
    """All contracts of an account, open or closed, the oldest first."""
    query = select(LifecycleRow.contract).where(LifecycleRow.account == account)
    return list(session.exec(query.order_by(col(LifecycleRow.created_at), col(LifecycleRow.contract))))


def running_move(session: Session, *accounts: str) -> AccountMoveRow | None:
    named = or_(col(AccountMoveRow.account).in_(accounts), col(AccountMoveRow.into).in_(accounts))
    query = select(AccountMoveRow).where(col(AccountMoveRow.state).in_(RUNNING), named)
    return session.exec(query.order_by(col(AccountMoveRow.id)).limit(1)).first()


def last_move(session: Session, account: str) -> AccountMoveRow | None:
    """The last move that an account had a part in, and that was not undone."""
    named = or_(AccountMoveRow.account == account, AccountMoveRow.into == account)
    query = select(AccountMoveRow).where(AccountMoveRow.state != UNDONE, named)
    return session.exec(query.order_by(col(AccountMoveRow.id).desc()).limit(1)).first()


def latest_moves(session: Session, limit: int = 200) -> Sequence[AccountMoveRow]:
    """Every merge and split, the latest first."""
    return session.exec(select(AccountMoveRow).order_by(col(AccountMoveRow.id).desc()).limit(limit)).all()


def describe(move: AccountMoveRow) -> str:
    what = "merge" if move.kind == MERGE else "split"
    return f"the {what} of {move.account} {'into' if move.kind == MERGE else 'to'} {move.into}"


def in_the_way(session: Session, move: AccountMoveRow) -> list[str]:
    """Keys of effects that are being sent just now, and of customers and companies that may have been made."""
    contracts = [*contracts_of(session, move.account), *contracts_of(session, move.into)]
    named = [_named_by(move.account), _named_by(move.into)]
    sending = and_(col(EffectRow.state).in_(("CLAIMED", "SENT")), col(EffectRow.lease_until) > now(session))
    query = select(EffectRow.key).where(
        or_(
            and_(col(EffectRow.contract).in_(contracts), sending),
            and_(or_(*named), or_(sending, col(EffectRow.state) == "SENT")),
        )
    )
    return sorted(session.exec(query))


def not_started(session: Session, contracts: Collection[str]) -> list[str]:
    """Those whose workflow may begin at any moment, or has begun without that anybody could note it."""
    query = select(LifecycleRow.contract).where(col(LifecycleRow.contract).in_(contracts))
    return list(session.exec(query.where(~col(LifecycleRow.started), ~col(LifecycleRow.closed))))


def shift(session: Session, move: AccountMoveRow, held: Collection[str]) -> bool:
    """Everything that names the account names the other one now. False, and nothing is done, where a contract came in
    meanwhile whose stream is not among those `held`: it might begin under the former account.
    """
    take_turn(session, ROUTING)
    contracts = contracts_of(session, move.account) if move.kind == MERGE else list(move.contracts)
    if set(not_started(session, contracts)) - set(held):
        return False
    rekeyed, doubles = _rekey_effects(session, move) if move.kind == MERGE else ([], _shared(session, move))
    alias = AccountAliasRow(account=move.account, into=move.into)
    kept = {
        "rekeyed": rekeyed,
        "doubles": doubles,
        "alias": move.kind == MERGE and insert_once(session, alias, keys=("account",)),
        "usage": _usage(session, contracts, move.account, move.into),
    }
    _readdress(session, contracts, move.into)
    move.contracts, move.kept, move.state = contracts, kept, MOVED
    session.add(move)
    return True


def settle(session: Session, move: AccountMoveRow) -> None:
    """It is done: the account stays fenced for ever where it is part of the other one now."""
    lift(session, move.into)
    if move.kind == MERGE:
        fence(session, move.account, move.id or 0, move.into)
    else:
        lift(session, move.account)
    move.kept = {**move.kept, "others": [*contracts_of(session, move.account), *contracts_of(session, move.into)]}
    move.state, move.done_at = DONE, now(session)
    session.add(move)


def begin_return(session: Session, move: AccountMoveRow) -> None:
    """Both are fenced again, so that what is found now still holds when it is undone."""
    for each in sorted((move.account, move.into)):
        fence(session, each, move.id or 0)
    move.kept = {**move.kept, "was": move.state}
    move.state = RETURNING
    session.add(move)


def give_up_return(session: Session, move: AccountMoveRow) -> None:
    """It can't be undone: everything is as it was."""
    was, done_at = move.kept["was"], move.done_at
    if was == DONE:
        settle(session, move)
    move.state, move.done_at = was, done_at
    session.add(move)


def news_since(session: Session, move: AccountMoveRow) -> list[str]:
    """What has happened since it was done, one line each; such news bars the way back."""
    if move.kept.get("was") != DONE:
        return []
    contracts = [*contracts_of(session, move.account), *contracts_of(session, move.into)]
    effects = select(EffectRow.key).where(
        or_(col(EffectRow.contract).in_(contracts), _named_by(move.account), _named_by(move.into)),
        col(EffectRow.updated_at) > move.done_at,
    )
    both = (move.account, move.into)
    named = or_(col(AccountMoveRow.account).in_(both), col(AccountMoveRow.into).in_(both))
    later = select(AccountMoveRow).where(
        named, col(AccountMoveRow.id) > (move.id or 0), col(AccountMoveRow.state) != UNDONE
    )
    before = {*move.contracts, *move.kept.get("others", [])}
    return [
        *(describe(each) for each in session.exec(later)),
        *(f"{contract} was begun" for contract in contracts if contract not in before),
        *sorted(session.exec(effects)),
    ]


def unshift(session: Session, move: AccountMoveRow, held: Collection[str]) -> bool:
    """Everything names the former account again. False as in `shift`."""
    take_turn(session, ROUTING)
    if set(not_started(session, move.contracts)) - set(held):
        return False
    for former, present in move.kept.get("rekeyed", []):
        _rename_effect(session, present, former, move.account)
    if move.kept.get("alias"):
        session.connection().execute(delete(AccountAliasRow).where(col(AccountAliasRow.account) == move.account))
    _usage(session, move.kept.get("usage", []), move.into, move.account)
    _readdress(session, move.contracts, move.account)
    move.state = RETURNED
    session.add(move)
    return True


def settle_return(session: Session, move: AccountMoveRow) -> None:
    for each in (move.account, move.into):
        lift(session, each)
    move.state, move.done_at = UNDONE, now(session)
    session.add(move)


def known_of(session: Session, account: str) -> dict[str, str]:
    """The customers and companies of an account, by their keys."""
    rows = session.exec(select(EffectRow).where(_named_by(account), EffectRow.state == "DONE")).all()
    return {row.key: str(row.result["id"]) for row in rows if row.result and "id" in row.result}


def sent_of(session: Session, contract: str) -> tuple[str, ...]:
    """The contract's own effects that have left as they are, whatever became of them."""
    sent = col(EffectRow.state).in_(("SENT", "DONE"))
    return tuple(sorted(session.exec(select(EffectRow.key).where(EffectRow.contract == contract, sent))))


def _rekey_effects(session: Session, move: AccountMoveRow) -> tuple[list[list[str]], list[dict[str, str]]]:
    """What is done under the account's keys is done under the other's, unless that one has its own: then both stay
    outside, and a person is told.
    """
    rekeyed, doubles = [], []
    known = known_of(session, move.into)
    for key, id in known_of(session, move.account).items():
        new = keys.rekeyed(key, move.account, move.into)
        if new in known:
            doubles.append({"key": new, "stays": known[new], "other": id})
        else:
            _rename_effect(session, key, new, move.into)
            rekeyed.append([key, new])
    return rekeyed, doubles


def _shared(session: Session, move: AccountMoveRow) -> list[dict[str, str]]:
    """What the contracts that go share with those that stay: it is both accounts' until a person parts it outside."""
    own = known_of(session, move.into)
    found = known_of(session, move.account)
    renamed = {key: keys.rekeyed(key, move.account, move.into) for key in found}
    return [{"key": new, "stays": own.get(new, ""), "other": found[key]} for key, new in renamed.items()]


def _rename_effect(session: Session, key: str, new: str, account: str) -> None:
    arguments = (
        CompanyOf(account=account)
        if new.startswith(keys.company(""))
        else CustomerOf(account=account, selling_entity=keys.entity_in(new, account))
    )
    hashed = fingerprint(arguments)
    # what stands there has made nothing outside: a doubt would have been in the way
    session.connection().execute(delete(EffectRow).where(col(EffectRow.key) == new))
    change(
        session,
        update(EffectRow).where(col(EffectRow.key) == key).values(key=new, arguments=hashed, asked_arguments=hashed),
    )


def _usage(session: Session, contracts: Collection[str], account: str, into: str) -> list[str]:
    """The usage that was reported of the account is of the other one; returns whose facts were changed."""
    of_usage = select(FactRow.contract).where(FactRow.kind == USAGE, col(FactRow.contract).in_(contracts))
    has = set(session.exec(of_usage.where(FactRow.entity_id == into)))
    moving = [each for each in session.exec(of_usage.where(FactRow.entity_id == account)) if each not in has]
    here = and_(col(FactRow.kind) == USAGE, col(FactRow.entity_id) == account, col(FactRow.contract).in_(moving))
    change(session, update(FactRow).where(here).values(entity_id=into))
    return moving


def _readdress(session: Session, contracts: Sequence[str], account: str) -> None:
    """Lifecycles, their views and their cases are of the account now. A running lifecycle publishes its own view."""
    here = list(contracts)
    change(session, update(LifecycleRow).where(col(LifecycleRow.contract).in_(here)).values(account=account))
    change(session, update(CaseRow).where(col(CaseRow.contract).in_(here)).values(account=account))
    for row in session.exec(select(LifecycleViewRow).where(col(LifecycleViewRow.contract).in_(here))):
        row.account, row.view = account, {**row.view, "account": account}


def _named_by(account: str) -> ColumnElement[bool]:
    """Of the ledger's rows those whose key names the account."""
    key, company = col(EffectRow.key), keys.company(account)
    return or_(
        key.startswith(keys.customer(account, ""), autoescape=True),
        key == company,
        key.startswith(f"{company}@", autoescape=True),
    )
