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
    from domain.view import LifecycleView

LIFECYCLE_STAGE = SearchAttributeKey.for_keyword("LifecycleStage")
RENEWAL_DATE = SearchAttributeKey.for_datetime("RenewalDate")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
ACCOUNT_ID = SearchAttributeKey.for_keyword("AccountId")
LEGAL_ENTITY = SearchAttributeKey.for_keyword("LegalEntity")

SEARCH_ATTRIBUTES = (LIFECYCLE_STAGE, RENEWAL_DATE, NEEDS_ATTENTION, ACCOUNT_ID, LEGAL_ENTITY)

# moves with every event and every second; alone it is no news
NO_NEWS = {"as_of", "last_seq"}


class Desk:
    """Publishes when the lifecycle comes to rest and looks different. Views of busy moments ride along with the effects
    into the ledger's transaction; only what is left over costs an action of its own."""

    def __init__(self, lanes: Lanes, view: Callable[[], LifecycleView], row: Callable[[], ViewRow]) -> None:
        self._lanes = lanes
        self._view = view
        self._row = row
        self._shown: str | None = None
        self._attributes: tuple[object, ...] = ()
        self._account: str | None = None
        self.leaving = False

    async def serve(self) -> None:
        """Publish at every rest, until told to leave."""
        while True:
            await workflow.wait_condition(lambda: self.leaving or self._has_news())
            if self.leaving:
                return
            if await after_everybody() and not self._has_news():
                continue
            if self.leaving:
                return
            await self.publish()

    def _has_news(self) -> bool:
        return self._lanes.quiet and self._face() != self._shown

    async def publish(self) -> None:
        """Show the view as it is now, everywhere."""
        seen = self._view()
        self._shown = self._face()
        workflow.set_current_details(projection.details(seen))
        self._upsert(seen)
        await workflow.execute_local_activity_method(DeskActivities.publish, self._row(), **options.STORE)

    def _face(self) -> str:
        return self._view().model_dump_json(exclude=NO_NEWS)

    def _upsert(self, seen: LifecycleView) -> None:
        """Upsert what changed since last time: one command, one action."""
        self._upsert_account(seen)
        renewal = datetime.combine(seen.renewal_date, time(), UTC) if seen.renewal_date else None
        moved = seen.selling_entity if seen.leg > 1 else None
        attributes = (seen.stage.value, renewal, bool(seen.cases), moved)
        if attributes == self._attributes:
            return
        self._attributes = attributes
        updates: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime] | SearchAttributeUpdate[bool]] = [
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
    """The attributes that hardly ever change, for the starter."""
    return TypedSearchAttributes(
        [SearchAttributePair(ACCOUNT_ID, account), SearchAttributePair(LEGAL_ENTITY, legal_entity or "unknown")]
    )
