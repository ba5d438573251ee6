"""Salesforce, read only: a deal with its lines and account by SOQL, in the shape of a query's record."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx

from adapters.http import Json, JsonApi, segment
from domain.errors import NotFound
from domain.mapping import AskedFor
from domain.ports import ChangedDeal, ChangedDeals, DealRecord, Probed, Problem

API_VERSION = "v65.0"
DEADLINE = timedelta(seconds=10)

_DESCRIBED_FOR = timedelta(minutes=10)
_OF_DEAL = ("Id", "AccountId", "Name", "StageName", "IsClosed", "IsWon", "SystemModstamp")
_DATA = "/services/data/"

Described = Mapping[str, str]
"""An object's fields, and its relations to parents with the object at their end."""


class SalesforceReader:
    """`client`: the org's base URL (My Domain), and its OAuth. `asked_for` names the fields that the mapping reads.

    One field that an org lacks makes a whole query fail, so the objects are asked first which of them they have.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        asked_for: AskedFor,
        *,
        version: str = API_VERSION,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self._api = JsonApi(client, "crm", {}, read_deadline=deadline, reason=_reason, limited=_limited)
        self._asked_for = asked_for
        self._data = f"{_DATA.lstrip('/')}{version}"
        self._described: dict[str, tuple[float, Described]] = {}

    async def probe(self) -> Probed:
        """Whether the objects can be described, and the fields that every reading needs be seen. Tells no clock."""
        problems = []
        for kind, always in (("Opportunity", _OF_DEAL), ("OpportunityLineItem", ("Id",))):
            known = await self._describe(kind, fresh=True)
            for name in (name for name in always if name not in known):
                mend = f"give Tenure's user read access to {kind}.{name} (field-level security)"
                problems.append(Problem(what=f"the CRM shows no {kind}.{name}", mend=mend))
        return Probed(problems=tuple(problems))

    async def read_deal(self, deal: str) -> DealRecord:
        fields = await self._fields("Opportunity", self._asked_for.deal, _OF_DEAL)
        of_lines = await self._fields("OpportunityLineItem", self._asked_for.line, ("Id",))
        lines = f"(SELECT {', '.join(of_lines)} FROM OpportunityLineItems)"  # noqa: S608
        soql = f"SELECT {', '.join((*fields, lines))} FROM Opportunity WHERE Id = {quoted(deal)}"  # noqa: S608
        answer = await self._query("read_deal", soql)
        with self._api.shape("read_deal"):
            record = dict(answer["records"][0]) if answer["records"] else None
        if record is None:
            raise NotFound(f"crm.read_deal: no opportunity {deal}")
        with self._api.shape("read_deal"):
            # Null without lines, and a page of them with many.
            if record["OpportunityLineItems"] is not None:
                record["OpportunityLineItems"] = await self._whole(record["OpportunityLineItems"])
            return DealRecord(
                id=record["Id"],
                version=f"{record['Id']}@{record['SystemModstamp']}",
                outcome=outcome_of(record),
                record=record,
            )

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        """The cursor is Salesforce's own; it lives for two days."""
        if cursor is None:
            stamp = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            where = f"WHERE SystemModstamp >= {stamp} ORDER BY SystemModstamp, Id"
            answer = await self._query("changed_deals", f"SELECT Id, SystemModstamp FROM Opportunity {where}")  # noqa: S608
        else:
            answer = await self._next("changed_deals", cursor)
        with self._api.shape("changed_deals"):
            deals = [ChangedDeal(id=each["Id"], modified=each["SystemModstamp"]) for each in answer["records"]]
            return ChangedDeals(deals=tuple(deals), cursor=None if answer["done"] else answer["nextRecordsUrl"])

    async def _query(self, operation: str, soql: str) -> Json:
        return await self._api.read(operation, f"{self._data}/query", {"q": soql})

    async def _next(self, operation: str, url: str) -> Json:
        with self._api.shape(operation):
            # The token goes along, so it must lead to the same API.
            if not url.startswith(_DATA):
                raise ValueError(url)
        return await self._api.read(operation, url.lstrip("/"))

    async def _whole(self, lines: Json) -> Json:
        """All lines, as if they had come on one page."""
        records, page = list(lines["records"]), lines
        while not page["done"]:
            page = await self._next("read_deal", page["nextRecordsUrl"])
            records += page["records"]
        return {"totalSize": len(records), "done": True, "records": records}

    async def _fields(self, kind: str, wanted: frozenset[str], always: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the wanted fields that the object has, or that its parents have (`Account.Name`)."""
        own = await self._describe(kind)
        there = list(always)
        for path in sorted(wanted - set(always)):
            relation, _, of_parent = path.partition(".")
            parent = own.get(relation)
            if parent is None:
                continue
            if of_parent in await self._describe(parent) if parent else not of_parent:
                there.append(path)
        return tuple(there)

    async def _describe(self, kind: str, *, fresh: bool = False) -> Described:
        read_at, known = self._described.get(kind, (0.0, {}))
        if known and not fresh and time.monotonic() - read_at < _DESCRIBED_FOR.total_seconds():
            return known
        answer = await self._api.read("describe", f"{self._data}/sobjects/{segment(kind)}/describe")
        with self._api.shape("describe"):
            found: dict[str, str] = {field["name"]: "" for field in answer["fields"]}
            for field in answer["fields"]:
                if field["relationshipName"] and len(field["referenceTo"]) == 1:
                    found[field["relationshipName"]] = field["referenceTo"][0]
        self._described[kind] = (time.monotonic(), found)
        return found


def quoted(text: str) -> str:
    """A string literal of SOQL, whatever it contains."""
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"}
    return f"'{''.join(escapes.get(letter, letter) for letter in text)}'"


def outcome_of(record: Json) -> Literal["won", "lost", "open"]:
    """Of an opportunity, whatever its stages are called."""
    if record["IsWon"]:
        return "won"
    return "lost" if record["IsClosed"] else "open"


def _first(document: Any) -> Json:
    first = document[0] if isinstance(document, list) and document else None
    return first if isinstance(first, dict) else {}


def _reason(document: Any) -> str:
    return f"{_first(document).get('errorCode', '')} {_first(document).get('message', '')}".strip()


def _limited(document: Any) -> bool:
    """Salesforce answers 403 when the day's calls are used up: that passes, as no lack of rights does."""
    return _first(document).get("errorCode") == "REQUEST_LIMIT_EXCEEDED"
