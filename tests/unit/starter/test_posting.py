"""What an answer means, and what goes wrong without one."""

import time
from email.utils import formatdate
from typing import Any

import pytest
from fastapi.responses import StreamingResponse
from pydantic import SecretStr

from starter import sections
from starter.posting import Postman, judge
from starter.settings import SettingsError
from store.outgoing import Letter
from tests.subscriber import SECRET, Got, open_subscriber

LETTER = Letter(1, "crm/d ä/1", "evt-1", {"id": "evt-1", "subject": "crm/d ä/1", "type": "tenure.x"}, 0)


def postman(url: str, secret: str = SECRET, timeout: float = 2.0) -> Postman:
    subscriber = sections.Subscriber(url=url, secrets=(sections.Secret(value=SecretStr(secret)),))
    return Postman("crm", subscriber, (secret,), timeout)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (202, "delivered"), (204, "delivered"), (410, "gone")]
    + [(status, "failed") for status in (100, 301, 400, 401, 404, 429, 500, 503)],
)
def test_a_status_decides(status: int, outcome: str) -> None:
    assert judge(status, {}).outcome == outcome


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("0", 0.0), ("-1", None), ("soon", None), ("", None), ("9" * 40, None), ("٣", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert judge(503, {"retry-after": value}).retry_after == seconds


def test_retry_after_as_a_date() -> None:
    in_a_minute = judge(429, {"retry-after": formatdate(time.time() + 60, usegmt=True)}).retry_after
    assert in_a_minute == pytest.approx(60, abs=3)
    assert judge(429, {"retry-after": formatdate(0, usegmt=True)}).retry_after == 0.0
    assert judge(500, {"retry-after": "60"}).retry_after is None, "only 429 and 503 say when"


async def test_what_is_signed_is_what_is_sent() -> None:
    async with open_subscriber() as subscriber:
        to = postman(subscriber.url)
        assert (await to.send(LETTER)).outcome == "delivered"
        await to.close()
    [got] = subscriber.got
    assert got.by == (SECRET,)
    assert got.event == LETTER.body


async def test_an_answer_that_never_ends_is_cut_off_and_counts() -> None:
    async with open_subscriber() as subscriber:

        async def flood(_: Got) -> Any:
            return StreamingResponse(iter(lambda: b"x" * 65_536, None), status_code=200)

        subscriber.answer = flood
        to = postman(subscriber.url)
        began = time.monotonic()
        assert (await to.send(LETTER)).outcome == "delivered"
        assert time.monotonic() - began < 60
        await to.close()


async def test_nobody_there_is_a_failure_in_words() -> None:
    to = postman("http://127.0.0.1:9/discard")
    reply = await to.send(LETTER)
    assert (reply.outcome, reply.problem) == ("failed", "it can't be reached (ConnectError)")
    await to.close()


@pytest.mark.parametrize("secret", ["whsec_", "whsec_a", ""])
def test_a_secret_that_is_none_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"subscribers\.crm\.secrets: not a whsec_ secret"):
        postman("https://example.com", secret)
