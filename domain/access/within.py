"""What of a sentence is sensitive: it is marked within the text when the sentence is made, and shown or hidden with it.

`costs ⟨12.00⟩ a unit` is read as `costs 12.00 a unit`, or as `costs ••• a unit`. What people and other systems write
marks nothing: money is known there by its currency.
"""

import re

from domain.access.classes import FieldClass
from domain.events.support import OF_SUPPORT
from domain.iso import CURRENCIES
from domain.masking import MASK

_MARKS = {FieldClass.AMOUNT: ("⟨", "⟩"), FieldClass.SUPPORT_TEXT: ("⟪", "⟫")}
_MARKED = {kind: re.compile(f"{first}([^{first}{last}]*){last}") for kind, (first, last) in _MARKS.items()}
_SIGNS = re.compile(f"[{''.join(sign for marks in _MARKS.values() for sign in marks)}]")

_GAP, _NUMBER = "[ \u00a0\u202f]?", r"-?\d[\d.,'\u00a0\u202f]*(?: \d{3}\b[\d.,]*)*"
_MONEY = re.compile(
    rf"(?<![\w.-]){_NUMBER}{_GAP}(?:(?P<after>[A-Z]{{3}})(?!\w)|[€£¥$])"
    rf"|(?<![\w-])(?P<before>[A-Z]{{3}}){_GAP}{_NUMBER}(?!\w)|[€£¥$]{_GAP}{_NUMBER}"
)


def amount(value: object) -> str:
    """Money, within a sentence; empty for nothing."""
    return "" if value in (None, "") else _marked(FieldClass.AMOUNT, str(value))


def support_text(text: str) -> str:
    """What a customer wrote to support, within a sentence."""
    return _marked(FieldClass.SUPPORT_TEXT, text) if text else ""


def subject_shown(type: str, subject: str) -> str:
    """An event's subject within a sentence: what a help desk names so may be what its customer has written."""
    return support_text(subject) if type.startswith(OF_SUPPORT) and " " in subject else subject


def unmarked(text: str) -> str:
    """The sentence as whoever sees everything reads it."""
    return _SIGNS.sub("", text)


def said(text: str, sees: frozenset[FieldClass]) -> str:
    """The sentence as somebody reads it who sees these classes."""
    for kind in holds(text) - sees:
        if kind in _MARKED:
            text = _MARKED[kind].sub(MASK, text)
        if kind is FieldClass.AMOUNT:
            text = _MONEY.sub(lambda found: MASK if _is_money(found) else found[0], text)
    return unmarked(text)


def holds(text: str) -> frozenset[FieldClass]:
    """The classes of what is within the text."""
    found = {kind for kind, (first, _) in _MARKS.items() if first in text}
    if any(map(_is_money, _MONEY.finditer(text))):
        found.add(FieldClass.AMOUNT)
    return frozenset(found)


def _is_money(found: re.Match[str]) -> bool:
    code = found["after"] or found["before"]
    return code is None or code in CURRENCIES


def _marked(kind: FieldClass, text: str) -> str:
    first, last = _MARKS[kind]
    return f"{first}{unmarked(text)}{last}"
