"""A payload that was shown masked and edited: what is still masked is what it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.masking import MASK, masked, texts_of, unmasked

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "email", "token", "b"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_what_is_left_as_it_was_shown_is_what_it_was(value: object) -> None:
    assert unmasked(masked(value), value) == value


def test_what_is_edited_is_taken_and_the_rest_stays() -> None:
    original = {"data": {"on": "someday", "email": "ada@hooli.example"}, "notes": ["call +1", "DE123456789 owes"]}
    edited = masked(original)
    edited["data"]["on"] = "2027-01-31"
    edited["notes"].append("third")
    assert unmasked(edited, original) == {
        "data": {"on": "2027-01-31", "email": "ada@hooli.example"},
        "notes": ["call +1", "DE123456789 owes", "third"],
    }


def test_what_is_hidden_can_be_written_anew() -> None:
    assert unmasked({"email": "b@hooli.example"}, {"email": "a@hooli.example"}) == {"email": "b@hooli.example"}


@pytest.mark.parametrize("edited", [{"email": "x•••"}, {"other": "•••"}, {"list": ["•••"]}])
def test_a_mask_where_nothing_was_hidden_is_refused(edited: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is hidden"):
        unmasked(edited, {"email": "a@hooli.example"})


TICKET: dict[str, Any] = {
    "id": "e1",
    "type": "zen:event-type:ticket.created",
    "time": "2027-01-31T09:00:00Z",
    "detail": {
        "id": 7,
        "subject": "Printer on fire",
        "description": "Help!",
        "comments": ["call ann@hooli.example", "ok"],
    },
}


def test_what_is_written_in_words_is_hidden_told_apart_and_stays_what_it_was() -> None:
    seen = masked(TICKET, written=True)
    assert (seen["id"], seen["type"], seen["time"], seen["detail"]["id"]) == ("e1", TICKET["type"], TICKET["time"], 7)
    assert {*seen["detail"]["comments"], seen["detail"]["subject"], seen["detail"]["description"]} == {MASK}
    assert texts_of(TICKET) == {
        "detail.subject": "Printer on fire",
        "detail.description": "Help!",
        "detail.comments[0]": "call •••",
        "detail.comments[1]": "ok",
    }
    seen["detail"]["id"] = 8
    assert unmasked(seen, TICKET, written=True)["detail"] == {**TICKET["detail"], "id": 8}
