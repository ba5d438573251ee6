"""HubSpot, read only: a deal with its primary company embedded as `company` and its line items as `line_items`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx

from adapters.http import Json, JsonApi, segment
from domain.errors import SourceUnavailable
from domain.mapping import AskedFor
from domain.ports import ChangedDeal, ChangedDeals, DealRecord, Probed, Problem

DEADLINE = timedelta(seconds=10)

Outcome = Literal["won", "lost", "open"]

_OBJECTS = "crm/v3/objects"
_PIPELINES = "crm/v3/pipelines/deals"
_AT_ONCE = 100  # ids in one batch read, and results on one page of a search
_PIPELINES_FOR = timedelta(hours=1)
_OF_DEAL = ("dealname", "dealstage", "pipeline", "hs_is_closed", "hs_is_closed_won", "hs_lastmodifieddate")
_OF_COMPANY = ("name", "hs_parent_company_id")
_STAMP = "hs_lastmodifieddate"


class HubSpotReader:
    """`client`: the API's base URL, and OAuth or a private app's token. `asked_for` names what the mapping reads.

    A property that an account lacks is left out by HubSpot without a word.
    """

    def __init__(self, client: httpx.AsyncClient, asked_for: AskedFor, *, deadline: timedelta = DEADLINE) -> None:
        self._api = JsonApi(client, "crm", {}, read_deadline=deadline, reason=_reason)
        self._of_deal = _properties(asked_for.deal, "properties.", _OF_DEAL)
        self._of_company = _properties(asked_for.deal, "company.properties.", _OF_COMPANY)
        self._of_line = _properties(asked_for.line, "properties.", ("name", "quantity", "price"))
        self._stages: dict[tuple[str, str], Outcome] = {}
        self._stages_until = 0.0

    async def probe(self) -> Probed:
        """Whether pipelines and deals can be read. Tells no clock."""
        answer = await self._api.read("probe", _PIPELINES)
        with self._api.shape("probe"):
            stages = [each for pipeline in answer["results"] for each in pipeline["stages"]]
        await self.changed_deals(datetime.now(UTC))  # the shortest question there is: any day would do
        none = Problem(
            what="the CRM shows no stage of a deal pipeline", mend="give the app the scope crm.objects.deals"
        )
        return Probed(problems=() if stages else (none,))

    async def read_deal(self, deal: str) -> DealRecord:
        """A deal that was merged into another answers with the other's id. An archived one is not found."""
        asked = {"properties": ",".join(self._of_deal), "associations": "companies,line_items"}
        record = await self._api.read("read_deal", f"{_OBJECTS}/deals/{segment(deal)}", asked)
        with self._api.shape("read_deal"):
            deal_id, properties = str(record["id"]), dict(record["properties"])
            modified = str(properties[_STAMP] or record["updatedAt"])
            company = _primary(_associated(record, "companies"))
        line_items = await self._line_items(deal_id, record)
        outcome = await self._outcome(properties)
        if outcome is not None:
            # HubSpot reckons these two a moment after the stage was set: the mapping must not see them lag behind.
            properties["hs_is_closed"] = "false" if outcome == "open" else "true"
            properties["hs_is_closed_won"] = "true" if outcome == "won" else "false"
        return DealRecord(
            id=deal_id,
            version=f"{deal_id}@{modified}",
            outcome=outcome or _reckoned(properties),
            record={
                **record,
                "properties": properties,
                "company": None if company is None else await self._company(company),
                "line_items": line_items,
            },
        )

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        """The cursor is `<milliseconds>:<after>`: it starts anew from the last stamp wherever that has moved on, since
        a deal that is changed meanwhile shifts the pages, and a search ends at its ten thousandth result."""
        milliseconds = int(since.astimezone(UTC).timestamp() * 1000)
        start, after = (int(part) for part in (cursor or f"{milliseconds}:0").split(":"))
        question = {
            "filterGroups": [{"filters": [{"propertyName": _STAMP, "operator": "GTE", "value": str(start)}]}],
            "sorts": [{"propertyName": _STAMP, "direction": "ASCENDING"}],
            "properties": [_STAMP],
            "limit": _AT_ONCE,
            "after": str(after),
        }
        answer = await self._api.read("changed_deals", f"{_OBJECTS}/deals/search", body=question)
        with self._api.shape("changed_deals"):
            found = [ChangedDeal(id=each["id"], modified=each["properties"][_STAMP]) for each in answer["results"]]
            further = _next(answer)
            if further is None or not found:
                return ChangedDeals(deals=tuple(found))
            last = int(datetime.fromisoformat(found[-1].modified).timestamp() * 1000)
            return ChangedDeals(deals=tuple(found), cursor=f"{last}:0" if last > start else f"{start}:{int(further)}")

    async def _line_items(self, deal: str, record: Json) -> list[Json]:
        """In the order of their associations, however many there are."""
        with self._api.shape("read_deal"):
            page = record.get("associations", {}).get("line items", {"results": []})
            ids = [str(each["id"]) for each in page["results"]]
            further = _next(page)
        while further is not None:
            path = f"{_OBJECTS}/deals/{segment(deal)}/associations/line_items"
            page = await self._api.read("associated_lines", path, {"after": further, "limit": "500"})
            with self._api.shape("associated_lines"):
                ids += [str(each["id"]) for each in page["results"]]
                further = _next(page)
        ids = list(dict.fromkeys(ids))
        items: dict[str, Json] = {}
        for start in range(0, len(ids), _AT_ONCE):
            body = {"properties": self._of_line, "inputs": [{"id": each} for each in ids[start : start + _AT_ONCE]]}
            answer = await self._api.read("read_lines", f"{_OBJECTS}/line_items/batch/read", body=body)
            with self._api.shape("read_lines"):
                items |= {str(item["id"]): item for item in answer["results"]}
        if missing := len(ids) - len(items):
            # A batch leaves out what it can't find: an order without some of its lines would be billed so.
            raise SourceUnavailable(f"crm.read_lines: {missing} of the deal's lines were gone when they were read")
        return [items[each] for each in ids]

    async def _company(self, company: str) -> Json:
        asked = {"properties": ",".join(self._of_company)}
        answer = await self._api.read("read_company", f"{_OBJECTS}/companies/{segment(company)}", asked)
        with self._api.shape("read_company"):
            return {"id": str(answer["id"]), "properties": dict(answer["properties"])}

    async def _outcome(self, properties: Json) -> Outcome | None:
        """By the stage, whose id each account makes up for itself. None: no pipeline has this stage any more."""
        stage = (str(properties.get("pipeline")), str(properties.get("dealstage")))
        if stage not in self._stages or time.monotonic() > self._stages_until:
            answer = await self._api.read("pipelines", _PIPELINES)
            with self._api.shape("pipelines"):
                self._stages = {
                    (pipeline["id"], each["id"]): _stage_outcome(each["metadata"])
                    for pipeline in answer["results"]
                    for each in pipeline["stages"]
                }
            self._stages_until = time.monotonic() + _PIPELINES_FOR.total_seconds()
        return self._stages.get(stage)


def _properties(paths: frozenset[str], prefix: str, always: tuple[str, ...]) -> list[str]:
    wanted = {path.removeprefix(prefix) for path in paths if path.startswith(prefix)}
    return [*always, *sorted(wanted - set(always))]


def _associated(record: Json, kind: str) -> list[Json]:
    return list((record.get("associations") or {}).get(kind, {"results": []})["results"])


def _primary(companies: list[Json]) -> str | None:
    """The primary company comes twice, once with the type that is its alone."""
    chosen = [each["id"] for each in companies if each["type"] == "deal_to_company"]
    return next((str(each) for each in (*chosen, *(each["id"] for each in companies))), None)


def _next(page: Json) -> str | None:
    paging = page.get("paging")
    return None if paging is None else str(paging["next"]["after"])


def _stage_outcome(metadata: Json) -> Outcome:
    if str(metadata["isClosed"]).lower() != "true":
        return "open"
    return "won" if float(metadata["probability"]) == 1.0 else "lost"


def _reckoned(properties: Json) -> Outcome:
    if properties.get("hs_is_closed_won") == "true":
        return "won"
    return "lost" if properties.get("hs_is_closed") == "true" else "open"


def _reason(document: Any) -> str:
    return str(document.get("category") or "") if isinstance(document, dict) else ""
