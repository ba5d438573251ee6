"""States of a lifecycle for pure tests: an activated contract, made from the example order as the workflow makes it."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domain import keys
from domain.company import load_company
from domain.document import apply_fixes
from domain.outcomes import done, failed
from domain.plan import activate_order
from domain.policies.validation import verdict
from domain.state import LifecycleState
from domain.steps import Performed, Step

EXAMPLES = Path(__file__).parents[1] / "examples"
COMPANY = load_company((EXAMPLES / "company.toml").read_text())
CONTRACT = "crm/EX-ANNUAL-1/1"
EVERGREEN = {"terms.evergreen": True, "terms.initial_months": None, "terms.renewal_months": None}
SIGNED, ACTIVE, ENDS = date(2026, 11, 20), date(2026, 12, 1), date(2027, 12, 1)


def at(day: date, hour: int = 12) -> datetime:
    """Within a day, in UTC and in Berlin."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def ordered(**changes: Any) -> LifecycleState:
    """A valid order that the ERP has not activated yet."""
    document = apply_fixes(tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text()), changes)
    judged = verdict(document, COMPANY, 1, parent_known=None)
    assert judged.sheet is not None, judged.reasons
    return LifecycleState(
        tenant="acme",
        contract=CONTRACT,
        account="ACC-HOOLI",
        deal="EX-ANNUAL-1",
        selling_entity="ACME-DE",
        sheet=judged.sheet,
    )


def live(**changes: Any) -> LifecycleState:
    """Active since the first of December 2026, its customer, subscription and company made."""
    state = ordered(**changes)
    state.effects = {
        keys.customer(state.account, state.selling_entity): "cus_1",
        keys.subscription(CONTRACT): "sub_1",
        keys.company(state.account): "co_1",
    }
    done(state, activate_order(state, ACTIVE), Performed(id="act_1", on=ACTIVE), at(ACTIVE))
    return state


def renewing(**changes: Any) -> LifecycleState:
    """Live, with an open renewal window."""
    state = live(**changes)
    state.window_opened = state.term
    state.effects[keys.renewal_opportunity(CONTRACT, 1)] = "006-renewal-1"
    return state


def fail(state: LifecycleState, step: Step, kind: str = "REJECTED", day: date = ACTIVE) -> None:
    """The step was queued and has failed."""
    if step not in state.queue:
        state.queue.append(step)
    failed(state, step, kind, "no", at(day), delay=at(day) - at(day))


def quantities(state: LifecycleState) -> list[str]:
    return [str(state.quantities[line.id]) for line in state.known.lines]
