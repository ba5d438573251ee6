"""Splitting a deal into contracts, and finding its parts again after it was corrected."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.mapping import canonical, load_mapping
from domain.splitting import place, split
from tests.intake import EXAMPLES, payload

Document = dict[str, Any]


def line(name: str, **own: Any) -> Document:
    return {"id": name, "product": f"P-{name}", **own}


def deal(*lines: Any, **fields: Any) -> Document:
    return {
        "deal_id": "d",
        "selling_entity": "ACME-DE",
        "currency": "EUR",
        "terms": {"initial_months": 12},
        "lines": list(lines),
        **fields,
    }


def ids(order: Document) -> list[str]:
    return [each["id"] for each in order["lines"]]


def test_a_deal_whose_lines_have_nothing_of_their_own_is_one_order_as_it_is() -> None:
    document = deal(line("a"), line("b", selling_entity="", bill_to={}, terms=None))
    assert split(document) == [document]


def test_lines_are_told_apart_by_entity_currency_bill_to_and_term() -> None:
    orders = split(
        deal(
            line("a"),
            line("b", selling_entity="ACME-US", currency="USD"),
            line("c", bill_to={"name": "Hooli Holding"}),
            line("d", terms={"initial_months": 36}),
            line("e", terms={"initial_months": 12}),
            line("f", currency="USD", selling_entity="ACME-US"),
        )
    )
    assert [ids(order) for order in orders] == [["a", "e"], ["b", "f"], ["c"], ["d"]]
    assert [order["selling_entity"] for order in orders] == ["ACME-DE", "ACME-US", "ACME-DE", "ACME-DE"]
    assert orders[2]["bill_to"] == {"name": "Hooli Holding"}
    assert orders[3]["terms"] == {"initial_months": 36}
    assert orders[1]["lines"][0] == {"id": "b", "product": "P-b"}


def test_what_is_misshapen_is_left_for_the_validation_to_name() -> None:
    assert split({"deal_id": "d", "lines": "none"}) == [{"deal_id": "d", "lines": "none"}]
    [order] = split(deal(line("a", terms="36 months")))
    assert order["lines"][0]["terms"] == "36 months"
    kept, other = split(deal("no line", line("b", currency="USD", bill_to=7)))
    assert kept["lines"] == ["no line"]
    assert other["lines"] == [{"id": "b", "product": "P-b", "bill_to": 7}]


def test_a_mapping_may_say_by_which_entity_a_product_is_sold() -> None:
    text = (EXAMPLES / "mappings" / "salesforce.toml").read_text()
    rule = 'selling_entity = { from = "ProductCode", values = { "ONBOARDING" = "ACME-US" } }'
    mapping = load_mapping(text + rule + '\n"terms.initial_months" = { from = "Months__c", type = "integer" }\n')
    record = payload("salesforce_new_hooli")
    record["OpportunityLineItems"]["records"][1]["Months__c"] = 6
    orders = split(canonical(record, mapping))
    assert len(orders) > 1
    assert orders[0]["selling_entity"] == "ACME-US"
    assert 6 in [order["terms"]["initial_months"] for order in orders]


def test_a_corrected_deal_finds_its_parts_whatever_order_its_lines_are_in_now() -> None:
    us = {"selling_entity": "ACME-US", "currency": "USD"}
    known = dict(enumerate(split(deal(line("a"), line("b", **us))), 1))
    again = place(split(deal(line("c", terms={"initial_months": 6}), line("b", **us), line("a"))), known)
    assert {number: ids(order) for number, order in again.documents.items()} == {1: ["a"], 2: ["b"], 3: ["c"]}
    assert (again.gone, again.moved) == ((), frozenset())


def test_a_part_whose_terms_were_corrected_is_known_by_its_lines() -> None:
    known = dict(enumerate(split(deal(line("a"), line("b", currency="USD"))), 1))
    again = place(split(deal(line("a"), line("b", currency="CHF"))), known)
    assert again.documents[2]["currency"] == "CHF"
    assert not again.moved


def test_a_line_that_moves_is_named_with_both_parts() -> None:
    known = dict(enumerate(split(deal(line("a"), line("b"), line("c", currency="USD"))), 1))
    again = place(split(deal(line("a"), line("b", currency="USD"), line("c", currency="USD"))), known)
    assert again.moved == {1, 2}
    gone = place(split(deal(line("a"), line("b"), line("c"))), known)
    assert (gone.gone, gone.moved) == ((2,), frozenset({1, 2}))


SORTS = st.fixed_dictionaries(
    {},
    optional={
        "selling_entity": st.sampled_from(["ACME-DE", "ACME-US"]),
        "currency": st.sampled_from(["EUR", "USD"]),
        "bill_to": st.sampled_from([{"name": "A"}, {"name": "B"}]),
        "terms": st.sampled_from([{"initial_months": 12}, {"initial_months": 36}]),
    },
)


@given(st.lists(SORTS, min_size=1, max_size=8), st.randoms())
def test_no_line_is_lost_or_doubled_and_the_parts_are_found_again(sorts: list[Document], shuffled: Any) -> None:
    lines = [line(str(number), **sort) for number, sort in enumerate(sorts)]
    orders = split(deal(*lines))
    assert sorted(name for order in orders for name in ids(order)) == sorted(each["id"] for each in lines)
    assert split(deal(*lines)) == orders
    known = dict(enumerate(orders, 1))
    shuffled.shuffle(lines)
    again = place(split(deal(*lines)), known)
    assert {number: set(ids(order)) for number, order in again.documents.items()} == {
        number: set(ids(order)) for number, order in known.items()
    }
    assert not again.gone
    assert not again.moved
