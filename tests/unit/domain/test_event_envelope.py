"""CloudEvents as they come in: structured and binary, of the newest version and of older ones."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import MilestoneCompleted, UnusableEvent, from_binary, read_event

DATA = {"contract": "c", "milestone": "go-live", "completed_on": "2026-09-01"}
TYPE = "tenure.milestone.completed.v1"
EVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/cs", "type": TYPE, "data": DATA}


def binary(event: dict[str, Any]) -> tuple[dict[str, str], str]:
    """An event as the HTTP binding has senders write it."""
    headers = {
        f"ce-{name}": quote(value, safe="!#$&'()*+,/:;=?@[]\\<>^`{|}~")
        for name, value in event.items()
        if name not in ("data", "datacontenttype")
    }
    return {**headers, "Content-Type": event.get("datacontenttype", "application/json")}, json.dumps(event["data"])


def test_an_event_is_read() -> None:
    event = read_event({**EVENT, "time": "2026-09-01T08:00:00.5Z", "subject": "7", "traceparent": "00-1-2-01"})
    assert (event.id, event.source, event.type, event.deprecation) == ("1", "/cs", TYPE, None)
    assert event.time == datetime(2026, 9, 1, 8, 0, 0, 500_000, tzinfo=UTC)
    assert event.data == MilestoneCompleted.model_validate(DATA)


@pytest.mark.parametrize(
    "good",
    [
        {"time": "2026-09-01T10:00:00+02:00"},
        {"time": "2026-09-01t08:00:00z"},
        {"time": None},
        {"datacontenttype": "application/json; charset=utf-8"},
        {"datacontenttype": "application/vnd.acme.milestone+json"},
        {"datacontenttype": "text/json"},
        {"source": "https://acme.example/cs?tenant=1#a"},
        {"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"},
        {"source": "/größe"},
    ],
)
def test_what_cloudevents_allows_is_taken(good: dict[str, Any]) -> None:
    assert read_event({**EVENT, **good}).type == TYPE


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"specversion": "0.3"}, "specversion: Input should be '1.0'"),
        ({"specversion": 1.0}, "specversion: Input should be '1.0'"),
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"id": 7}, "id: Input should be a valid string"),
        ({"id": "a\x00b"}, "id: Value error, it has control characters"),
        ({"source": ""}, "source: String should have at least 1 character"),
        ({"source": "our CS system"}, "source: Value error, it is no URI reference"),
        ({"type": ""}, "type: String should have at least 1 character"),
        ({"subject": ""}, "subject: String should have at least 1 character"),
        ({"time": "2026-09-01"}, "time: Value error, it is no RFC 3339 time"),
        ({"time": "2026-09-01T08:00:00"}, "time: Value error, it is no RFC 3339 time"),
        ({"time": "2026-13-01T08:00:00Z"}, "time: Input should be a valid datetime"),
        ({"time": 1_788_000_000}, "time: Value error, it is no RFC 3339 time"),
        ({"datacontenttype": "application/xml"}, "datacontenttype: Value error, 'application/xml' is not JSON"),
        ({"data": None}, "data: Input should be a valid dictionary"),
        ({"data": {**DATA, "completed_on": "soon"}}, "completed_on: "),
        ({"data": {"milestone": "m", "completed_on": "2026-09-01"}}, "it names no contract"),
        ({"type": "tenure.milestone.missed.v1"}, "unknown event type 'tenure.milestone.missed.v1'; `tenure events`"),
    ],
)
def test_what_breaks_the_envelope_or_the_contract_is_named(bad: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableEvent) as refused:
        read_event({**EVENT, **bad})
    assert reason in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type", "data"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(UnusableEvent, match=f"not a valid event: {missing}: Field required"):
        read_event({name: value for name, value in EVENT.items() if name != missing})


@pytest.mark.parametrize("body", [None, [], [EVENT], "x", 1, {}])
def test_what_is_no_event_at_all_is_refused(body: Any) -> None:
    with pytest.raises(UnusableEvent, match="not a valid event"):
        read_event(body)


# every attribute may hold any printable text; in JSON too
text = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
uris = st.text(
    st.characters(min_codepoint=0x21, exclude_characters='<>"{}|\\^`', exclude_categories=["Cc", "Cs"]), min_size=1
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {
            "specversion": st.just("1.0"),
            "id": text,
            "source": uris,
            "type": st.just(TYPE),
            "data": st.dictionaries(text, anything, max_size=3).map(lambda more: {**more, **DATA}),
        },
        optional={
            "subject": text,
            "time": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
            "datacontenttype": st.sampled_from(["application/json", "application/acme+json; charset=utf-8"]),
            "partitionkey": text,
        },
    )
)
def test_binary_and_structured_mode_say_the_same(event: dict[str, Any]) -> None:
    headers, body = binary(event)
    for sent in (body, body.encode()):
        received = from_binary(headers, sent)
        assert received == {"datacontenttype": "application/json", **event}
        assert read_event(received) == read_event(event)


@given(
    st.dictionaries(st.text(max_size=8).map("ce-".__add__) | st.just("ce-specversion"), st.text()),
    st.binary() | st.text(),
)
def test_whatever_comes_is_read_or_refused(headers: dict[str, str], body: bytes | str) -> None:
    reason = None
    try:
        read_event(from_binary(headers, body))
    except UnusableEvent as refused:
        reason = str(refused)
    assert reason != ""


def with_headers(**headers: str) -> dict[str, Any]:
    sent, body = binary(EVENT)
    return from_binary({**sent, **{name.replace("_", "-"): value for name, value in headers.items()}}, body)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),  # the example of the specification
        ("%e2%82%ac", "€"),
        ("%61bc", "abc"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%2541", "%41"),  # one round of decoding, no more
        ('"a b"', "a b"),
        (r'"say \"hi\" \\ %41"', r'say "hi" \ A'),
        ("a+b", "a+b"),
        ("  padded ", "padded"),
        ("größe".encode().decode("latin-1"), "größe"),
    ],
)
def test_a_header_is_decoded_as_the_binding_says(value: str, read: str) -> None:
    assert with_headers(ce_subject=value)["subject"] == read


def test_header_names_are_read_in_any_case_and_others_left_alone() -> None:
    event = with_headers(CE_Subject="7", ce_data="x", ce_datacontenttype="x", ce_not_a_name="x", host="h")
    assert event == {**EVENT, "subject": "7", "datacontenttype": "application/json"}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"ce_subject": "%C0%A0"}, "the header ce-subject is not UTF-8, percent-encoded"),
        ({"ce_subject": "€"}, "the header ce-subject is not UTF-8, percent-encoded"),
        ({"ce_subject": "1", "Ce_Subject": "2"}, "the header ce-subject is given twice"),
        ({"Content_Type": "application/cloudevents+json"}, "its content type says that it is structured"),
        ({"Content_Type": "application/xml"}, "datacontenttype: 'application/xml' is not JSON"),
    ],
)
def test_what_is_no_binary_event_is_named(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(UnusableEvent, match=reason):
        with_headers(**headers)


@pytest.mark.parametrize("body", [b"\xff", "{", "NaN", b'{"a": Infinity}', "[" * 100_000, "9" * 10_000])
def test_a_body_that_is_not_json_is_refused(body: bytes | str) -> None:
    with pytest.raises(UnusableEvent, match="its body is not JSON in UTF-8"):
        from_binary(binary(EVENT)[0], body)


def test_without_the_version_of_cloudevents_it_is_no_binary_event() -> None:
    with pytest.raises(UnusableEvent, match="it has no header ce-specversion"):
        from_binary({"content-type": "application/json"}, "{}")


def test_without_a_body_there_is_no_data() -> None:
    with pytest.raises(UnusableEvent, match="data: Field required"):
        read_event(from_binary(binary(EVENT)[0], b""))
