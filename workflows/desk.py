"""The desk keeps people informed: the store's view, the search attributes and the Temporal UI's current details."""

from collections.abc import Callable
from datetime import UTC, datetime, time

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from workflows import options
from workflows.lanes import Lanes
from workflows.waiting import after_everybody

with workflow.unsafe.imports_passed_through():
    from activities.desk import DeskActivities
    from domain import projection
    from domain.books import ViewRow
    from domain.showing import face
    from domain.state import LifecycleState
    from domain.view import LifecycleView, Stage

LIFECYCLE_STAGE = SearchAttributeKey.for_keyword("LifecycleStage")
RENEWAL_DATE = SearchAttributeKey.for_datetime("RenewalDate")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
ACCOUNT_ID = SearchAttributeKey.for_keyword("AccountId")
LEGAL_ENTITY = SearchAttributeKey.for_keyword("LegalEntity")

SEARCH_ATTRIBUTES = (LIFECYCLE_STAGE, RENEWAL_DATE, NEEDS_ATTENTION, ACCOUNT_ID, LEGAL_ENTITY)

Upsert = SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime] | SearchAttributeUpdate[bool]


class Desk:
    """Publishes when the lifecycle comes to rest and looks different. What a step leaves behind is published by its own
    activity, what an event leaves behind by who brought it; only what is left over costs an action of its own."""

    def __init__(
        self, state: LifecycleState, lanes: Lanes, view: Callable[[], LifecycleView], row: Callable[[], ViewRow]
    ) -> None:
        self._state = state
        self._lanes = lanes
        self._view = view
        self._row = row
        self._dressed: str | None = None  # how the view looks that is read in the Temporal UI
        self._attributes: tuple[object, ...] = ()
        self._account: str | None = None
        self.leaving = False

    async def serve(self) -> None:
        """Publish at every rest, until told to leave."""
        while True:
            await workflow.wait_condition(lambda: self.leaving or self._has_news())
            if self.leaving:
                return
            if await after_everybody(thrifty=self._state.thrifty) and not self._has_news():
                continue
            if self.leaving:
                return
            await self.publish()

    def _has_news(self) -> bool:
        if not self._lanes.quiet:
            return False
        now = face(self._view())
        return now != self._dressed or now != self._lanes.shown

    async def publish(self) -> None:
        """Show the view as it is now, wherever it does not stand yet."""
        seen = self._view()
        self._dressed = face(seen)
        news = self._dressed != self._lanes.shown or not self._state.thrifty
        workflow.set_current_details(projection.details(seen))
        self._upsert(seen)
        if news:
            self._lanes.shown = self._dressed
            await workflow.execute_local_activity_method(DeskActivities.publish, self._row(), **options.STORE)

    def _upsert_news(self, seen: LifecycleView) -> None:
        """What is other than it was set, also by whoever started the run."""
        known, updates = workflow.info().typed_search_attributes, list[Upsert]()
        renewal = datetime.combine(seen.renewal_date, time(), UTC) if seen.renewal_date else None
        if known.get(LIFECYCLE_STAGE) != seen.stage.value:
            updates.append(LIFECYCLE_STAGE.value_set(seen.stage.value))
        if known.get(NEEDS_ATTENTION) != bool(seen.cases):
            updates.append(NEEDS_ATTENTION.value_set(bool(seen.cases)))
        if renewal and known.get(RENEWAL_DATE) != renewal:
            updates.append(RENEWAL_DATE.value_set(renewal))
        if seen.leg > 1 and known.get(LEGAL_ENTITY) != seen.selling_entity:
            updates.append(LEGAL_ENTITY.value_set(seen.selling_entity))
        if seen.moved_from and known.get(ACCOUNT_ID) != seen.account:
            updates.append(ACCOUNT_ID.value_set(seen.account))
        if updates:
            workflow.upsert_search_attributes(updates)

    def _upsert(self, seen: LifecycleView) -> None:
        """What lists in the Temporal UI show: one command, one action."""
        if self._state.thrifty:
            self._upsert_news(seen)
            return
        self._upsert_account(seen)
        renewal = datetime.combine(seen.renewal_date, time(), UTC) if seen.renewal_date else None
        moved = seen.selling_entity if seen.leg > 1 else None
        attributes = (seen.stage.value, renewal, bool(seen.cases), moved)
        if attributes == self._attributes:
            return
        self._attributes = attributes
        updates: list[Upsert] = [
            LIFECYCLE_STAGE.value_set(seen.stage.value),
            NEEDS_ATTENTION.value_set(bool(seen.cases)),
        ]
        if moved:
            updates.append(LEGAL_ENTITY.value_set(moved))
        if renewal:
            updates.append(RENEWAL_DATE.value_set(renewal))
        workflow.upsert_search_attributes(updates)

    def _upsert_account(self, seen: LifecycleView) -> None:
        """The account is set at the start, and again only where the contract has moved to another."""
        moved = bool(seen.moved_from) if self._account is None else seen.account != self._account
        self._account = seen.account
        if moved:
            workflow.upsert_search_attributes([ACCOUNT_ID.value_set(seen.account)])


def at_start(account: str, legal_entity: str) -> TypedSearchAttributes:
    """What is known at the start, for the starter: there it costs no action."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(ACCOUNT_ID, account),
            SearchAttributePair(LEGAL_ENTITY, legal_entity or "unknown"),
            SearchAttributePair(LIFECYCLE_STAGE, Stage.ORDER_ACTIVATION.value),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )
