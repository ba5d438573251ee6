"""The cases that delivery opens, and closes when it goes on."""

from store.tables import CaseRow, DeliveryRow


def refusal(row: DeliveryRow, account: str, reason: str) -> CaseRow:
    """The case of an event that its lifecycle refused, or that could not be told."""
    return CaseRow(
        id=refusal_id(row),
        contract=row.stream,
        account=account,
        kind="refused_event",
        title=f"{row.payload.get('kind', row.kind)} could not be applied",
        reasons=[reason],
        actor="ops",
        mend=f"settle the reason; then tenure event {row.inbox_id} --again",
        problem="refused",
        inbox_id=row.inbox_id,
    )


def refusal_id(row: DeliveryRow) -> str:
    return f"event:{row.inbox_id}:{row.stream}"


def undeliverable(stream: str, error: Exception) -> CaseRow:
    """The case of a contract whose events can't be delivered although everybody answers; it goes with the next one."""
    return CaseRow(
        id=undeliverable_id(stream),
        contract=stream,
        kind="undeliverable",
        problem=type(error).__name__,
        title="its events can't be delivered",
        reasons=[f"each try ends in {type(error).__name__}"],
        actor="engineer",
        mend="find the error in the dispatcher's log; it is tried on, and the events keep their order",
    )


def undeliverable_id(stream: str) -> str:
    return f"undeliverable:{stream}"
