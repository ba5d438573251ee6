"""Tryton and its PostgreSQL as processes of the local stack."""

import hashlib
import json
import shutil

from starter.erp.cluster import STOP, Cluster
from starter.erp.environment import environment
from starter.erp.guard import Guarded
from starter.erp.places import Say, alone, data_home, make_socket_home, server_account
from starter.erp.tryton import (
    ADMINISTRATOR,
    MODULE_NAME,
    TECHNICAL_USER,
    Serving,
    set_passwords,
    start_copy,
    template,
    update,
    write_configuration,
)
from starter.local_erp import ADMIN_PASSWORD, PASSWORD
from starter.secrets import make_secret
from starter.settings import Settings
from starter.stack_specs import Port, ProcessSpec

DATABASE_PROCESS, PROCESS = "erp-database", "erp"


def erp_specs(settings: Settings) -> tuple[ProcessSpec, ...]:
    """PostgreSQL on a socket, and Tryton on `erp.port` behind it. Nothing is made before they are started."""
    ground = Ground(settings)
    account = server_account()
    return (
        ProcessSpec(
            name=DATABASE_PROCESS,
            command=ground.cluster.command,
            ready=ground.cluster.answers,
            prepare=ground.prepare,
            account=account.pw_name if account else None,
            stop=STOP,
        ),
        ProcessSpec(
            name=PROCESS,
            command=ground.serving.command,
            ready=ground.serving.answers,
            ports=(Port(settings.erp.port, "erp.port"),),
            url=ground.serving.url,
            after=(DATABASE_PROCESS,),
            environment=ground.serving.variables(),
        ),
    )


class Ground:
    """The ERP of one stack: its data stays when the stack goes down, and when the code of our module changes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = settings.state_path / "erp"
        self._made_with = self._home / "made-with.json"
        self._environment = environment()
        self.cluster = Cluster(data_home(settings.state_path) / "data", self._environment)
        self.serving = Serving(self._environment, self._home / "trytond.conf", settings.erp.port)

    def prepare(self, say: Say) -> None:
        """Environment, data and passwords are there, as this source tree wants them. In seconds, but the first time."""
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(self._home / "lock", say):
            make_socket_home(self.cluster.data)
            write_configuration(self.cluster, self.serving.configuration)
            wanted = {"environment": self._environment.path.name, "passwords": self._passwords_digest()}
            found = self._found()
            if found == wanted:
                self._environment.make(say)
                return
            with Guarded() as guarded:
                self._bring_up_to_date(found, guarded, say)
            self._made_with.write_text(json.dumps(wanted), encoding="utf-8")

    def _bring_up_to_date(self, found: dict[str, str] | None, guarded: Guarded, say: Say) -> None:
        log = self._home / "prepare.log"
        if found is None:
            shutil.rmtree(self.cluster.data, ignore_errors=True)  # nobody finished it, or its stack's state is gone
            start_copy(template(self._settings.company_path), self.cluster.data, guarded, log, say)
        else:
            self._environment.make(say)
            self.cluster.start(guarded, log)
            if found["environment"] != self._environment.path.name:
                say("bringing the ERP's tables up to this version of our module")
                update(self._environment, self.serving.configuration, MODULE_NAME)
        set_passwords(self.cluster, self._passwords())

    def _found(self) -> dict[str, str] | None:
        """What the data that is there was made with; None: there is none, or not a whole one."""
        try:
            found = json.loads(self._made_with.read_text(encoding="utf-8"))
            usable = {"environment", "passwords"} <= found.keys() and (self.cluster.data / "PG_VERSION").exists()
        except (OSError, ValueError, AttributeError):
            return None
        return found if usable else None

    def _passwords(self) -> dict[str, str]:
        state = self._settings.state_path
        return {TECHNICAL_USER: make_secret(state / PASSWORD), ADMINISTRATOR: make_secret(state / ADMIN_PASSWORD)}

    def _passwords_digest(self) -> str:
        return hashlib.sha256(json.dumps(self._passwords()).encode()).hexdigest()
