"""Which stage a step belongs to, what is withheld, and how it is settled when the stage acts."""

from datetime import date, timedelta
from typing import get_args

import pytest

from domain import keys, plan
from domain.company import load_company
from domain.messages import Promote, SetStages
from domain.policies.stages import READS, STAGE_OF, policy_of, stage_of
from domain.projection import levels
from domain.promotion import check_promote, check_stages, promote, set_stages
from domain.refused import Refused
from domain.standins import ELSEWHERE, OFF, WITHHELD
from domain.state import LifecycleState
from domain.steps import AmendSubscription, SetHealth, Step, WriteStatus
from domain.withholding import completed, ruling, withhold
from tests.states import ACTIVE, CONTRACT, EXAMPLES, at, live, renewing

BILLING = keys.billing_start(CONTRACT, "2", 1)


def steps() -> set[str]:
    [union, _] = get_args(Step)
    return {str(kind.model_fields["do"].default) for kind in get_args(union)}


def test_every_step_belongs_to_a_stage_or_only_reads() -> None:
    assert steps() <= STAGE_OF.keys() | READS | {"crm.write_status"}, "say in STAGE_OF to which stage a step belongs"


def test_what_a_status_tells_belongs_to_the_stage_of_which_it_tells() -> None:
    def status(word: str) -> WriteStatus:
        told = {"deal": "d", "erp_customer": None, "erp_subscription": None, "renewal_date": None}
        return WriteStatus(key="crm.write_status", status=word, **told)

    assert [stage_of(status(word)) for word in ("active", "renewed", "ending", "ended")] == [
        "activation",
        "renewal",
        "ending",
        "ending",
    ]


def test_the_amendment_of_a_won_renewal_belongs_to_the_renewal() -> None:
    amended = AmendSubscription(key="", subscription="s", effective=ACTIVE, quantities={})
    upsell, renewal = (
        amended.model_copy(update={"key": key})
        for key in (keys.amendment(CONTRACT, "006-up"), keys.renewal_amendment(CONTRACT, 2))
    )
    assert (stage_of(upsell), stage_of(renewal)) == ("serving", "renewal")


def test_a_company_says_which_stages_run_how() -> None:
    text = (EXAMPLES / "company.toml").read_text() + '\n[stages]\nonboarding = "observe"\nrenewal = "off"\n'
    assert load_company(text).stages == {"onboarding": "observe", "renewal": "off"}
    with pytest.raises(ValueError, match="observe"):
        load_company(text.replace('"observe"', '"look"'))


def test_nothing_acts_in_shadow_but_what_is_off_stays_off() -> None:
    step = plan.start_billing(live(), "2", ACTIVE)
    assert [policy_of(step, {"billing": chosen}, "shadow") for chosen in ("act", "observe", "off")] == [
        "observe",
        "observe",
        "off",
    ]
    assert policy_of(plan.validate_order(live()), {}, "shadow") == "act", "a check only reads"


def withheld(state: LifecycleState, step: Step, on: date = ACTIVE) -> None:
    state.queue.append(step)
    why = ruling(state, step)
    assert why is not None
    withhold(state, step, why, at(on))


def test_a_withheld_step_counts_as_done_and_is_recorded_with_its_day() -> None:
    state = live()
    state.stages = {"billing": "observe"}
    withheld(state, plan.start_billing(state, "2", ACTIVE), ACTIVE + timedelta(days=3))
    assert (state.queue, state.effects[BILLING], state.billing) == ([], WITHHELD, {"2": ACTIVE})
    held = state.withheld[BILLING]
    assert (held.on, held.why) == (ACTIVE, "observe"), "billing is due on the day it starts, whenever that is found out"


def test_of_a_stage_that_is_off_nothing_is_recorded() -> None:
    state = live()
    state.stages = {"billing": "off"}
    withheld(state, plan.start_billing(state, "2", ACTIVE))
    assert (state.effects[BILLING], state.withheld) == (OFF, {})


def test_what_needs_a_record_that_was_not_made_is_withheld_as_well() -> None:
    state = live()
    state.effects[keys.subscription(CONTRACT)] = WITHHELD
    step = plan.start_billing(state, "2", ACTIVE)
    assert ruling(state, step) == "no subscription is known"
    state.effects[keys.subscription(CONTRACT)] = "sub_9"
    assert completed(state, step).model_dump()["subscription"] == "sub_9"
    assert ruling(state, completed(state, step)) is None


def test_a_level_that_was_withheld_is_written_once_its_stage_acts() -> None:
    state = live()
    state.stages = {"serving": "observe"}
    [health] = [level for level in levels(state, at(ACTIVE)) if isinstance(level, SetHealth)]
    withheld(state, health)
    assert health.key in state.told
    set_stages(state, SetStages(by="ops", stages={"serving": "act"}))
    assert health.key not in state.told
    assert not state.withheld


def test_what_a_stage_withheld_is_performed_from_the_named_day_on_and_never_before() -> None:
    state = live()
    state.stages = {"billing": "observe"}
    later = ACTIVE + timedelta(days=30)
    withheld(state, plan.start_billing(state, "2", ACTIVE))
    withheld(state, plan.start_billing(state, "3", later), later)
    command = SetStages(by="ops", stages={"billing": "act"}, since=later)
    check_stages(state, command, performing=set())
    set_stages(state, command)
    assert [step.key for step in state.queue] == [keys.billing_start(CONTRACT, "3", 1)]
    assert state.effects[BILLING] == ELSEWHERE
    assert state.withheld[BILLING].settled == "left to the old process"
    set_stages(state, command)
    assert len(state.queue) == 1, "once"


def test_without_a_day_what_was_withheld_stays_withheld() -> None:
    state = live()
    state.stages = {"billing": "observe"}
    withheld(state, plan.start_billing(state, "2", ACTIVE))
    set_stages(state, SetStages(by="ops", stages={"billing": "act"}))
    assert (state.queue, state.effects[BILLING], state.withheld[BILLING].settled) == ([], WITHHELD, "")


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        ({"onbording": "act"}, "there is no stage 'onbording'"),
        ({"onboarding": "maybe"}, "not 'maybe'"),
        ({}, "name a stage"),
        ({"billing": "act"}, "billing can't act: the subscription outside is not known"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(stages: dict[str, str], reason: str) -> None:
    state = live()
    state.stages = {"billing": "observe"}
    state.effects[keys.subscription(CONTRACT)] = WITHHELD
    with pytest.raises(Refused, match=reason):
        check_stages(state, SetStages(by="ops", stages=stages), performing=set())


def test_a_stage_can_not_stand_back_while_nobody_knows_what_became_of_its_step() -> None:
    state = live()
    step = plan.start_billing(state, "2", ACTIVE)
    state.queue.append(step)
    command = SetStages(by="ops", stages={"billing": "observe"})
    with pytest.raises(Refused, match="being done at this moment"):
        check_stages(state, command, performing={step.key})
    check_stages(state, command, performing=set())


# ── promotion ───────────────────────────────────────────────────────────────────────────────────────────────────────


def shadowed() -> LifecycleState:
    """In shadow, with a renewal opportunity, a playbook and the renewal itself decided."""
    state = renewing()
    state.mode = "shadow"
    del state.effects[keys.renewal_opportunity(CONTRACT, 1)]
    term = state.term_now()
    assert term is not None
    withheld(state, plan.create_renewal_opportunity(state, term), ACTIVE)
    withheld(state, plan.start_playbook(state, term), ACTIVE + timedelta(days=10))
    withheld(state, plan.renew_subscription(state), ACTIVE + timedelta(days=20))
    return state


def test_promotion_performs_from_the_cut_over_on_what_nobody_has_done() -> None:
    state = shadowed()
    command = Promote(by="ops", cut_over=ACTIVE + timedelta(days=10))
    check_promote(state, command, ACTIVE + timedelta(days=30))
    promote(state, command)
    assert (state.mode, state.cut_over) == ("live", command.cut_over)
    assert [step.key for step in state.queue] == [keys.playbook(CONTRACT, 1), keys.renewal(CONTRACT, 2)]
    assert state.withheld[keys.renewal_opportunity(CONTRACT, 1)].settled == "left to the old process"
    assert state.opportunity is None


def test_what_the_old_process_has_done_is_recorded_with_its_id() -> None:
    state = shadowed()
    made = {keys.renewal(CONTRACT, 2): "sub_1", keys.renewal_opportunity(CONTRACT, 1): "006-old"}
    promote(state, Promote(by="ops", cut_over=ACTIVE, done=made))
    assert [step.key for step in state.queue] == [keys.playbook(CONTRACT, 1)]
    assert state.opportunity == "006-old"
    assert state.withheld[keys.renewal(CONTRACT, 2)].settled == "done by the old process (sub_1)"


def test_what_the_erp_should_have_and_has_not_is_asked_of_a_person() -> None:
    state, key = shadowed(), keys.renewal(CONTRACT, 2)
    command = Promote(by="ops", cut_over=ACTIVE + timedelta(days=25))
    with pytest.raises(Refused, match=f"--perform or --leave '{key}'"):
        check_promote(state, command, ACTIVE + timedelta(days=30))
    for word, queued in (("perform", 1), ("leave", 0)):
        said = command.model_copy(update={word: (key,)})
        check_promote(state, said, ACTIVE + timedelta(days=30))
        after = state.model_copy(deep=True)
        promote(after, said)
        assert len(after.queue) == queued


def test_a_promotion_is_refused_before_its_day_and_without_the_records_it_needs() -> None:
    state = shadowed()
    state.effects[keys.subscription(CONTRACT)] = ELSEWHERE
    command = Promote(by="ops", cut_over=ACTIVE)
    with pytest.raises(Refused, match=r"cut-over is on 2026-12-01"):
        check_promote(state, command, ACTIVE - timedelta(days=1))
    with pytest.raises(Refused, match=r"the ERP's subscription is not known"):
        check_promote(state, command, ACTIVE)
    known = command.model_copy(update={"done": {keys.subscription(CONTRACT): "sub_7"}})
    check_promote(state, known, ACTIVE)
    promote(state, known)
    assert state.subscription == "sub_7"
    with pytest.raises(Refused, match="live already"):
        check_promote(state, known, ACTIVE)
