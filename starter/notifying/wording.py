"""How a message reads, in each channel's own form."""

from email.message import EmailMessage
from typing import Any

from domain.access.within import said
from domain.counting import many
from store.notices import Message

LINES = 20  # a digest tells so many; the rest is counted
LONGEST = 300

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]#"})


def subject(message: Message) -> str:
    """The one thing that is told, or how many there are."""
    if message.total == 1:
        return _told(message)[0][0]
    if message.urgent:
        return f"{many(message.total, 'thing is', 'things are')} late"
    return f"{many(message.total, 'thing needs', 'things need')} somebody"


def email(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The same message has the same Message-ID, by which mail systems know it."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Subject"] = f"[Tenure] {subject(message)}"
    mail["Message-ID"] = f"<{message.id}@{sender.partition('@')[2] or 'localhost'}>"
    mail["Auto-Submitted"] = "auto-generated"
    parts = [f"- {text}" + (f"\n  {hint}" if hint else "") for text, hint in _told(message)]
    mail.set_content("\n".join([*parts, *_more(message)]) + "\n")
    return mail


def slack(message: Message) -> dict[str, Any]:
    """For an incoming webhook."""
    parts = [
        f"• {text.translate(_SLACK)}" + (f"\n   `{hint.translate(_SLACK)}`" if hint else "")
        for text, hint in _told(message)
    ]
    head = f"*{subject(message).translate(_SLACK)}*"
    return {"text": "\n".join([head, *parts, *_more(message)] if message.total > 1 else parts)}


def teams(message: Message) -> dict[str, Any]:
    """An adaptive card, for a webhook of Teams' workflows."""
    blocks = [_block(subject(message), weight="Bolder", size="Medium")] if message.total > 1 else []
    for text, hint in _told(message):
        blocks.append(_block(text))
        blocks += [_block(hint, isSubtle=True, spacing="None")] if hint else []
    blocks += [_block(text) for text in _more(message)]
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": blocks,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


def _block(text: str, **how: object) -> dict[str, object]:
    return {"type": "TextBlock", "wrap": True, "text": text.translate(_MARKDOWN), **how}


def _told(message: Message) -> list[tuple[str, str]]:
    # who reads a channel is not known here: amounts are not told
    return [(_cut(said(text, frozenset())), hint) for text, hint in message.texts[:LINES]]


def _more(message: Message) -> list[str]:
    left = message.total - LINES
    return [f"and {left} more: tenure cases list"] if left > 0 else []


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
