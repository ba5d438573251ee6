"""Parameters that many endpoints take, and what they answer when there is nothing."""

from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Path, Query

from experience.reading.frame import LONGEST_PAGE
from starter.problems import Problem

T = TypeVar("T")

Contract = Annotated[str, Path(description="A contract's id, such as crm/D-1/1")]
Account = Annotated[str | None, Query(description="An account's id in the CRM")]
CaseId = Annotated[str, Path(description="A case's id, or the number of its event")]
DifferenceId = Annotated[str, Path(description="A difference's id, or the beginning of one")]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="How many at most")]


def found(answer: T | None, otherwise: str) -> T:
    """Raises Problem (404) when there is nothing."""
    if answer is None:
        raise Problem(HTTPStatus.NOT_FOUND, otherwise)
    return answer
