"""Cases: the one error queue. The list beside the case that is open, its payload beside its schema."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from domain.access import Permission, Principal
from experience.console.commands import COMMANDS, Command
from experience.console.page import address, asker, render
from experience.console.schema import Property, properties
from experience.console.words import path
from experience.endpoints import endpoint
from experience.reading import cases as reading
from experience.services import Served, Services
from starter.case_desk import CaseDesk
from starter.case_list import Wanted

HERE = "/console/cases"
AT_ONCE = 100
STATES = {"": "open", "open": "open", "resolved": "resolved", "all": None}
SETTLED_BY = {
    "order": ("fix", "cancel"),
    "approval": ("approve", "reject", "fix", "cancel"),
    "purchase-order": ("po",),
    "undecided-renewal": ("renew", "end"),
    "out-of-term": ("renew", "end"),
}
"""The commands by which a lifecycle's own case is settled, by the case's name there."""

Text = Annotated[str, Query(max_length=300)]

router = APIRouter()


def _chosen(
    state: Text = "",
    kind: Text = "",
    problem: Text = "",
    contract: Text = "",
    assignee: Text = "",
    tag: Text = "",
    source: Text = "",
    snoozed: bool = False,
) -> dict[str, Any]:
    return {
        "state": state,
        "kind": kind,
        "problem": problem,
        "contract": contract,
        "assignee": assignee,
        "tag": tag,
        "source": source,
        "snoozed": "true" if snoozed else "",
    }


Chosen = Annotated[dict[str, Any], Depends(_chosen)]
"""Which cases are looked at, as the address says it."""


@router.get(HERE, response_class=HTMLResponse)
@endpoint(owner="operations", permission="case.read", since="1.0")
async def list_cases(request: Request, services: Served, chosen: Chosen, cursor: str = "") -> HTMLResponse:
    return await _page(request, services, chosen, cursor=cursor)


@router.get(HERE + "/{case:path}", response_class=HTMLResponse)
@endpoint(owner="operations", permission="case.read", since="1.0")
async def show_case(request: Request, services: Served, case: str, chosen: Chosen, cursor: str = "") -> HTMLResponse:
    shown = await reading.case(services, case)
    return await _page(request, services, chosen, cursor=cursor, shown=shown)


async def _page(
    request: Request,
    services: Services,
    chosen: dict[str, Any],
    *,
    cursor: str = "",
    shown: reading.CaseAnswer | None = None,
) -> HTMLResponse:
    wanted = Wanted(
        STATES.get(chosen["state"], "open"),
        **{name: chosen[name] or None for name in ("kind", "problem", "contract", "assignee", "tag", "source")},
        snoozed=bool(chosen["snoozed"]),
    )
    page = await reading.cases(services.database, services.office.company, wanted, cursor=cursor or None, limit=AT_ONCE)
    groups = (await CaseDesk(services.database).list(wanted, limit=1)).groups
    principal = asker(request)

    def link(to: str = HERE, **changed: str) -> str:
        return address(to, **{**chosen, **changed})

    return await render(
        request,
        "cases.html",
        title=shown.case.title if shown else "Cases",
        section="cases",
        page=page,
        groups=[group for group in groups if group.count > 1 and (group.problem or group.kind)],
        chosen=chosen,
        link=link,
        me=principal.subject,
        may={each.partition(".")[2]: principal.may(Permission(each)) for each in _VERBS},
        shown=shown,
        schema=_schema(shown),
        settling=_settling(principal, shown),
    )


_VERBS = ("case.work", "case.edit", "case.retry", "case.resolve")


def _schema(shown: reading.CaseAnswer | None) -> Sequence[Property]:
    event = shown.event if shown else None
    return properties(str(event["type"])) if event else ()


def _settling(principal: Principal, shown: reading.CaseAnswer | None) -> list[tuple[Command, str]]:
    """The commands that settle the case, with their pages, which preview them."""
    if shown is None or not shown.case.projected or shown.case.contract is None or shown.case.state != "open":
        return []
    name = shown.case.id.removeprefix(f"{shown.case.contract}:")
    commands = (COMMANDS[each] for each in SETTLED_BY.get(name, ()))
    return [
        (each, f"/console/do/{each.name}/{path(shown.case.contract)}")
        for each in commands
        if principal.may(each.permission)
    ]
