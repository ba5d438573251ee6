# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server over HTTP, as Tenure meets it: gunicorn on a free port, stopped by its process id."""

import base64
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from trytond.tests.test_tryton import DB_NAME

from . import world


class Refused(Exception):
    """What the server answered as an error: its kind, and for a UserError the code."""

    def __init__(self, kind, details):
        super().__init__(f"{kind}: {details}")
        self.kind = kind
        self.code = details[1].removeprefix("tenure:") if kind == "UserError" else None


class Server:
    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        command = ["-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "2", "--threads", "8", "-k", "gthread",
                   "--no-control-socket", "trytond.application:app"]  # fmt: skip
        environment = {**os.environ, "TRYTOND_DATABASE_NAMES": DB_NAME}
        self._process = subprocess.Popen([sys.executable, *command], env=environment, stderr=subprocess.DEVNULL)
        self._http = httpx.Client(base_url=self._url, timeout=120)
        self.busy = 0  # answers 503, each of which was asked again

    def stop(self):
        self._http.close()
        self._process.terminate()
        self._process.wait(20)

    def login(self, login=world.LOGIN):
        deadline = time.monotonic() + 120
        while True:
            try:
                answer = self._post("common.db.login", [login, {"password": world.PASSWORD}, "en"])
                break
            except (httpx.TransportError, httpx.HTTPStatusError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.2)
        user, session, _ = answer
        token = base64.b64encode(f"{login}:{user}:{session}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {token}"

    def perform(self, key, operation, arguments):
        return self.call("model.tenure.command.perform", key, operation, arguments)

    def read(self, operation, **arguments):
        return self.call("model.tenure.command.read", operation, arguments)

    def call(self, method, *params):
        """Ask, and ask again where the server says that it is busy, as Tenure does."""
        for _ in range(20):
            try:
                return self._post(method, [*params, {}])
            except httpx.HTTPStatusError as error:
                if error.response.status_code != 503:
                    raise
                self.busy += 1
                time.sleep(0.2)
        raise AssertionError("the server stays busy")

    def at_once(self, *works):
        """All of them in parallel; what each answers, or the exception it raises."""

        def quietly(work):
            try:
                return work()
            except Refused as refused:
                return refused

        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(quietly, works))

    def _post(self, method, params):
        answer = self._http.post(f"/{DB_NAME}/rpc/", json={"id": 1, "method": method, "params": params})
        answer.raise_for_status()
        body = answer.json()
        if "error" in body:
            raise Refused(*body["error"])
        return body["result"]
