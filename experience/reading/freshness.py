"""How fresh what is known of the outside systems is."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from sqlmodel import Session, col, select

from domain.policies.readiness import RenewalReadiness
from starter.settings import Settings
from store.tables import FeedRow, InboxRow


def heard(session: Session, settings: Settings) -> dict[str, datetime | None]:
    """When each connection was last heard of: its newest event, or when its change feed was last read to the end. None:
    never."""
    told: dict[str, datetime | None] = {}
    for source, connection in _sources(settings).items():
        newest = select(InboxRow.received_at).where(InboxRow.source == source).order_by(col(InboxRow.id).desc())
        told[connection] = _later(told.get(connection), session.exec(newest.limit(1)).first())
    read = {row.name: row.read_at for row in session.exec(select(FeedRow)).all()}
    for name, feed in settings.feeds.items():
        at = datetime.fromtimestamp(read[name], UTC) if read.get(name) else None
        told[feed.connection] = _later(told.get(feed.connection), at)
    return told


def used(view_connections: Mapping[str, str], settings: Settings, *kinds: str) -> list[str]:
    """The connections of these kinds that a contract uses; before it went anywhere, those that it would go to."""
    found = (view_connections.get(kind) or next(iter(_of_kind(settings, kind)), None) for kind in kinds)
    return [name for name in found if name]


def of_sources(readiness: RenewalReadiness) -> dict[str, datetime | None]:
    """When each source of an assessment was read: the first instant of that day."""
    return {name: _begin(source.as_of) for name, source in readiness.sources.items()}


def _sources(settings: Settings) -> dict[str, str]:
    by_feed = {feed.source or name: feed.connection for name, feed in settings.feeds.items()}
    return by_feed | {name: webhook.connection for name, webhook in settings.webhooks.items()}


def _of_kind(settings: Settings, kind: str) -> list[str]:
    return [name for name, connection in settings.connections.items() if connection.kind == kind]


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each), default=None)


def _begin(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
