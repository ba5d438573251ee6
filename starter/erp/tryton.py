"""Tryton itself: its configuration, the template that a new database is copied from, and how it is served."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from starter.erp.cluster import CARELESS, START_SECONDS, Cluster
from starter.erp.environment import REQUIREMENTS, Environment, environment
from starter.erp.guard import Guarded, last_words
from starter.erp.places import SOURCE, ErpError, Say, alone, cache_home, fingerprint, make_directory

SEED = SOURCE / "tryton" / "seed.py"
PASSWORDS = SOURCE / "tryton" / "passwords.py"
DATABASE = "tenure"
TECHNICAL_USER, ADMINISTRATOR = "tenure", "admin"
MODULE_NAME = "tenure"
STOCK = ("account_dunning", "sale_subscription")

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
    """A cluster at rest with one database `tenure`, named by all that it is made of. `build` makes what is in it."""

    path: Path
    environment: Environment
    build: Callable[["Template", Say], None]

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.data, self.environment)

    @property
    def configuration(self) -> Path:
        return self.path / "trytond.conf"

    @property
    def complete(self) -> bool:
        return (self.path / ".complete").exists() and (self.data / "global" / "pg_control").exists()

    def make(self, say: Say) -> None:
        """Build it, once; a broken one is made again."""
        self.environment.make(say)
        if self.complete:
            return
        with alone(self.path.with_suffix(".lock"), say):
            if self.complete:
                return
            shutil.rmtree(self.path, ignore_errors=True)
            make_directory(self.path)
            write_configuration(self.cluster, self.configuration)
            self.build(self, say)
            (self.path / ".complete").touch()

    def discard(self) -> None:
        """Forget it, because copies of it don't start."""
        (self.path / ".complete").unlink(missing_ok=True)


def template(company: Path) -> Template:
    """The template that this source tree and this company want. Nothing is made yet: about a minute the first time,
    and half of it when only our module, the seed or the company have changed.
    """
    made_in, home = environment(), cache_home() / "tryton"
    stock = Template(home / f"stock-{fingerprint(REQUIREMENTS, *STOCK)}", made_in, _initialise)
    name = f"template-{fingerprint(str(stock.path), str(made_in.path), SEED, company, CONFIGURATION)}"
    return Template(home / name, made_in, partial(_seed, stock, company))


def _initialise(made: Template, say: Say) -> None:
    """Tryton and the modules that ours needs, without ours."""
    say("initialising the ERP's database (once)")
    made.cluster.create()
    with made.cluster.running(made.path / "postgres.log", *CARELESS):
        made.cluster.execute(f"CREATE DATABASE {DATABASE}")
        password = made.path / ".password"  # the administrator's, until the seed gives another
        password.write_text(secrets.token_urlsafe(24), encoding="ascii")
        command = [str(made.environment.program("trytond-admin")), "-c", str(made.configuration), "-d", DATABASE]
        command += ["-u", *STOCK, "--activate-dependencies", "--email", "erp@example.com"]
        _must(command, "the ERP's database can't be initialised", {"TRYTONPASSFILE": str(password)})
        password.unlink()
        made.cluster.execute("CHECKPOINT")


def _seed(stock: Template, company: Path, made: Template, say: Say) -> None:
    stock.make(say)
    say("installing our module and seeding the company (once)")
    with Guarded() as guarded:
        cluster = start_copy(stock, made.data, guarded, made.path / "postgres.log", say, *CARELESS)
        update(made.environment, made.configuration, MODULE_NAME)
        command = [str(made.environment.python), str(SEED), str(made.configuration), DATABASE, str(company)]
        _must(command, "the ERP can't be seeded", {"TRYTOND_CONFIG": str(made.configuration)})
        # nobody knows these: whoever copies the template sets passwords of their own
        set_passwords(cluster, {name: secrets.token_urlsafe(24) for name in (TECHNICAL_USER, ADMINISTRATOR)})
        cluster.execute("CHECKPOINT")


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
    """Add modules to an initialised database, or bring their tables up to the code that is installed."""
    command = [str(made_in.program("trytond-admin")), "-c", str(configuration), "-d", DATABASE, "-u", *modules]
    _must([*command, "--activate-dependencies"], "the ERP's database can't be brought up to date", {})


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
            # one load for all: a process that is forked anew needs no PostgreSQL to boot
            *("--preload", "--worker-tmp-dir", str(self.configuration.parent), "trytond.application:app"),
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
        process = guarded.start(self.command, log, environment=self.variables(database))
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
