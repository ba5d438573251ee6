"""What the words mean."""

from pydantic import BaseModel

from domain.glossary import Entry, glossary
from experience.api.capability import capability
from experience.endpoints import endpoint

router = capability("glossary")


class Glossary(BaseModel):
    terms: list[Entry]


@router.get("/glossary")
@endpoint(owner="operations", permission="glossary.read", since="1.0")
async def show_glossary() -> Glossary:
    """Every term with its definition, and the function that decides it."""
    return Glossary(terms=list(glossary()))
