"""Old versions are read as the newest: tried on a catalog of this test's own, for ours has no old version yet."""

from typing import Any, ClassVar

import pytest

from domain.events import EventData, UnusableEvent, read_event
from domain.events.base import Contract
from domain.events.documents import documents
from domain.events.schemas import asyncapi, schema_of
from domain.events.upcast import Upcast, gaps, next_version

NAME = "tenure.parcel.sent.v"


def contract(version: int, **facts: Any) -> Contract:
    return Contract(type=f"{NAME}{version}", owner="sales", truth="crm", subject="contract", wakes=None, **facts)


class ParcelSentV1(EventData):
    """A parcel was sent."""

    type: ClassVar[str] = f"{NAME}1"
    contract_: ClassVar[Contract] = contract(1, deprecated="0.3", replaced_by=f"{NAME}2")
    name: str
    grams: int


class ParcelSentV2(EventData):
    """A parcel was sent; its weight is in kilograms."""

    type: ClassVar[str] = f"{NAME}2"
    contract_: ClassVar[Contract] = contract(2, since="0.3", deprecated="0.4", replaced_by=f"{NAME}3")
    name: str
    kilograms: float


class ParcelSentV3(EventData):
    """A parcel was sent, to somebody with a first name and a last name."""

    type: ClassVar[str] = f"{NAME}3"
    contract_: ClassVar[Contract] = contract(3, since="0.4")
    first: str
    last: str
    kilograms: float


def weigh(data: dict[str, Any]) -> dict[str, Any]:
    return {"name": data["name"], "kilograms": data["grams"] / 1000}


def split(data: dict[str, Any]) -> dict[str, Any]:
    first, _, last = data["name"].partition(" ")
    return {"first": first, "last": last, "kilograms": data["kilograms"]}


PARCELS: dict[str, type[EventData]] = {model.type: model for model in (ParcelSentV1, ParcelSentV2, ParcelSentV3)}
UPCASTS: dict[str, Upcast] = {f"{NAME}1": weigh, f"{NAME}2": split}


def sent(version: int, **data: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/s", "type": f"{NAME}{version}", "data": data}


@pytest.mark.parametrize(
    ("event", "deprecation"),
    [
        (sent(1, name="Ada Lovelace", grams=1500), f"{NAME}1 is deprecated since 0.3; send {NAME}2"),
        (sent(2, name="Ada Lovelace", kilograms=1.5), f"{NAME}2 is deprecated since 0.4; send {NAME}3"),
        (sent(3, first="Ada", last="Lovelace", kilograms=1.5), None),
    ],
)
def test_every_version_is_read_as_the_newest(event: dict[str, Any], deprecation: str | None) -> None:
    before = str(event)
    read = read_event(event, PARCELS, UPCASTS)
    assert read.type == f"{NAME}3"
    assert read.data == ParcelSentV3(first="Ada", last="Lovelace", kilograms=1.5)
    assert read.deprecation == deprecation
    assert str(event) == before


def test_an_old_version_is_held_to_its_own_contract() -> None:
    with pytest.raises(UnusableEvent, match=r"not a valid event: grams: Field required"):
        read_event(sent(1, name="Ada", kilograms=1.5), PARCELS, UPCASTS)


def test_what_an_up_cast_makes_is_held_to_the_next_contract() -> None:
    with pytest.raises(UnusableEvent, match=r"not a valid event: kilograms: Field required"):
        read_event(sent(1, name="Ada", grams=1), PARCELS, {**UPCASTS, f"{NAME}1": lambda data: {"name": data["name"]}})


def test_a_version_that_nobody_knows_is_unknown() -> None:
    with pytest.raises(UnusableEvent, match=f"unknown event type '{NAME}4'"):
        read_event(sent(4), PARCELS, UPCASTS)


def test_the_next_version_is_one_more() -> None:
    assert next_version("tenure.invoice.partly_paid.v9") == "tenure.invoice.partly_paid.v10"
    with pytest.raises(ValueError, match="is not tenure"):
        next_version("tenure.invoice.paid")


def test_a_way_without_gaps_is_asked_for() -> None:
    assert gaps(PARCELS, UPCASTS) == []
    assert gaps(PARCELS, {f"{NAME}1": weigh}) == [f"{NAME}2: {NAME}3 is there, and no up-cast to it"]
    without = {name: model for name, model in PARCELS.items() if not name.endswith("2")}
    assert gaps(without, UPCASTS) == [
        f"{NAME}2: it is up-cast, but is not in the catalog",
        f"{NAME}1: it is up-cast to {NAME}2, which is not in the catalog",
        f"{NAME}1: it is replaced by {NAME}2, which is not in the catalog",
    ]

    class Current(ParcelSentV2):
        contract_ = contract(2)

    assert gaps({**PARCELS, f"{NAME}2": Current}, UPCASTS) == [
        f"{NAME}2: {NAME}3 is there, and {NAME}2 is not marked as deprecated"
    ]


def test_a_deprecated_type_is_shown_as_such() -> None:
    assert schema_of(ParcelSentV1)["deprecated"] is True
    assert "deprecated" not in schema_of(ParcelSentV3)
    table = documents(PARCELS)["README.md"]
    (line,) = [line for line in table.splitlines() if line.startswith(f"| [`{NAME}1`]")]
    assert line.endswith(f"| 0.3, by `{NAME}2` |")
    assert asyncapi(PARCELS)["info"]["version"] == "0.4"
