"""How many calls to the connected systems were made for each contract: part of what it costs."""

from collections.abc import Mapping

from sqlalchemy import BigInteger
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel, col, select

from domain.call_times import Calls


class ContractCallsRow(SQLModel, table=True):
    """The calls for one contract over one connection, since ever. `failed`: those with a 5xx, or without an answer."""

    __tablename__ = "contract_calls"

    contract: str = Field(primary_key=True)
    connection: str = Field(primary_key=True)
    calls: int = Field(default=0, sa_type=BigInteger)
    failed: int = Field(default=0, sa_type=BigInteger)


def add_calls(session: Session, calls: Mapping[tuple[str, str], Calls]) -> None:
    """By contract and connection."""
    if not calls:
        return
    table = ContractCallsRow.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(table)
    added = {name: table.c[name] + insert.excluded[name] for name in ("calls", "failed")}
    # in one order, so that two processes that tell at the same moment don't wait for each other
    rows = [
        {"contract": contract, "connection": connection, "calls": made.made, "failed": made.failed}
        for (contract, connection), made in sorted(calls.items())
    ]
    session.connection().execute(
        insert.on_conflict_do_update(index_elements=["contract", "connection"], set_=added), rows
    )


def calls_for(session: Session, contract: str) -> dict[str, Calls]:
    """By connection."""
    query = select(ContractCallsRow).where(ContractCallsRow.contract == contract)
    rows = session.exec(query.order_by(col(ContractCallsRow.connection))).all()
    return {row.connection: Calls(row.calls, row.failed) for row in rows}
