"""Dotted paths into an order document, and fixes along them."""

from typing import Any

import pytest

from domain.document import apply_fixes, dotted, keys_of


def test_fixes_make_a_new_document() -> None:
    old = {"deal_id": "D", "lines": [{"id": "1", "quantity": "5"}]}
    new = apply_fixes(old, {"ship_to.address.postal_code": "94105", "lines[0].quantity": "50"})
    assert new == {
        "deal_id": "D",
        "lines": [{"id": "1", "quantity": "50"}],
        "ship_to": {"address": {"postal_code": "94105"}},
    }
    assert old == {"deal_id": "D", "lines": [{"id": "1", "quantity": "5"}]}


@pytest.mark.parametrize(
    ("fixes", "lines"),
    [
        ({"lines[2].id": "3"}, [{"id": "1"}, {"id": "2"}, {"id": "3"}]),
        ({"lines[2]": {"id": "3"}}, [{"id": "1"}, {"id": "2"}, {"id": "3"}]),
        ({"lines[0]": None}, [{"id": "2"}]),
        ({"lines[0].id": None}, [{}, {"id": "2"}]),
        ({"lines[1].billing_start.on_milestone": "go-live"}, None),
    ],
)
def test_lines_are_appended_changed_and_removed(fixes: dict[str, Any], lines: list[Any] | None) -> None:
    expected = lines or [{"id": "1"}, {"id": "2", "billing_start": {"on_milestone": "go-live"}}]
    assert apply_fixes({"lines": [{"id": "1"}, {"id": "2"}]}, fixes)["lines"] == expected


def test_a_field_that_no_order_has_can_only_be_removed_or_changed() -> None:
    assert apply_fixes({"colour": "red"}, {"colour": None}) == {}
    with pytest.raises(ValueError, match="no such field"):
        apply_fixes({}, {"colour": "red"})


@pytest.mark.parametrize(
    "path",
    ["", "a..b", ".deal_id", "lines[x].id", "lines[-1].id", "lines 0", "ship_too.name", "lines.quantity", "ship_to[0]",
     "lines[5].id", "lines[0][1]", "deal_id.x", "account.id.x", "lines[0].id.x", "terms.zone[0]"],
)  # fmt: skip
def test_nonsense_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        apply_fixes({"deal_id": "D", "lines": [{"id": "1"}]}, {path: "x"})


def test_a_path_through_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="sold_to is a single value"):
        apply_fixes({"sold_to": "Hooli"}, {"sold_to.name": "Hooli GmbH"})
    with pytest.raises(ValueError, match="lines is a group of fields"):
        apply_fixes({"lines": {"id": "1"}}, {"lines[0].id": "1"})


@pytest.mark.parametrize("path", ["deal_id", "lines[0].quantity", "ship_to.address.postal_code", "lines[12]"])
def test_paths_there_and_back(path: str) -> None:
    assert dotted(keys_of(path)) == path
