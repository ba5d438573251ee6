"""Random contracts for property tests: terms that don't contradict themselves, lines, facts and moved terms."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from hypothesis import strategies as st

from domain import calendar
from domain.billing import BillingFacts
from domain.order import ContractSheet
from domain.state import LifecycleState
from domain.terms import (
    ChargeType,
    ContractKind,
    ContractTerms,
    Conversion,
    EarliestOf,
    Frequency,
    LatestOf,
    LineTerms,
    OnActivation,
    OnDate,
    OnMilestone,
    OnSignature,
    StartRule,
)

ZONES = sorted(zone for zone in available_timezones() if zone not in ("Factory", "localtime"))
SIGNED = st.dates(min_value=date(2024, 1, 1), max_value=date(2032, 12, 31))
NAMES = st.sampled_from(["go-live", "kick-off", "trained"])


@dataclass(frozen=True)
class Drawn:
    """A contract with what has happened to it. `moved`: first days of later terms, where a change moved them."""

    terms: ContractTerms
    lines: tuple[LineTerms, ...]
    facts: BillingFacts
    moved: dict[int, date] = field(default_factory=dict)

    @property
    def signed(self) -> date:
        assert self.facts.signed_on is not None
        return self.facts.signed_on

    @property
    def anchor(self) -> date | None:
        return calendar.anchor(self.terms, self.signed, self.facts.activated_on)

    def state(self) -> LifecycleState:
        """The lifecycle that holds the contract and these facts."""
        return LifecycleState(
            tenant="acme",
            contract="crm/drawn/1",
            account="ACC",
            deal="drawn",
            activated_on=self.facts.activated_on,
            milestones=self.facts.milestones,
            moved=self.moved,
            sheet=ContractSheet(
                deal_id="drawn",
                account="ACC",
                parent_account=None,
                selling_entity="ACME-DE",
                currency="EUR",
                signed_on=self.signed,
                terms=self.terms,
                lines=self.lines,
            ),
        )


@st.composite
def terms(draw: st.DrawFn, signed: date, runs_on: bool) -> ContractTerms:
    """Terms of any kind; what excludes itself is left out. `runs_on`: their last term has no end."""
    kind = draw(st.sampled_from([each for each in ContractKind if not (runs_on and each is ContractKind.ONE_OFF)]))
    start = draw(st.sampled_from(StartRule))
    first = signed + timedelta(days=draw(st.integers(0, 200)))
    trial, once = kind is ContractKind.TRIAL, kind is ContractKind.ONE_OFF
    endless = draw(st.sampled_from(["at once", "later"] if runs_on else ["no", "no", "at once", "later"]))
    evergreen = endless == "at once" and not (trial or once)
    notice = draw(st.integers(0, 130))
    coterm = first + timedelta(days=draw(st.integers(1, 700))) if draw(st.booleans()) and not (trial or once) else None
    return ContractTerms(
        zone=draw(st.sampled_from(ZONES)),
        kind=kind,
        start=start,
        starts_on=first if start is StartRule.ON_DATE else None,
        initial_months=draw(st.integers(1, 60)),
        renewal_months=draw(st.integers(1, 36)),
        trial_days=draw(st.none() | st.integers(1, 90)) if trial else None,
        converts_to=Conversion(months=draw(st.integers(1, 36)), auto=draw(st.booleans())) if trial else None,
        evergreen=evergreen,
        renew_to_evergreen=endless != "no" and not (evergreen or once),
        minimum_months=draw(st.none() | st.integers(0, 36)) if not (trial or once) else None,
        auto_renew=draw(st.booleans()) and not (evergreen or once),
        notice_days=notice,
        price_notice_days=draw(st.none() | st.integers(notice, 200)) if not once else None,
        renewal_window_days=draw(st.integers(0, 200)),
        renewal_lead_days=draw(st.integers(0, 60)),
        free_months=draw(st.integers(0, 6)) if not trial else 0,
        coterm_with="crm/other/1" if coterm and not evergreen else None,
        coterm_ends=coterm if not evergreen else None,
    )


@st.composite
def rules(draw: st.DrawFn, signed: date) -> Any:
    days = st.integers(-30, 500).map(lambda ahead: signed + timedelta(days=ahead))
    leaves = st.one_of(
        st.just(OnSignature()), st.just(OnActivation()), st.builds(OnMilestone, name=NAMES), st.builds(OnDate, on=days)
    )
    several: st.SearchStrategy[Any] = st.lists(leaves, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([EarliestOf(rules=tuple(parts)), LatestOf(rules=tuple(parts))])
    )
    return draw(st.one_of(leaves, several))


@st.composite
def lines(draw: st.DrawFn, signed: date) -> tuple[LineTerms, ...]:
    found = []
    for number in range(draw(st.integers(1, 3))):
        starts = draw(st.none() | st.integers(0, 900).map(lambda ahead: signed + timedelta(days=ahead)))
        ends = draw(st.none() | st.integers(1, 900).map(lambda ahead: (starts or signed) + timedelta(days=ahead)))  # noqa: B023
        charge = draw(st.sampled_from(ChargeType))
        found.append(
            LineTerms(
                id=str(number + 1),
                product=draw(st.sampled_from(["PLATFORM", "API"])),
                charge=charge,
                frequency=Frequency.ONCE if charge is ChargeType.ONE_TIME else draw(st.sampled_from(Frequency)),
                quantity=Decimal(draw(st.integers(1, 500))),
                billing_start=draw(rules(signed)),
                starts=starts,
                ends=None if charge is ChargeType.ONE_TIME else ends,
            )
        )
    return tuple(found)


@st.composite
def contracts(draw: st.DrawFn, *, active: bool = False, runs_on: bool = False) -> Drawn:
    """`active`: the ERP has activated the order, so that every term has its days."""
    signed = draw(SIGNED)
    agreed = draw(terms(signed, runs_on))
    ahead = st.integers(0, 400).map(lambda days: signed + timedelta(days=days))
    facts = BillingFacts(
        signed_on=signed,
        activated_on=draw(ahead if active else st.none() | ahead),
        milestones=draw(st.dictionaries(NAMES, ahead, max_size=3)),
    )
    drawn = Drawn(terms=agreed, lines=draw(lines(signed)), facts=facts)
    return Drawn(terms=agreed, lines=drawn.lines, facts=facts, moved=draw(moves(drawn)))


@st.composite
def moves(draw: st.DrawFn, drawn: Drawn) -> dict[int, date]:
    """Some of the later terms begin on another day than they would."""
    moved: dict[int, date] = {}
    anchor = drawn.anchor
    if anchor is None or draw(st.booleans()):
        return moved
    for number in range(2, 2 + draw(st.integers(1, 4))):
        try:
            before = calendar.term(drawn.terms, anchor, number - 1, moved)
        except ValueError:  # the contract has no such term
            return moved
        if draw(st.booleans()):
            moved[number] = before.starts + timedelta(days=draw(st.integers(1, 900)))
    return moved


CONTRACTS = contracts()
ACTIVE = contracts(active=True)
RUNNING_ON = contracts(active=True, runs_on=True)
