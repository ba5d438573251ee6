"""What the adapters of the sandbox's five systems share: deadlines, error documents, the effect classes' constants."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import httpx

from adapters.http import JsonApi
from domain.effects import EffectClass, Guarantee
from domain.errors import PeriodClosed
from domain.ports import Probed, Problem

DEADLINE = timedelta(seconds=2)
COMMITS_WITHIN = timedelta(seconds=1)


def effect(guarantee: Guarantee) -> EffectClass:
    return EffectClass(guarantee=guarantee, deadline=DEADLINE, commits_within=COMMITS_WITHIN)


KEY, LOOKUP, LEVEL, NONE = (effect(each) for each in (Guarantee.KEY, Guarantee.LOOKUP, Guarantee.LEVEL, Guarantee.NONE))


def sandbox_api(client: httpx.AsyncClient, system: str, effects: Mapping[str, EffectClass]) -> JsonApi:
    return JsonApi(
        client, system, effects, read_deadline=DEADLINE, reason=_reason, malformed=_malformed, refusal=_refusal
    )


async def probe_sandbox(api: JsonApi, system: str, fields: Iterable[str] = (), *, writes: bool = True) -> Probed:
    """Ask the box what these credentials may do there, and for the custom fields that the adapter writes."""
    answer = await api.read("probe", "whoami")
    with api.shape("probe"):
        may_write, known, clock = bool(answer["may_write"]), set(answer["fields"]), answer["clock"]
        problems = [
            Problem(what=f"the {system} has no field {name}", mend=f"add the text field {name} in the {system}")
            for name in fields
            if name not in known
        ]
        if writes and not may_write:
            forbidden = Problem(what=f"the credentials may only read the {system}", mend="let them write there, too")
            problems.insert(0, forbidden)
        return Probed(problems=tuple(problems), clock=datetime.fromisoformat(clock))


def error_code(document: Any) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _reason(document: Any) -> str:
    return str(document["error"].get("message", "")) if error_code(document) else ""


def _malformed(document: Any) -> bool:
    return error_code(document) == "malformed"


def _refusal(message: str, document: Any) -> PeriodClosed | None:
    if error_code(document) != "period_closed":
        return None
    opens_on = document["error"].get("opens_on")
    return PeriodClosed(message, opens_on=date.fromisoformat(opens_on) if opens_on else None)
