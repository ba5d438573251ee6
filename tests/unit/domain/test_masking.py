"""What is hidden in a payload that people look at, and what stays."""

import json
from typing import Any

import pytest

from domain.masking import MASK, masked, masked_text


@pytest.mark.parametrize(
    "name",
    [
        "password", "client_secret", "access_token", "Authorization", "api_key", "apiKey", "Tax_Id__c", "taxNumber",
        "vat", "VAT_Number__c", "vatId", "iban", "bankAccount", "account_number", "billing_email", "MobilePhone",
    ],
)  # fmt: skip
def test_a_telling_name_hides_its_value(name: str) -> None:
    assert masked({name: "whatever"}) == {name: MASK}
    assert masked({name: {"deep": ["down", 7]}}) == {name: {"deep": [MASK, MASK]}}
    assert masked({name: None}) == {name: None}, "that it is missing is what people look for"


@pytest.mark.parametrize(
    "text",
    [
        "write to jane.doe+x@mail.hooli.example please",
        "Bearer abc.def-123456",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "DE123456788",
        "078-05-1120",
        "4111 1111 1111 1111",
    ],
)
def test_a_value_that_looks_like_it_is_hidden_under_any_name(text: str) -> None:
    hidden = masked({"note": [text]})["note"][0]
    assert MASK in hidden
    assert not any(word in hidden for word in text.split() if any(sign.isdigit() for sign in word))


@pytest.mark.parametrize(
    "value",
    [
        "001Dn00000AbCdEIAV", "9007199254740993", "2026-11-21T09:00:00.000+0000", "sub_000001", "crm/006/1",
        "0d6bb1e8-4a4b-4567-8901-123456789012", "erp:subscription:sub_000001", 45000.0, True, 1_764_100_000_000, "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["AccountId", "id", "contract", "amount", "hs_object_id", "subscription"])
def test_what_a_person_needs_to_understand_the_event_stays(name: str, value: Any) -> None:
    assert masked({name: value}) == {name: value}


def test_the_shape_stays_and_a_text_that_is_no_json_is_masked_too() -> None:
    document = {"data": {"record": {"Name": "Hooli", "Email": "a@b.example", "lines": [{"token": 1}, {"x": 1}]}}}
    hidden = masked(document)
    assert hidden["data"]["record"] == {"Name": "Hooli", "Email": MASK, "lines": [{"token": MASK}, {"x": 1}]}
    assert document["data"]["record"]["Email"] == "a@b.example", "the payload itself is left alone"
    broken = json.dumps({"password": "hunter, the 2nd", "deal": "006", "mail": "x@y.example"})[:-1]
    assert masked_text(broken) == f'{{"password": {MASK}, "deal": "006", "mail": "{MASK}"'
