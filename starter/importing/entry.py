"""From an order document and its facts to what the store and Temporal are given: checked, with every reason at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from domain import keys
from domain.calendar import civil_date, zone_exists
from domain.company import Company
from domain.errors import NotFound
from domain.existing import Existing, check_existing, enter, entries, parse_existing, with_erp
from domain.order import OrderVerdict, Reason
from domain.policies.validation import verdict
from domain.ports.erp import SubscriptionState
from domain.routes import Landscape
from domain.standins import is_real
from domain.state import LifecycleState
from domain.urgency import urgency
from store.imports import Known
from store.tables import LifecycleRow
from store.transit import ImportRow


class SubscriptionSource(Protocol):
    """The one question that an import asks of an ERP (domain.ports.Erp)."""

    async def subscription_state(self, subscription: str) -> SubscriptionState: ...


class Unusable(Exception):
    """Why a contract can't enter."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__("; ".join(f"{reason.path}: {reason.message}" for reason in reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Entrance:
    """`erps`: by the connection's name. `crm`: the CRM connection's name, a part of every contract's id."""

    company: Company
    landscape: Landscape
    crm: str
    erps: Mapping[str, SubscriptionSource]

    async def check(self, row: ImportRow) -> tuple[Existing, date]:
        """The contract's facts together with the ERP's, and the day in its zone. Reads only. Raises Unusable with every
        reason; SourceUnavailable, and the like, when the ERP can't be asked."""
        judged = self._judge(row.document or {})
        existing, unreadable = parse_existing(row.existing)
        if existing is None or judged.sheet is None:
            raise Unusable((*judged.reasons, *unreadable))
        today = _today(judged.sheet.terms.zone)
        reasons: tuple[Reason, ...] = ()
        erp = self.erps.get(judged.connections.get("erp", "erp"))
        if existing.subscription is not None and erp is not None:
            try:
                found = await erp.subscription_state(existing.subscription)
            except NotFound:
                message = f"The ERP has no subscription {existing.subscription!r}."
                raise Unusable((Reason(path="existing.subscription", message=message),)) from None
            existing, reasons = with_erp(existing, judged.sheet, found, today)
        reasons += check_existing(existing, judged.sheet, self.company, today)
        if reasons:
            raise Unusable(reasons)
        return existing, today

    def state(self, row: ImportRow, document: dict[str, Any], entered_on: date) -> LifecycleState:
        """The state in which a checked contract enters. Raises Unusable when the company's rules have changed since."""
        judged = self._judge(document)
        existing, unreadable = parse_existing(row.existing)
        if existing is None or judged.sheet is None:
            raise Unusable((*judged.reasons, *unreadable))
        life = LifecycleState(
            tenant=self.company.tenant,
            contract=row.contract,
            account=judged.sheet.account,
            deal=judged.sheet.deal_id,
            selling_entity=judged.sheet.selling_entity,
        )
        return enter(life, judged, existing, datetime.now(UTC), entered_on)

    def known(self, row: ImportRow, state: LifecycleState) -> Known:
        """What the store keeps of it: the lifecycle's row, its order, what finds it, what is done already."""
        erp = state.connection("erp")
        aliases = [("crm", "deal", state.deal)]
        if state.subscription is not None:
            aliases.append((erp, "subscription", state.subscription))
        if state.opportunity is not None:
            aliases.append(("crm", "deal", state.opportunity))
        shared = [(erp, "customer", state.customer)] if state.customer is not None else []
        life = LifecycleRow(
            contract=row.contract,
            tenant=state.tenant,
            account=state.account,
            deal=state.deal,
            selling_entity=state.selling_entity,
            workflow_id=keys.lifecycle_id(state.tenant, row.contract),
            urgency=urgency(state),
            urgency_told=urgency(state),
        )
        return Known(life, aliases, shared, entries(state, state.effects))

    def _judge(self, document: dict[str, Any]) -> OrderVerdict:
        # whether a parent account is known was for the process that won the deal to find out
        return verdict(document, self.company, 1, parent_known=None, landscape=self.landscape)


def missing_ids(row: ImportRow, state: LifecycleState) -> dict[str, str]:
    """The ids of the file, by key, of records that the lifecycle does not know yet: the file was completed since."""
    said = {
        state.customer_key: row.existing.get("customer"),
        keys.subscription(state.contract): row.existing.get("subscription"),
        state.company_key: row.existing.get("company"),
        keys.renewal_opportunity(state.contract, state.term): row.existing.get("opportunity"),
    }
    return {key: str(ref) for key, ref in said.items() if ref and not is_real(state.effects.get(key))}


def _today(zone: str) -> date:
    return civil_date(datetime.now(UTC), zone if zone_exists(zone) else "UTC")
