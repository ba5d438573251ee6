"""What subscribers are told of a life, whatever of its views they were made from."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.announcements import announce, cloud_event
from domain.books import ViewRow
from domain.events import (
    LifecycleActivated,
    LifecycleBillingStarted,
    LifecycleCaseOpened,
    LifecycleRenewalDecided,
    LifecycleSaid,
    LifecycleStageChanged,
    LifecycleTermBegun,
    read_event,
)
from domain.view import CaseView, LifecycleView, LineView, Stage

AT = datetime(2027, 1, 31, 22, 30, tzinfo=UTC)
LINES = [LineView(id=str(n), product=f"P{n}", quantity="1", billing_rule="on activation") for n in range(3)]
BORN = LifecycleView(
    contract="crm/d1/1", stage=Stage.ORDER_ACTIVATION, account="a", deal="d1", zone="Europe/Berlin", as_of=AT
)
EFFECTS = {"customer:a:DE": "cus_1", "subscription:crm/d1/1": "sub_1"}


def case(id: str, kind: str = "rejected") -> CaseView:
    return CaseView(id=id, kind=kind, title=f"case {id}", opened_at=AT)


def term(number: int, **changes: Any) -> dict[str, Any]:
    dates = {"term_starts": date(2026 + number, 2, 1), "term_ends": date(2027 + number, 2, 1)}
    return {"term": number, "readiness": None, "decision": None} | dates | changes


def activate(view: LifecycleView) -> dict[str, Any]:
    return term(1, lines=LINES, effects=EFFECTS) if not view.term else {}


def bill(view: LifecycleView) -> dict[str, Any]:
    todo = [line.id for line in view.lines if not line.billing_starts][:1]
    starts = {line.id: date(2027, 2, 1) for line in view.lines if line.billing_starts or line.id in todo}
    return {"lines": [line.model_copy(update={"billing_starts": starts.get(line.id)}) for line in view.lines]}


def fail(view: LifecycleView) -> dict[str, Any]:
    return {"cases": [*view.cases, case("1")][:1]}


def mend(view: LifecycleView) -> dict[str, Any]:
    return {"cases": []}


def worry(view: LifecycleView) -> dict[str, Any]:
    return {"risk": "low" if view.risk == "high" else "high", "renewal_priority": "urgent"}


def open_window(view: LifecycleView) -> dict[str, Any]:
    return {"readiness": {"score": 1}} if view.term else {}


def decide(view: LifecycleView) -> dict[str, Any]:
    return {"decision": "renew (auto-renew clause)"} if view.readiness else {}


def begin_term(view: LifecycleView) -> dict[str, Any]:
    return term(view.term + 1) if view.decision else {}


def move(view: LifecycleView) -> dict[str, Any]:
    return {"stage": Stage.SERVING if view.stage is Stage.ONBOARDING else Stage.ONBOARDING}


def finish(view: LifecycleView) -> dict[str, Any]:
    return {"stage": Stage.ENDED if view.term else Stage.CANCELLED}


TELLS: dict[Callable[[LifecycleView], dict[str, Any]], str] = {
    activate: "activated",
    bill: "billing_started",
    fail: "case_opened",
    mend: "case_resolved",
    worry: "risk_changed",
    open_window: "renewal_opened",
    decide: "renewal_decided",
    begin_term: "term_begun",
    move: "stage_changed",
}
MOVES = st.lists(st.sampled_from(list(TELLS)), max_size=30)


def turns(views: list[LifecycleView]) -> list[LifecycleSaid]:
    first = announce(None, views[0])
    return first + [said for before, after in pairwise(views) for said in announce(before, after)]


def names(said: list[LifecycleSaid]) -> list[str]:
    return [each.type.removeprefix("tenure.lifecycle.").removesuffix(".v1") for each in said]


def lived(moves: list[Callable[[LifecycleView], dict[str, Any]]]) -> tuple[list[LifecycleView], list[str]]:
    """The views of a life, and what each step of it should be told as; a step that changes nothing is still a view."""
    views, told = [BORN], ["started", "stage_changed"]
    for step in moves:
        after = views[-1].model_copy(update=step(views[-1]) | {"last_seq": len(views)})
        if after.model_dump(exclude={"last_seq"}) != views[-1].model_dump(exclude={"last_seq"}):
            told.append(TELLS[step])
        views.append(after)
    views.append(views[-1].model_copy(update=finish(views[-1])))
    return views, [*told, "stage_changed", "ended" if views[-1].term else "cancelled"]


@given(MOVES)
def test_each_turn_of_a_life_is_told_once_and_in_order(moves: list[Any]) -> None:
    views, expected = lived(moves)
    assert names(turns(views)) == expected
    assert names(turns([view for view in views for _ in (1, 2)])) == expected, "the same view again is no news"


@given(MOVES, st.data())
def test_views_that_were_skipped_lose_no_turn_that_stands(moves: list[Any], data: st.DataObject) -> None:
    views, _ = lived(moves)
    seen = [*sorted(data.draw(st.sets(st.integers(0, len(views) - 2)))), len(views) - 1]
    every, some = turns(views), turns([views[n] for n in seen])
    stays = {"started", "activated", "ended", "cancelled"}
    assert [name for name in names(some) if name in stays] == [name for name in names(every) if name in stays]

    def billed(said: list[LifecycleSaid]) -> list[str]:
        return sorted(each.line for each in said if isinstance(each, LifecycleBillingStarted))

    assert billed(some) == billed(every)
    moved = [each for each in some if isinstance(each, LifecycleStageChanged)]
    assert all(one.stage == other.before for one, other in pairwise(moved)), "stages are a chain"
    assert moved[-1].stage == views[-1].stage.value


@given(MOVES)
def test_what_is_told_is_an_event_that_can_be_read(moves: list[Any]) -> None:
    views, _ = lived(moves)
    ids, sequences = [], []
    for sequence, (before, after) in enumerate([(None, views[0]), *pairwise(views)]):
        row = ViewRow(contract=after.contract, run_started=AT, sequence=sequence, view={})
        for n, said in enumerate(announce(before, after)):
            body = cloud_event(said, row, n, tenant="acme", at=AT)
            assert read_event(body).data == said
            assert (body["subject"], body["source"], body["time"]) == (
                "crm/d1/1",
                "/tenure/acme",
                "2027-01-31T22:30:00+00:00",
            )
            ids.append(body["id"])
            sequences.append(body["sequence"])
    assert len(set(ids)) == len(ids)
    assert sorted(sequences) == sequences, "the sequence tells the order"


def test_an_activation_names_the_records_of_the_erp_and_the_day_of_the_contract() -> None:
    [activated] = announce(BORN, BORN.model_copy(update=activate(BORN)))
    assert isinstance(activated, LifecycleActivated)
    assert (activated.customer, activated.subscription) == ("cus_1", "sub_1")
    assert activated.term_ends == date(2028, 2, 1)
    assert activated.on == date(2027, 1, 31)
    late = BORN.model_copy(update={"as_of": AT + timedelta(hours=1), "cases": [case("1")]})
    assert announce(BORN, late)[0].on == date(2027, 2, 1), "it is tomorrow in Berlin"


def test_a_decision_says_who_made_it_and_may_become_another() -> None:
    served = BORN.model_copy(update=term(1, readiness={}))
    decided = served.model_copy(update={"decision": "end (CRM opportunity 006 (old) lost)"})
    [said] = announce(served, decided)
    assert isinstance(said, LifecycleRenewalDecided)
    assert (said.decision, said.by) == ("end", "CRM opportunity 006 (old) lost")
    assert names(announce(decided, decided.model_copy(update={"decision": "renew (jo)"}))) == ["renewal_decided"]


def test_a_case_that_becomes_of_another_kind_is_told_anew() -> None:
    down = BORN.model_copy(update={"cases": [case("s", "source_unavailable"), case("t")]})
    doubt = down.model_copy(update={"cases": [case("s", "in_doubt"), case("t")]})
    [said] = announce(down, doubt)
    assert isinstance(said, LifecycleCaseOpened)
    assert (said.case, said.kind) == ("s", "in_doubt")


def test_a_life_that_is_first_seen_late_is_told_from_its_beginning() -> None:
    late = BORN.model_copy(update=term(2) | {"stage": Stage.SERVING, "lines": LINES})
    said = announce(None, late)
    assert names(said) == ["started", "activated", "term_begun", "stage_changed"]
    assert [each.term for each in said if isinstance(each, LifecycleTermBegun)] == [2]


def test_a_view_without_an_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="names no instant"):
        announce(None, BORN.model_copy(update={"as_of": None}))


def test_a_shadow_tells_nothing_and_made_live_it_tells_where_it_stands() -> None:
    shadow = BORN.model_copy(update={"mode": "shadow", **activate(BORN), "stage": Stage.SERVING})
    assert announce(None, shadow) == []
    live = shadow.model_copy(update={"mode": "live", "cut_over": date(2027, 1, 31), "cases": [case("1")]})
    told = [said.type.split(".")[2] for said in announce(shadow, live)]
    assert told == ["started", "case_opened", "stage_changed"]
    assert [said.type.split(".")[2] for said in announce(None, live)] == told, "though no view of the shadow was kept"
