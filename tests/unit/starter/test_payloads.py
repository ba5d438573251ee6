"""What was masked stays what it was, however the editor writes the mask."""

import json

import pytest

from domain.masking import MASK
from starter.mistakes import Mistake
from starter.payloads import restored

KEPT = json.dumps({"email": "ada@hooli.example", "on": "someday"})


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_masked_field_is_restored(ascii_only: bool) -> None:
    edited = json.dumps({"email": MASK, "on": "2027-01-31"}, ensure_ascii=ascii_only)
    assert json.loads(restored(KEPT, edited, written=False)) == {"email": "ada@hooli.example", "on": "2027-01-31"}


def test_a_text_without_a_mask_is_taken_as_it_is() -> None:
    for text in ('{"on":  "2027-01-31"}', "no JSON"):
        assert restored(KEPT, text, written=False) == text


def test_a_mask_where_nothing_was_is_refused() -> None:
    with pytest.raises(Mistake, match="can't be taken"):
        restored("no JSON", f"no JSON {MASK}", written=False)
