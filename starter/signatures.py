"""Who sent this message, and when: a source's declared signature, checked against each of its valid secrets."""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from starter.settings import SettingsError
from starter.sources.declaration import Signature, Stamp

LONGEST_ID = 255
Refusal = Literal["missing_signature", "outside_tolerance", "wrong_signature"]

_SEPARATOR = {"plain": "", "pairs": ",", "list": " "}
_NAME_ENDS = {"plain": "", "pairs": "=", "list": ","}
_COUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,9})?", re.ASCII)


class Signatures:
    """The valid secrets of one source. A message is good when any of them signed it, within the tolerance."""

    def __init__(
        self, source: str, declared: Signature, secrets: Sequence[str], tolerance: int, url: str | None = None
    ) -> None:
        """`tolerance` (seconds) and `url` stand in for what the declaration, and the request, leave out.

        Raises SettingsError for a secret that is not encoded as declared.
        """
        self._declared = declared
        self._pieces = declared.pieces()
        self._keys = [_key(source, declared, secret) for secret in secrets]
        self._url = url
        stamp = declared.stamp or Stamp(header="-")
        self._oldest = stamp.tolerance or tolerance
        self._newest = self._oldest if stamp.future is None else stamp.future

    def message_id(self, headers: Mapping[str, str]) -> str:
        """The message's own id, the same when it is sent again; empty where the source declares none."""
        return headers.get(self._declared.id, "")[:LONGEST_ID] if self._declared.id else ""

    def refusal(
        self, body: bytes, headers: Mapping[str, str], *, method: str = "POST", url: str = ""
    ) -> Refusal | None:
        """Why the message is refused, or None when it is authentic and in time."""
        declared = self._declared
        given = headers.get(declared.header, "")
        message_id = headers.get(declared.id, "") if declared.id else ""
        stamp = self._stamp(given, headers) if declared.stamp else ""
        if not given or (declared.id and not message_id) or (declared.stamp and not stamp):
            return "missing_signature"
        if declared.stamp:
            moment = _moment(stamp, declared.stamp.unit)
            if moment is None:
                return "wrong_signature"
            if not -self._newest <= time.time() - moment <= self._oldest:
                return "outside_tolerance"
        parts = {
            "body": body,
            "t": _bytes(stamp),
            "id": _bytes(message_id),
            "method": method.encode(),
            "uri": self._uri(url).encode(),
        }
        digests = [_bytes(each) for each in self._parts(given, declared.part)]
        return None if any(self._made_with(key, parts, digests) for key in self._keys) else "wrong_signature"

    def _made_with(self, key: bytes, parts: Mapping[str, bytes], digests: Sequence[bytes]) -> bool:
        declared = self._declared
        if declared.kind == "token":
            expected = key
        else:
            texts = self._pieces
            signed = b"".join(parts[text] if n % 2 else text.encode() for n, text in enumerate(texts))
            digest = hmac.digest(key, signed, declared.algorithm)
            expected = base64.b64encode(digest) if declared.encoding == "base64" else digest.hex().encode()
        return any(hmac.compare_digest(expected, each) for each in digests)

    def _parts(self, given: str, name: str | None) -> list[str]:
        """What stands under a name in the signature header; the whole of a plain one, after its prefix."""
        declared = self._declared
        if declared.form == "plain" or name is None:
            value = given.strip()
            found = [value.removeprefix(declared.prefix).strip()] if value.startswith(declared.prefix) else []
        else:
            separator = declared.separator or _SEPARATOR[declared.form]
            named = (each.strip().partition(_NAME_ENDS[declared.form]) for each in given.split(separator))
            found = [value.strip() for key, _, value in named if key.strip() == name]
        lower = declared.kind == "hmac" and declared.encoding == "hex" and name == declared.part
        return [value.lower() for value in found] if lower else found

    def _stamp(self, given: str, headers: Mapping[str, str]) -> str:
        stamp = self._declared.stamp
        if stamp is None:
            return ""
        if stamp.header:
            return headers.get(stamp.header, "")
        return next(iter(self._parts(given, stamp.part)), "")

    def _uri(self, url: str) -> str:
        """The address that the sender signed: with the declared one, only the query is taken from the request."""
        if self._url is not None:
            _, mark, query = url.partition("?")
            url = f"{self._url}{mark}{query}"
        for character in self._declared.decodes:
            url = url.replace(f"%{ord(character):02X}", character).replace(f"%{ord(character):02x}", character)
        return url


def _key(source: str, declared: Signature, secret: str) -> bytes:
    text = secret.removeprefix(declared.key_prefix)
    try:
        match declared.key:
            case "base64":
                key = base64.b64decode(text, validate=True)
            case "hex":
                key = bytes.fromhex(text)
            case "text":
                key = text.encode()
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        prefix = f" after {declared.key_prefix}" if declared.key_prefix else ""
        raise SettingsError(f"webhooks.{source}.secrets: one is not {declared.key}{prefix}, as its signature needs it")
    return key


def _moment(stamp: str, unit: Literal["s", "ms", "iso"]) -> float | None:
    """A stamp as seconds since 1970; None when it is none."""
    if unit == "iso":
        try:
            moment = datetime.fromisoformat(stamp)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    if not _COUNT.fullmatch(stamp):
        return None
    return float(stamp) / (1000 if unit == "ms" else 1)


def _bytes(header: str) -> bytes:
    """A header's value as it was sent; servers read it as Latin-1."""
    try:
        return header.encode("latin-1")
    except UnicodeEncodeError:
        return header.encode("utf-8", errors="replace")
