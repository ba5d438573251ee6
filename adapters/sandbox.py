"""What the adapters of the sandbox's five systems share: deadlines, error documents, the effect classes' constants."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from adapters.http import JsonApi
from domain.effects import EffectClass, Guarantee

DEADLINE = timedelta(seconds=2)
COMMITS_WITHIN = timedelta(seconds=1)


def effect(guarantee: Guarantee) -> EffectClass:
    return EffectClass(guarantee=guarantee, deadline=DEADLINE, commits_within=COMMITS_WITHIN)


KEY, LOOKUP, LEVEL, NONE = (effect(each) for each in (Guarantee.KEY, Guarantee.LOOKUP, Guarantee.LEVEL, Guarantee.NONE))


def sandbox_api(client: httpx.AsyncClient, system: str, effects: Mapping[str, EffectClass]) -> JsonApi:
    return JsonApi(client, system, effects, read_deadline=DEADLINE, reason=_reason, malformed=_malformed)


def error_code(document: Any) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _reason(document: Any) -> str:
    return str(document["error"].get("message", "")) if error_code(document) else ""


def _malformed(document: Any) -> bool:
    return error_code(document) == "malformed"
