"""What must not be shown of a payload: secrets, and data by which a person, a tax payer or a bank account is known."""

import re
from collections.abc import Iterator
from typing import Any

MASK = "•••"

_SECRET_NAME = r"secret|passw|token|authori[sz]ation|api.?key|private.?key|credential|signature|cookie|session.?id"  # noqa: S105
_PERSONAL = r"e.?mail|phone|mobile|fax|birth|ssn|social.?security|passport"
_TAX = r"tax.?(id|no|number|code)|(^|[._-])(vat|ein|tin|abn|gst)([._-]|$)|vat.?(id|no|number)"
_BANK = r"iban|(^|[._-])(bic|swift)([._-]|$)|bank|sort.?code|routing.?number|account.?number|card.?number|(^|[._-])cvc"
_HIDDEN = re.compile(f"{_SECRET_NAME}|{_PERSONAL}|{_TAX}|{_BANK}", re.IGNORECASE)
_WRITTEN = re.compile(
    r"(^|[._-])(title|description|comment|body|message|text|note|summary|content|reply|html|question|answer)s?([._-]|$)",
    re.IGNORECASE,
)
_VAT_COUNTRIES = "AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# in a text that is no JSON, the value that stands after such a name
_NAMED = re.compile(
    rf"""(["']?[\w.-]*(?:{_SECRET_NAME}|{_PERSONAL}|tax.?(?:id|no|number)|vat|iban|account.?number)[\w.-]*["']?\s*[:=]\s*)"""
    r"""("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;}\]]+)""",
    re.IGNORECASE,
)
_ANYWHERE = (
    re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+"),  # an e-mail address
    re.compile(r"\b(?:Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE),
    re.compile(r"\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?"),  # a JSON web token
    re.compile(r"\b(?:sk|pk|rk|tnr|whsec|xox[a-z]|ghp|pat)[_-][\w-]{8,}"),
    re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),  # an IBAN
    re.compile(r"(?<![\w-])\d{4}([ -])\d{4}\1\d{4}\1\d{3,4}(?![\w-])"),  # a card's number, as people write it
    re.compile(rf"\b(?:{_VAT_COUNTRIES})U?\d{{8,12}}\b"),  # a European VAT id
    re.compile(r"(?<![\w-])(?:\d{3}-\d{2}-\d{4}|\d{2}-\d{7})(?![\w-])"),  # a tax id of the US
)


def masked(value: Any, *, written: bool = False) -> Any:
    """The same JSON value, with what stands under a telling name, or looks like it, hidden; its shape stays. `written`:
    what somebody has written in words is hidden, too."""
    return _masked(value, hidden=False, written=written)


def texts_of(value: Any) -> dict[str, str]:
    """What somebody has written in words, by its path in the value; of that, what `masked` hides anyhow is hidden."""
    return {path: masked_text(text) for path, text in _written(value, "", "")}


def _written(value: Any, name: str, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not _tells(key):
                yield from _written(inner, str(key), f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _written(inner, name, f"{path}[{number}]")
    elif isinstance(value, str) and _is_written(value, name):
        yield path, value


def _masked(value: Any, *, hidden: bool, written: bool, name: str = "") -> Any:
    if isinstance(value, dict):
        return {
            name: _masked(inner, hidden=hidden or _tells(name), written=written, name=str(name))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked(inner, hidden=hidden, written=written, name=name) for inner in value]
    if value is None or value == "" or isinstance(value, bool):
        return value
    if hidden or (written and isinstance(value, str) and _is_written(value, name)):
        return MASK
    return masked_text(value) if isinstance(value, str) else value


def _tells(name: object) -> bool:
    return _HIDDEN.search(_HUMP.sub("_", str(name))) is not None


def _is_written(text: str, name: str) -> bool:
    """Whether it reads as words rather than as an id, a number or a moment."""
    if not any(letter.isalpha() for letter in text):
        return False
    return _WRITTEN.search(_HUMP.sub("_", name)) is not None or len(text.split()) > 1


def masked_text(text: str) -> str:
    """A text, such as a payload that is no JSON, with what looks like a secret or a person's data hidden."""
    text = _NAMED.sub(rf"\g<1>{MASK}", text)
    for pattern in _ANYWHERE:
        text = pattern.sub(MASK, text)
    return text


def unmasked(edited: Any, original: Any, *, written: bool = False) -> Any:
    """A value that was shown masked and edited: what is still masked is what it was. ValueError, which names the place,
    for a mask that stands where nothing was hidden."""
    return _unmasked(edited, original, masked(original, written=written), "")


def _unmasked(edited: Any, original: Any, shown: Any, path: str) -> Any:
    if edited == shown and type(edited) is type(shown):
        return original
    if isinstance(edited, dict):
        known = (original, shown) if isinstance(original, dict) and isinstance(shown, dict) else ({}, {})
        return {
            name: _unmasked(inner, known[0].get(name), known[1].get(name), f"{path}.{name}" if path else str(name))
            for name, inner in edited.items()
        }
    if isinstance(edited, list):
        pairs = list(zip(original, shown, strict=True)) if isinstance(original, list) else []
        known_at = dict(enumerate(pairs))
        return [_unmasked(inner, *known_at.get(n, (None, None)), path=f"{path}[{n}]") for n, inner in enumerate(edited)]
    if isinstance(edited, str) and MASK in edited:
        raise ValueError(f"{path or 'the payload'} is hidden: leave it as it is shown, or write it anew as a whole")
    return edited
