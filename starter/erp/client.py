"""Tryton's JSON-RPC, for those who work in the ERP beside Tenure: the demo's people, and tests."""

import base64
from typing import Any

import httpx


class TrytonRefused(Exception):
    """What Tryton answered instead of a result."""


class TrytonClient:
    """One user's session in one database of the server at `url`; it logs in with the first call."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/{database}/", timeout=120, trust_env=False)
        self._user, self._password = user, password

    def call(self, method: str, *params: Any) -> Any:
        """The result. Raises TrytonRefused."""
        if "Authorization" not in self._http.headers:
            user, key, *_ = self._post("common.db.login", [self._user, {"password": self._password}])
            session = base64.b64encode(f"{self._user}:{user}:{key}".encode()).decode()
            self._http.headers["Authorization"] = f"Session {session}"
        return self._post(method, [*params, {}])

    def perform(self, operation: str, arguments: dict[str, Any], *, key: str) -> dict[str, Any]:
        """A command of our module, once by its key."""
        answer: dict[str, Any] = self.call("model.tenure.command.perform", key, operation, arguments)
        return answer

    def _post(self, method: str, params: list[Any]) -> Any:
        # exactly these three: with any other, Tryton answers in another shape
        answer = self._http.post("rpc/", json={"id": 1, "method": method, "params": params})
        if answer.status_code != httpx.codes.OK:
            raise TrytonRefused(f"{method}: HTTP {answer.status_code}")
        document = answer.json()
        if "error" in document:
            raise TrytonRefused(f"{method}: {document['error']}")
        return document["result"]
