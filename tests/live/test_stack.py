"""The real ERP as processes of the local stack: up, down, up again with its data, and what stands in its way."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.erp.client import TrytonClient, TrytonRefused
from starter.erp.specs import Ground, erp_specs
from starter.local_erp import ADMIN_PASSWORD, DATABASE, PASSWORD
from starter.settings import Settings, load_settings
from starter.stack import LocalStack, StackError
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def only_the_erp(settings: Settings, *, time_travel: bool) -> object:
    return erp_specs(settings)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.startswith(("TENURE_", "TEMPORAL_")):
                environment.delenv(name)
        yield load_settings(
            ROOT / "tenure.toml",
            local_erp="tryton",
            state_dir=tmp_path_factory.mktemp("erp") / "state",
            erp={"port": free_port()},
        )


@pytest.fixture(scope="module")
def stack(settings: Settings) -> Iterator[LocalStack]:
    made = LocalStack(settings, only_the_erp)  # type: ignore[arg-type]  # a function for the Protocol
    made.up()
    yield made
    made.down()


def administrator(settings: Settings) -> TrytonClient:
    password = (settings.state_path / ADMIN_PASSWORD).read_text().strip()
    return TrytonClient(f"http://127.0.0.1:{settings.erp.port}", DATABASE, "admin", password)


def states(stack: LocalStack) -> dict[str, str]:
    return {process.name: process.state for process in stack.status()}


def test_both_processes_are_ready_and_the_passwords_are_the_stacks_own(settings: Settings, stack: LocalStack) -> None:
    assert states(stack) == {"erp-database": "ready", "erp": "ready"}
    password = (settings.state_path / PASSWORD).read_text().strip()
    url = f"http://127.0.0.1:{settings.erp.port}"
    assert TrytonClient(url, DATABASE, "tenure", password).call("model.tenure.command.read", "probe", {})
    with pytest.raises(TrytonRefused, match="401"):
        TrytonClient(url, DATABASE, "tenure", password[:-1]).call("model.tenure.command.read", "probe", {})


def test_its_data_outlives_the_stack_and_a_killed_database(settings: Settings, stack: LocalStack) -> None:
    [party] = administrator(settings).call("model.party.party.create", [{"name": "Hooli GmbH"}])
    assert stack.down() == ("erp", "erp-database")
    assert states(stack) == {"erp-database": "stopped", "erp": "stopped"}

    stack.up()
    stack.kill("erp-database")
    stack.up()

    [found] = administrator(settings).call("model.party.party.read", [party], ["name"])
    assert found["name"] == "Hooli GmbH"


def test_a_new_password_file_is_a_new_password(settings: Settings, stack: LocalStack) -> None:
    stack.down()
    (settings.state_path / ADMIN_PASSWORD).unlink()

    stack.up()

    assert administrator(settings).call("model.res.user.get_preferences", True)


def test_data_that_nobody_finished_is_made_again(settings: Settings, stack: LocalStack) -> None:
    stack.down()
    (settings.state_path / "erp" / "made-with.json").unlink()

    stack.up()

    found = Ground(settings).cluster.execute("SELECT count(*) FROM party_party", database=DATABASE)
    assert found[0][0] == 2, "only the selling entities themselves"


def test_a_taken_port_is_one_clear_line(settings: Settings, stack: LocalStack) -> None:
    stack.down()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", settings.erp.port))
        holder.listen()
        with pytest.raises(StackError) as refused:
            stack.up()
    stack.up()

    [line] = str(refused.value).splitlines()
    assert line.startswith(f"port {settings.erp.port} for erp is taken")
    assert "set erp.port in tenure.toml, or TENURE_ERP__PORT" in line
