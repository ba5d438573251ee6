"""An instant without a zone means another moment to everybody: it is refused wherever one can be said."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from experience.openapi import document
from experience.reading.frame import cursor_of
from tests.experience import Experience

NAIVE = ("2027-01-31T10:00:00", "2027-01-31T10:00", "2027-01-31 10:00:00.5")


def said_in(schema: Any) -> bool:
    """Whether a schema takes an instant somewhere at its top."""
    return schema.get("format") == "date-time" or any(map(said_in, schema.get("anyOf", ())))


def parameters(described: Any) -> Iterator[tuple[str, str]]:
    """Path and name of each query parameter that takes an instant."""
    for path, methods in described["paths"].items():
        for each in methods.get("get", {}).get("parameters", ()):
            if each["in"] == "query" and said_in(each["schema"]):
                yield path, each["name"]


async def test_every_parameter_that_takes_an_instant_wants_its_zone(experience: Experience) -> None:
    found = list(parameters(document()))
    assert ("/api/v1/sla/clocks", "due_before") in found
    for path, name in found:
        for moment in NAIVE:
            answer = await experience.http.get(path, params={name: moment})
            told = answer.json()
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), path
            assert name in str(told), told
        for moment in ("2027-01-31T10:00:00Z", "2027-01-31T10:00:00+05:30"):
            assert (await experience.http.get(path, params={name: moment})).status_code == 200, path


@pytest.mark.parametrize("path", ["/cases", "/sla/clocks"])
async def test_so_does_a_cursor(experience: Experience, path: str) -> None:
    cursor = cursor_of([datetime(2027, 1, 31, 10), "x"])  # noqa: DTZ001  # what is refused
    answer = await experience.http.get(f"/api/v1{path}", params={"cursor": cursor})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_and_a_command(experience: Experience) -> None:
    answer = await experience.post("/cases/some/snooze", {"until": NAIVE[0]})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "until" in answer.text
