"""Tryton itself: its configuration, the template that a new database is copied from, and how it is served."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from starter.erp.cluster import CARELESS, START_SECONDS, Cluster
from starter.erp.environment import Environment, environment
from starter.erp.guard import Guarded, last_words
from starter.erp.places import SOURCE, ErpError, Say, alone, cache_home, fingerprint, make_directory

SEED = SOURCE / "tryton" / "seed.py"
PASSWORDS = SOURCE / "tryton" / "passwords.py"
DATABASE = "tenure"
TECHNICAL_USER, ADMINISTRATOR = "tenure", "admin"
MODULES = ("tenure", "account_dunning")

CONFIGURATION = """\
[database]
uri = {uri}
retry = 10
default_name = {database}

[password]
length = 12

[session]
timeout = 3600
"""


def write_configuration(cluster: Cluster, file: Path, database: str = DATABASE) -> None:
    """What trytond reads. It holds no secret."""
    uri = cluster.url("")
    file.write_text(CONFIGURATION.format(uri=uri, database=database), encoding="utf-8")


@dataclass(frozen=True)
class Template:
    """A cluster at rest with one initialised, seeded database `tenure`, named by all that it is made of."""

    path: Path
    company: Path
    environment: Environment

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def complete(self) -> bool:
        return (self.path / ".complete").exists() and (self.data / "global" / "pg_control").exists()

    def make(self, say: Say) -> None:
        """Initialise and seed it, once; a broken one is made again. About a minute."""
        if self.complete:
            return
        with alone(self.path.with_suffix(".lock"), say):
            if self.complete:
                return
            self.environment.make(say)
            say("initialising and seeding the ERP's database (once, about a minute)")
            shutil.rmtree(self.path, ignore_errors=True)
            make_directory(self.path)
            self._build(Cluster(self.data, self.environment))
            (self.path / ".complete").touch()

    def _build(self, cluster: Cluster) -> None:
        configuration, log = self.path / "trytond.conf", self.path / "postgres.log"
        cluster.create()
        write_configuration(cluster, configuration)
        with cluster.running(log, *CARELESS):
            cluster.execute(f"CREATE DATABASE {DATABASE}")
            update(self.environment, configuration, *MODULES)
            seeding = [str(self.environment.python), str(SEED), str(configuration), DATABASE, str(self.company)]
            _must(seeding, "the ERP can't be seeded", {"TRYTOND_CONFIG": str(configuration)})
            # nobody knows this one: whoever copies the template sets passwords of their own
            set_passwords(cluster, {name: secrets.token_urlsafe(24) for name in (TECHNICAL_USER, ADMINISTRATOR)})
            cluster.execute("CHECKPOINT")

    def discard(self) -> None:
        """Forget it, because copies of it don't start."""
        (self.path / ".complete").unlink(missing_ok=True)


def template(company: Path) -> Template:
    """The template that this source tree and this company want. Nothing is made yet."""
    made_in = environment()
    sources = (str(made_in.path), SEED, company, *MODULES, CONFIGURATION)
    return Template(cache_home() / "tryton" / f"template-{fingerprint(*sources)}", company, made_in)


def start_copy(wanted: Template, data: Path, guarded: Guarded, log: Path, say: Say, *options: str) -> Cluster:
    """A cluster of one's own as a copy of the template, up for as long as `guarded` lasts.

    A template whose copy does not start is made again, once.
    """
    cluster = Cluster(data, wanted.environment)
    for last in (False, True):
        wanted.make(say)
        try:
            cluster.copy_from(wanted.data)
            cluster.start(guarded, log, *options)
            if DATABASE not in cluster.databases():
                raise ErpError(f"the template {wanted.path} holds no database {DATABASE!r}")
            return cluster
        except ErpError:
            if last:
                raise
            say("the cached template is broken: making it again")
            wanted.discard()
            guarded.stop()
            shutil.rmtree(data, ignore_errors=True)
    raise AssertionError("not reached")


def update(made_in: Environment, configuration: Path, *modules: str) -> None:
    """Initialise modules, or bring their tables up to the code that is installed."""
    password = configuration.with_name(".password")
    password.write_text(secrets.token_urlsafe(24), encoding="ascii")
    try:
        command = [str(made_in.program("trytond-admin")), "-c", str(configuration), "-d", DATABASE, "-u", *modules]
        command += ["--activate-dependencies", "--email", "erp@example.com"]
        _must(command, "the ERP's database can't be initialised", {"TRYTONPASSFILE": str(password)})
    finally:
        password.unlink()


def set_passwords(cluster: Cluster, passwords: Mapping[str, str], database: str = DATABASE) -> None:
    """Give users of the ERP their passwords. They travel on standard input, not in a command line."""
    lines = "".join(f"{name} {password}\n" for name, password in passwords.items())
    hashed = _must([str(cluster.environment.python), str(PASSWORDS)], "passwords can't be hashed", {}, lines)
    for line in hashed.splitlines():
        name, value = line.split(" ")
        statement = "UPDATE res_user SET password_hash = %s WHERE login = %s RETURNING id"
        if not cluster.execute(statement, value, name, database=database):
            raise ErpError(f"the ERP has no user {name!r}")


@dataclass(frozen=True)
class Serving:
    """How the ERP is served: gunicorn, two processes of four threads, on 127.0.0.1."""

    environment: Environment
    configuration: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> tuple[str, ...]:
        return (
            *(str(self.environment.program("gunicorn")), "--bind", f"127.0.0.1:{self.port}", "--workers", "2"),
            *("--worker-class", "gthread", "--threads", "4", "--timeout", "120", "--no-control-socket"),
            *("--worker-tmp-dir", str(self.configuration.parent), "trytond.application:app"),
        )

    def variables(self, database: str = DATABASE) -> dict[str, str]:
        """The environment, in which the database is named: one that is made later, Tryton may not find for an hour."""
        return {
            "TRYTOND_CONFIG": str(self.configuration),
            "TRYTOND_DATABASE_NAMES": database,
            "TRYTOND_LOGGING_LEVEL": "30",
        }

    def start(self, guarded: Guarded, log: Path, database: str = DATABASE) -> None:
        """Serve for as long as `guarded` lasts. Raises ErpError with the log's end."""
        process = guarded.start(self.command, log, environment={**os.environ, **self.variables(database)})
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ErpError(f"Tryton: {last_words(process, log)}")
            time.sleep(0.05)

    def answers(self) -> bool:
        question = {"id": 0, "method": "common.server.version", "params": []}
        try:
            return httpx.post(f"{self.url}/rpc/", json=question, timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


def _must(command: list[str], what: str, variables: Mapping[str, str], given: str | None = None) -> str:
    """Standard output of a program that went well, else ErpError with the last that it said."""
    ended = subprocess.run(  # noqa: S603
        command, env={**os.environ, **variables}, input=given, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise ErpError(f"{what}: " + "\n".join(ended.stderr.strip().splitlines()[-8:]))
    return ended.stdout
