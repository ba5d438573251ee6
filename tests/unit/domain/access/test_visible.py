"""What a reader sees of an answer, and what of it is told to the audit."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from domain.access import FieldClass, Guarded, Principal, RolePolicy, Sensitive, default_policy, see, veiled, visible
from domain.base import Tolerant


class Line(Guarded):
    product: str
    price: Annotated[Decimal | None, Sensitive("amount")] = None


class Account(Guarded):
    name: str
    iban: Annotated[str, Sensitive("bank")] = "DE02"
    ticket: Annotated[str, Sensitive("support_text")] = "it does not work"
    since: date = date(2026, 1, 31)
    lines: tuple[Line, ...] = ()
    by_id: dict[str, Line] = {}


class Later(Tolerant):
    name: str


ACCOUNT = Account(name="Hooli", lines=(Line(product="P", price=Decimal("9.50")),), by_id={"1": Line(product="Q")})


def whoever(role: str) -> Principal:
    return default_policy().principal("ann", roles=[role])


def test_what_is_not_seen_is_null_and_named() -> None:
    seen = visible(whoever("csm"), ACCOUNT)
    assert (seen["name"], seen["ticket"], seen["since"]) == ("Hooli", "it does not work", "2026-01-31")
    assert (seen["iban"], seen["masked"]) == (None, ["iban"])
    assert seen["lines"] == [{"product": "P", "price": None, "masked": ["price"]}]
    assert seen["by_id"]["1"]["masked"] == ["price"], "also where there is nothing: null tells nothing"


def test_another_role_sees_other_fields() -> None:
    seen = visible(whoever("finance"), ACCOUNT)
    assert (seen["iban"], seen["ticket"], seen["masked"]) == ("DE02", None, ["ticket"])
    assert seen["lines"] == [{"product": "P", "price": "9.50", "masked": []}]


def test_only_what_is_really_shown_is_told() -> None:
    assert see(whoever("csm"), [ACCOUNT]).shown == {FieldClass.SUPPORT_TEXT}
    assert see(whoever("finance"), {"a": ACCOUNT}).shown == {FieldClass.AMOUNT, FieldClass.BANK}
    assert see(whoever("finance"), Line(product="P")).shown == frozenset(), "an empty field shows nothing"


def test_a_field_that_only_a_newer_version_knows_is_left_out() -> None:
    later = Later.model_validate({"name": "x", "iban": "DE02"})
    assert visible(whoever("admin"), later) == {"name": "x"}
    assert see(whoever("admin"), {"inside": [later]}).answer == {"inside": [{"name": "x"}]}


def test_a_schema_says_that_an_answer_may_be_null_there() -> None:
    answer = Account.model_json_schema(mode="serialization")["properties"]["iban"]
    assert {"type": "null"} in answer["anyOf"]
    assert answer["x-sensitive"] == "bank"
    assert Account.model_json_schema()["properties"]["iban"]["type"] == "string"


def test_an_unknown_class_or_permission_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="secret"):
        Sensitive("secret")
    with pytest.raises(ValidationError, match="names no permission"):
        RolePolicy(permissions=("renewal.decides",))


def test_a_page_gets_the_models_themselves() -> None:
    found = veiled(whoever("csm"), [ACCOUNT])
    [account] = found.answer
    assert account.since == date(2026, 1, 31)
    assert (account.model_dump(warnings=False)["iban"], account.masked) == (None, ("iban",))
    assert (account.lines[0].price, ACCOUNT.lines[0].price) == (None, Decimal("9.50")), "the original is untouched"
    assert found.hidden == {FieldClass.BANK, FieldClass.AMOUNT}
    assert veiled(whoever("admin"), ACCOUNT).answer is ACCOUNT


def test_a_model_must_be_able_to_say_what_is_hidden() -> None:
    class Loose(BaseModel):
        iban: Annotated[str, Sensitive("bank")] = ""

    with pytest.raises(TypeError, match="Guarded"):
        see(whoever("admin"), Loose())
