"""Notices: what people are to be told, once by each channel. None of the channels knows a key by which a second message
would be refused, so a notice is marked before it is sent: one whose fate nobody knows is never sent again.
"""

import uuid
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, or_, select, update

from store.cases import open_case, resolve_case
from store.columns import Serial
from store.database import change, insert_once, now, take_turn
from store.tables import CaseRow

UNTOLD = "untold"
LOST_AFTER = 180.0  # seconds after which a message under way was lost with the process that sent it
GIVE_UP = 86_400.0
MOST = 500

State = Literal["pending", "sending", "sent", "moot", "held", "doubtful"]
Outcome = Literal["sent", "failed", "refused", "unknown"]


class NoticeRow(SQLModel, table=True):
    """One thing that a channel is to tell. `key` names it, whoever notices it how often.

    `urgent` ones go at once, the others with the next digest, not before `not_before`. `state`: pending, sending, sent,
    moot (its case was settled before it was told), held (for a person), or doubtful: it may have arrived. `message`:
    the id of what it went out with. Times are the database's clock.
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("key", "channel", name="uq_notices_key"),
        Index("ix_notices_state", "channel", "state"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    key: str
    channel: str
    team: str
    contract: str | None = Field(default=None, index=True)
    case_id: str | None = None
    urgent: bool = False
    text: str = Field(sa_type=Text)
    hint: str = Field(default="", sa_type=Text)
    state: str = "pending"
    created_at: float
    not_before: float
    attempts: int = 0
    message: str = Field(default="", index=True)
    sent_at: float = 0.0
    problem: str = Field(default="", sa_type=Text)


class Message(NamedTuple):
    """What goes out in one piece. `total`: how many things it tells, of which `texts` are the first."""

    id: str
    channel: str
    urgent: bool
    texts: tuple[tuple[str, str], ...]
    total: int
    attempts: int


class Standing(NamedTuple):
    channel: str
    pending: int
    sent: int
    held: int
    doubtful: int
    problem: str


def add_notice(session: Session, row: NoticeRow) -> bool:
    """False when this channel has been given it before."""
    return insert_once(session, row, keys=("key", "channel"))


def is_due(session: Session, channel: str, digest: float) -> bool:
    """Whether there is something for `claim` to do."""
    row, moment = NoticeRow, now(session)
    mine = (row.channel == channel, col(row.not_before) <= moment)
    ready = or_(col(row.urgent), col(row.created_at) <= moment - digest)
    waits = select(row.id).where(*mine, row.state == "pending", ready).limit(1)
    lost = select(row.id).where(row.channel == channel, row.state == "sending", col(row.sent_at) < moment - LOST_AFTER)
    return session.exec(waits).first() is not None or session.exec(lost.limit(1)).first() is not None


def claim(session: Session, channel: str, digest: float) -> Message | None:
    """Mark what is to go out now, and give it as one message; None when nothing is, or one is under way.

    What is urgent goes at once. The rest goes together, when the first of it has waited for `digest` seconds.
    """
    take_turn(session, f"notices:{channel}")
    _lose(session, channel)
    row, moment = NoticeRow, now(session)
    if session.exec(select(row.id).where(row.channel == channel, row.state == "sending").limit(1)).first():
        return None
    query = select(row).where(row.channel == channel, row.state == "pending", col(row.not_before) <= moment)
    rows = [each for each in session.exec(query.order_by(col(row.id)).limit(MOST)).all() if not _is_moot(session, each)]
    urgent = [each for each in rows if each.urgent]
    ready = any(each.created_at <= moment - digest for each in rows)
    chosen = urgent or (rows if ready else [])
    if not chosen:
        return None
    message = str(uuid.uuid4())
    for each in chosen:
        each.state, each.message, each.sent_at, each.attempts = "sending", message, moment, each.attempts + 1
    texts = tuple((each.text, each.hint) for each in chosen)
    return Message(message, channel, bool(urgent), texts, len(chosen), max(each.attempts for each in chosen))


def settle(session: Session, message: Message, outcome: Outcome, problem: str = "", wait: float = 0.0) -> None:
    """Keep what became of a message. One that provably did not arrive is tried again in `wait` seconds, for a day."""
    sending = (NoticeRow.message == message.id, NoticeRow.state == "sending")
    rows = session.exec(select(NoticeRow).where(*sending)).all()
    moment = now(session)
    for row in rows:
        row.problem = problem
        if outcome == "sent":
            row.state = "sent"
        elif outcome == "unknown":
            row.state = "doubtful"
        elif outcome == "refused" or moment - row.created_at > GIVE_UP:
            row.state = "held"
        else:
            row.state, row.not_before = "pending", moment + wait
    if outcome == "sent":
        resolve_case(session, f"{UNTOLD}:{message.channel}", "a later message was taken")
    elif outcome == "unknown":
        open_case(session, _doubtful(message, problem))
    elif any(row.state == "held" for row in rows):
        open_case(session, _held(message.channel, problem))


def standing(session: Session, channels: Collection[str]) -> list[Standing]:
    """Each channel that is configured, or has been given something."""
    counts: dict[str, dict[str, int]] = {name: {} for name in channels}
    by = select(NoticeRow.channel, NoticeRow.state, func.count()).group_by(NoticeRow.channel, NoticeRow.state)
    for channel, state, number in session.exec(by).all():
        counts.setdefault(channel, {})[state] = number
    return [
        Standing(
            name,
            pending=found.get("pending", 0) + found.get("sending", 0),
            sent=found.get("sent", 0),
            held=found.get("held", 0),
            doubtful=found.get("doubtful", 0),
            problem=_problem(session, name),
        )
        for name, found in sorted(counts.items())
    ]


def recent(session: Session, channel: str, limit: int = 50) -> Sequence[NoticeRow]:
    """The newest first."""
    query = select(NoticeRow).where(NoticeRow.channel == channel).order_by(col(NoticeRow.id).desc())
    return session.exec(query.limit(limit)).all()


def retry_held(session: Session, channel: str) -> int:
    """Tell what is held, for another day; returns how much that is. What is doubtful stays: it may have arrived."""
    resolve_case(session, f"{UNTOLD}:{channel}", "tried again")
    moment = now(session)
    held = (col(NoticeRow.channel) == channel, col(NoticeRow.state) == "held")
    again = {"state": "pending", "created_at": moment, "not_before": moment, "attempts": 0}
    return change(session, update(NoticeRow).where(*held).values(**again))


def _is_moot(session: Session, row: NoticeRow) -> bool:
    case = session.get(CaseRow, row.case_id) if row.case_id and not row.urgent else None
    if case is not None and case.state != "open":
        row.state = "moot"
    return row.state == "moot"


def _lose(session: Session, channel: str) -> None:
    """What a process that is gone had under way may have arrived."""
    mine = (NoticeRow.channel == channel, NoticeRow.state == "sending")
    lost = session.exec(select(NoticeRow).where(*mine, col(NoticeRow.sent_at) < now(session) - LOST_AFTER)).all()
    for row in lost:
        row.state, row.problem = "doubtful", "the process that sent it was gone"
    for message in {row.message for row in lost}:
        texts = tuple((row.text, row.hint) for row in lost if row.message == message)
        open_case(session, _doubtful(Message(message, channel, False, texts, len(texts), 1), lost[0].problem))


def _doubtful(message: Message, problem: str) -> CaseRow:
    return CaseRow(
        id=f"{UNTOLD}:{message.channel}:{message.id}",
        kind=UNTOLD,
        title=f"a message to {message.channel} may not have arrived; it is not sent again",
        reasons=[problem, *(text for text, _ in message.texts[:10])],
        actor="ops",
        mend="look whether it is there, tell whom it concerns, then tenure cases resolve",
        problem=f"{UNTOLD}:{message.channel}",
    )


def _held(channel: str, problem: str) -> CaseRow:
    return CaseRow(
        id=f"{UNTOLD}:{channel}",
        kind=UNTOLD,
        title=f"{channel} does not take what it is to tell; it is held",
        reasons=[problem],
        actor="engineer",
        mend=f"mend [channels.{channel}] in tenure.toml, then tenure notices retry {channel}",
        problem=f"{UNTOLD}:{channel}",
    )


def _problem(session: Session, channel: str) -> str:
    mine = (NoticeRow.channel == channel, NoticeRow.problem != "", col(NoticeRow.state).in_(("pending", "held")))
    failed = select(NoticeRow.problem).where(*mine).order_by(col(NoticeRow.id).desc()).limit(1)
    return session.exec(failed).first() or ""
