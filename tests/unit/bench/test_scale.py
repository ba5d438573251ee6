"""The model of many contracts: its units, what grows with what, and money against the price list by hand."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from bench.scale import HERE, SIZES, Assumed, Scale, cloud_month, read_inputs, read_prices, reckon

NOWHERE = Path("no-results-here")


def reckoned(contracts: int, assumed: Assumed | None = None) -> Scale:
    measured, stated = read_inputs(results=NOWHERE)
    return reckon(contracts, measured, read_prices(), assumed or stated)


def test_the_committed_inputs_are_of_a_measured_machine() -> None:
    measured, assumed = read_inputs(results=NOWHERE)
    assert measured["machine"]
    assert assumed == Assumed()
    for year in ("first_year", "further_year"):
        assert all(measured[year][name] > 0 for name in ("actions", "events", "bytes", "cpu_seconds", "writes"))
        assert set(measured[year]["calls"]) == {"crm", "erp", "cs", "support", "usage"}
    assert measured["cached_kilobytes"] > 0


def test_a_thousand_times_as_many_contracts_take_a_thousand_times_as_much_and_never_less_of_anything() -> None:
    small, middle, large = (reckoned(size) for size in SIZES)
    for name in ("actions_month", "history_gigabytes", "store_gigabytes_year", "store_writes_second", "drain_hours"):
        assert getattr(large, name) == pytest.approx(1000 * getattr(small, name))
    for each in fields(Scale):
        if each.name not in ("limits", "years_in_one_run", "cached_megabytes"):
            assert getattr(small, each.name) <= getattr(middle, each.name) <= getattr(large, each.name), each.name


def test_units_hold_by_hand() -> None:
    measured, assumed = read_inputs(results=NOWHERE)
    found = reckoned(100_000)
    share = assumed.new_share
    each = share * measured["first_year"]["actions"] + (1 - share) * measured["further_year"]["actions"]
    assert found.actions_month == pytest.approx(100_000 * each / 12)
    assert found.actions_second == pytest.approx(found.actions_month / (30.4375 * 86_400))
    held = measured["first_year"]["bytes"] + (assumed.age_years - 1) * measured["further_year"]["bytes"]
    assert found.history_gigabytes == pytest.approx(held / 10_000)
    assert found.shards & (found.shards - 1) == 0, "a power of two"
    assert found.drain_hours == pytest.approx(100_000 * 0.05 * measured["window"]["erp_calls"] / 5 / 3600)


def test_money_is_what_the_price_list_says() -> None:
    prices = read_prices()
    assert cloud_month(0, 0, 0, prices) == 500, "the plan alone"
    # the list's own example: 11.25 million actions beyond what is included cost 525
    assert cloud_month(13.75e6, 0, 0, prices) == 525 + 500
    gigabyte = cloud_month(0, 102.5, 0, prices) - 500
    assert gigabyte == pytest.approx(100 * 744 * 0.042)
    assert cloud_month(0, 1002.5, 0, prices) == pytest.approx(1000 * 744 * 0.042 * 1.1), "then a share of the spend"


def test_what_helps_against_a_limit_helps() -> None:
    slow = reckoned(1_000_000)
    measured, assumed = read_inputs(results=NOWHERE)
    fast = reckon(1_000_000, measured, read_prices(), replace(assumed, erp_per_second=500.0))
    assert fast.drain_hours == pytest.approx(slow.drain_hours / 100)
    assert fast.peak_actions_second > slow.peak_actions_second, "what an ERP lets through, the others must carry"
    assert slow.first_limit.used == max(limit.used for limit in slow.limits)


def test_a_given_file_wins_over_what_is_committed(tmp_path: Path) -> None:
    given = tmp_path / "mine.json"
    given.write_text(json.dumps({"measured": {"cached_kilobytes": 1.0}, "assumed": {"new_share": 0.5}}))
    measured, assumed = read_inputs(given)
    assert (measured["cached_kilobytes"], assumed.new_share) == (1.0, 0.5)
    committed = json.loads((HERE / "scale.json").read_text())["measured"]
    assert measured["first_year"] == committed["first_year"]
