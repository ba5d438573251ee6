"""Who an ERP's customer is: nobody is made while one that looks alike is there, until a person has said which it is."""

from collections.abc import Awaitable, Callable

from domain.errors import InDoubt, NotFound
from domain.likeness import company_name
from domain.ports import CustomerCandidate, Erp, NewCustomer, Ref

NAMED = 4
"""So many candidates are named; a message is cut at 300 characters."""


async def known_or_nobody_alike(erp: Erp, new: NewCustomer, key: str) -> Ref | None:
    """The customer that bears our external id there. Raises InDoubt, naming the candidates, when there is none, but
    others look like it. Reads only.

    A name enters the message (and so a history) only where its legal form says that it is a company's.
    """
    if (known := await erp.find_customer(key)) is not None:
        return known
    candidates = await erp.similar_customers(new)
    if candidates:
        more = f" and {len(candidates) - NAMED} more" if len(candidates) > NAMED else ""
        listed = ", ".join(_named(each) for each in candidates[:NAMED])
        raise InDoubt(f"the ERP has customers that may be this one: {listed}{more}")
    return None


async def must_exist(what: str, record: str, read: Callable[[str], Awaitable[object]]) -> None:
    """Raises NotFound for a person who mistook the id of a record, which would be believed for ever."""
    try:
        await read(record)
    except NotFound:
        raise NotFound(f"the ERP has no {what} {record}; say --done-as with another id") from None


def _named(candidate: CustomerCandidate) -> str:
    name = company_name(candidate.name)
    return f"{candidate.id} ({f'{name}, ' if name else ''}same {candidate.alike})"
