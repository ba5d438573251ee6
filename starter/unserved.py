"""Contracts that live in a system which is not configured any more: their work waits, and a person must know."""

from sqlmodel import Session, col, select

from domain.routes import ROUTED, Landscape
from store.cases import open_case, resolve_case
from store.tables import CaseRow
from store.views import count_by_connection

KIND = "unserved_connection"


def check_served(session: Session, landscape: Landscape) -> list[str]:
    """Open a case for each connection that is gone though contracts live there, and resolve those of the others.

    To be called when the configuration is read. Returns what is gone, by its name; by its kind where contracts record
    none.
    """
    gone = {}
    for kind in ROUTED:
        homeless = len(landscape.of_kind(kind)) > 1 and kind not in landscape.homes
        for name, contracts in count_by_connection(session, kind).items():
            if name and landscape.connections.get(name) != kind:
                gone[name] = _case(kind, name, contracts)
            elif not name and homeless:
                gone[kind] = _homeless(kind, contracts)
    for case in gone.values():
        open_case(session, case)
    query = select(CaseRow.id).where(CaseRow.kind == KIND, CaseRow.state == "open")
    for case_id in session.exec(query.where(col(CaseRow.id).not_in([case.id for case in gone.values()]))).all():
        resolve_case(session, case_id, "nothing waits for it any more")
    return sorted(gone)


def _homeless(kind: str, contracts: int) -> CaseRow:
    return CaseRow(
        id=f"unserved:{kind}",
        kind=KIND,
        problem=KIND,
        title=f"{contracts} contract(s) from before there were several of kind {kind} are served by none of them",
        reasons=[f"no connection of kind {kind} is the default: what is to be done there waits"],
        actor="engineer",
        mend="say default = true in the table of the connection that has served them",
    )


def _case(kind: str, name: str, contracts: int) -> CaseRow:
    return CaseRow(
        id=f"unserved:{name}",
        kind=KIND,
        problem=KIND,
        title=f"{contracts} contract(s) live in {name}, which is not in tenure.toml",
        reasons=[f"no worker serves a connection {name!r} of kind {kind}: what is to be done there waits"],
        actor="engineer",
        mend=f"put [connections.{name}] back, with the system that it was; a connection is never renamed",
    )
