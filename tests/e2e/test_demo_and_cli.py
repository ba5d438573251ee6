"""The demo as a newcomer runs it, and the command line on the stack that it leaves running."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from starter.cli.running import open_office
from starter.demo.box import Box, Customer
from starter.demo.erp import erp_side
from starter.demo.proof import holdings
from starter.settings import load_settings
from tests.stack import ROOT

# each test says many commands, one process each: on a busy machine they take their time
pytestmark = pytest.mark.timeout(400)
TENURE = str(Path(sys.executable).with_name("tenure"))


class Shell:
    """Runs `tenure` as a user would, on a stack of its own."""

    def __init__(self, state: Path) -> None:
        temporal, ui, gateway, experience, self.sandbox = free_ports(5)
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TENURE_", "TEMPORAL_"))}
        self.environment = {
            **ours,
            "TENURE_STATE_DIR": str(state),
            "TENURE_TEMPORAL__PORT": str(temporal),
            "TENURE_TEMPORAL__UI_PORT": str(ui),
            "TENURE_GATEWAY__PORT": str(gateway),
            "TENURE_EXPERIENCE__PORT": str(experience),
            "TENURE_SANDBOX__PORT": str(self.sandbox),
        }

    def tenure(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TENURE, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=seconds
        )

    def read(self, *words: str, code: int = 0) -> Any:
        """A command's JSON."""
        done = self.tenure(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """A command that must fail as a mistake: one line, exit code 2."""
        done = self.tenure(*words)
        assert (done.returncode, done.stdout) == (2, ""), done
        [line] = done.stderr.splitlines()
        assert line.startswith("tenure: ")
        return line.removeprefix("tenure: ")


def free_ports(count: int) -> list[int]:
    """Distinct ones: all are held until all are known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A stack on which the demo has been played."""
    made = Shell(tmp_path_factory.mktemp("demo") / "state")
    try:
        done = made.tenure("demo", "--json", seconds=170)
        assert done.returncode == 0, done.stderr
        proof = json.loads(done.stdout)
        assert proof
        assert all(count["wanted"] == count["found"] == 1 for count in proof.values()), proof
        yield made
    finally:
        made.tenure("down")


@pytest.fixture(scope="module")
def contract(shell: Shell) -> str:
    [view] = shell.read("list", "--stage", "serving")
    return str(view["contract"])


async def test_the_demo_counts_in_the_outside_systems_and_sees_a_second_customer(
    shell: Shell, contract: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(ROOT / "tenure.toml")
    customer, box = Customer(ROOT), Box(settings.sandbox_url, "sandbox")
    customer.deal = contract.split("/")[1]
    [made] = await box.records("erp", "customers", lambda record: True)
    customer.account = made["account"]
    await box.do("POST", "/erp/customers", {**made, "external_id": "by hand"})
    async with open_office(settings) as office:
        proof = await holdings(box, erp_side(settings, box), office, customer, contract)
    assert {what for what, (wanted, found) in proof.items() if wanted != found} == {"customers (ERP)"}


def test_show_tells_where_a_contract_stands_by_any_of_its_names(shell: Shell, contract: str) -> None:
    shown = shell.read("show", contract.split("/")[1][:9])
    assert (shown["view"]["contract"], shown["view"]["term"]) == (contract, 2)
    assert {effect["state"] for effect in shown["effects"]} == {"DONE"}
    assert any("renewal" in line["what"] for line in shown["timeline"])
    assert contract in shell.tenure("show", contract).stdout


def test_an_impossible_command_is_refused_with_its_reason(shell: Shell, contract: str) -> None:
    before = shell.read("show", contract)["view"]
    assert "the renewal window is not open" in shell.refused("renew", contract)
    assert "use tenure end" in shell.refused("cancel", contract, "--reason", "x")
    assert "in the past" in shell.refused("end", contract, "--reason", "x", "--on", "2020-01-01")
    assert "activated already" in shell.refused("fix", contract, "--set", "purchase_order=PO-1")
    assert "no open case" in shell.refused("fix", contract, "--retry", "nope")
    assert "no such field" in shell.refused("fix", contract, "--set", "colour=red")
    assert "time travels forward" in shell.refused("fast-forward", contract, "--to", "2026-01-01")
    for far in ("0001-01-01", "9999-12-31"):
        assert "too far away" in shell.refused("fast-forward", contract, "--to", far)
    assert "nothing to repeat" in shell.refused("event", "1", "--again")
    assert "there is no event 4711" in shell.refused("event", "4711")
    assert "unknown contract" in shell.refused("show", "nope")
    assert "at least 3 characters" in shell.refused("show", "/1")
    assert "unknown milestone 'go-life'; the plan has go-live" in shell.refused("milestone", contract, "go-life")
    assert "activated already" in shell.refused("fix", contract, "--set", "terms.zone=Asia/Tokyo")
    for identity in ("account.id=ACC-OTHER", "deal_id=006-OTHER", "account=ACC-OTHER"):
        assert "says which contract this is" in shell.refused("fix", contract, "--set", identity)
    after = shell.read("show", contract)["view"]
    assert {**before, "as_of": None} == {**after, "as_of": None}
    assert revisions(shell, contract) == [1, 2]  # the one that the CRM sent, and the one that the demo mended


def test_a_contract_is_changed_previewed_and_changed_back(shell: Shell, contract: str) -> None:
    before = shell.read("show", contract)
    seats = {line["product"]: line["quantity"] for line in before["view"]["lines"]}["PLATFORM"]
    more = f"PLATFORM={float(seats) + 5:g}"
    added = ("--add", "product=ANALYTICS,quantity=3,unit_price=9")
    dry = shell.tenure("amend", contract, more, *added, "--dry-run").stdout
    assert "would be done: amended" in dry
    assert "+ " in dry
    assert shell.read("show", contract)["view"]["lines"] == before["view"]["lines"]

    for name in ("more", "other"):
        assert shell.tenure("amend", contract, more, *added, "--id", name).returncode == 0
    assert [change["id"] for change in shell.read("changes", contract)] == ["more", "other"]
    assert "billing of line" in shell.refused("undo", contract, "more")
    for wrong, told in (
        (("amend", contract), "it changes nothing"),
        (("amend", contract, "ROCKETS=3"), "no line for ROCKETS"),
        (("amend", contract, "PLATFORM=many"), "is not a quantity"),
        (("amend", contract, "--add", "ANALYTICS"), "is not a line"),
        (("amend", contract, "--add", "product=ROCKETS,quantity=1"), "is not known"),
        (("amend", contract, more, "--effective", "soon"), "is not a date"),
        (("extend", contract, "--ends", "2026-12-01"), "an extension ends later"),
        (("coterm", contract, "--with", contract), "name another one"),
        (("move", contract, "--entity", "ACME-US", "--currency", "USD"), "set those in USD"),
        (("end", contract, "--reason", "x", "--for", "fun"), "neither convenience nor cause"),
        (("pause", contract, "--reason", " "), "needs a reason"),
        (("resume", contract), "not paused"),
        (("withdraw", contract), "no end that could be withdrawn"),
        (("undo", contract, "nope"), "there is no change 'nope'"),
    ):
        assert told in shell.refused(*wrong)
    later = str(date.fromisoformat(before["view"]["term_starts"]) + timedelta(days=10))
    prices = [word for n in range(5) for word in ("--set", f"lines[{n}].unit_price=9")]
    moved = shell.tenure(
        "move", contract, "--entity", "ACME-DE", "--currency", "CHF", *prices, "--on", later, "--dry-run"
    )
    assert "would be done: it moves to ACME-DE, CHF" in moved.stdout
    assert "create the subscription in the ERP" in moved.stdout
    assert shell.tenure("notice", contract, "--id", "n").returncode == 0
    assert shell.read("show", contract)["view"]["stage"] == "ending"
    assert shell.tenure("undo", contract, "n").returncode == 0
    assert shell.read("show", contract)["view"]["stage"] != "ending"


def revisions(shell: Shell, contract: str) -> list[int]:
    """Numbers of the order's revisions in the store."""
    with closing(sqlite3.connect(Path(shell.environment["TENURE_STATE_DIR"]) / "store.db")) as store:
        rows = store.execute("SELECT revision FROM orders WHERE contract = ? ORDER BY revision", (contract,))
        return [revision for (revision,) in rows]


def test_a_signal_that_can_not_be_used_is_seen(shell: Shell, contract: str) -> None:
    assert shell.tenure("signal", contract, '{"kind": "bogus"}').returncode == 0
    [case] = shell.read("show", contract)["view"]["cases"]
    assert case["kind"] == "unusable_signal"
    assert shell.tenure("fix", contract, "--retry", case["id"]).returncode == 0
    assert shell.read("show", contract)["view"]["cases"] == []


def test_an_event_that_ended_unused_is_told_by_the_exit_code(shell: Shell, tmp_path: Path, contract: str) -> None:
    def event(number: str, contract: str) -> Path:
        file = tmp_path / "event.json"
        data = {"contract": contract, "milestone": "kick-off", "completed_on": "2001-01-01"}
        head = {"specversion": "1.0", "source": "/test", "type": "tenure.milestone.completed.v1"}
        file.write_text(json.dumps({**head, "id": number, "data": data}))
        return file

    answer = shell.read("event", str(event("early", contract)), code=1)["answers"][contract]
    assert "refused: kick-off on 2001-01-01 would be before the signature" in answer
    assert shell.read("event", str(event("nobody's", "crm/nobody/1")), code=1)["state"] == "parked"


def test_an_order_from_a_file_starts_once_and_lives_until_it_ends(shell: Shell) -> None:
    started = [shell.read("start", "examples/contracts/us_quarterly.toml")["contract"] for _ in range(2)]
    assert started[0] == started[1]
    outcome = shell.read("milestone", started[0], "go-live")
    assert outcome["answers"] == {started[0]: "delivered"}
    assert shell.tenure("end", started[0], "--reason", "moved away").returncode == 0
    ends = shell.read("show", started[0])["view"]["term_ends"]
    arrived = shell.read("fast-forward", started[0], "--to", ends)
    assert datetime.fromisoformat(arrived["stops"][-1]["at"]) <= datetime.fromisoformat(arrived["now"])
    assert shell.read("show", started[0])["view"]["stage"] == "ended"
    assert "closed" in shell.refused("renew", started[0])
    assert "closed" in shell.refused("fix", started[0], "--set", "purchase_order=PO-1")
    assert revisions(shell, started[0]) == [1]
    assert "no running lifecycle" in shell.refused("fast-forward", started[0], "--by", "1")


def test_an_unusable_event_is_a_dead_letter_that_can_be_mended(shell: Shell, tmp_path: Path, contract: str) -> None:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "mend-me",
        "source": "/test",
        "type": "tenure.milestone.completed.v1",
        "data": {"contract": contract, "milestone": "training"},
    }
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    dead = shell.read("event", str(file), code=1)
    assert dead["state"] == "dead"
    assert "completed_on" in dead["reason"]
    file.write_text(json.dumps({**event, "data": {**event["data"], "completed_on": str(datetime.now(UTC).date())}}))
    mended = shell.read("event", str(dead["inbox_id"]), "--again", "--payload", str(file))
    assert mended["answers"] == {contract: "delivered"}


def test_the_list_of_cases_mends_a_dead_letter_and_moves_a_lifecycle_on(
    shell: Shell, tmp_path: Path, contract: str
) -> None:
    data = {"contract": contract, "milestone": "training"}
    head = {"specversion": "1.0", "source": "/test", "id": "case-me", "type": "tenure.milestone.completed.v1"}
    file = tmp_path / "event.json"
    file.write_text(json.dumps({**head, "data": data}))
    dead = str(shell.read("event", str(file), code=1)["inbox_id"])
    assert shell.read("cases", "show", dead)["event"]["state"] == "dead"
    assert shell.read("cases", "retry", dead, code=1)["state"] == "dead"
    today = f"data.completed_on={datetime.now(UTC).date()}"
    assert shell.read("cases", "edit", dead, "--set", today, "--retry")["answers"] == {contract: "delivered"}
    assert "resolved already" in shell.refused("cases", "retry", dead)

    assert shell.tenure("signal", contract, '{"kind": "bogus"}').returncode == 0
    [case] = shell.read("cases", "list", "--kind", "unusable_signal")["cases"]
    assert shell.read("cases", "assign", case["id"], "ann")["assignee"] == "ann"
    shell.read("cases", "retry", case["id"])
    assert shell.read("show", contract)["view"]["cases"] == []
    last = [line["what"] for line in shell.read("cases", "show", case["id"])["history"]]
    assert last == ["assigned to ann", "retried"]


def test_a_replay_of_everything_changes_nothing(shell: Shell, contract: str) -> None:
    before = shell.read("show", contract)
    chosen = shell.read("replay", "--contract", contract, "--dry-run")
    assert chosen["deliveries"] > 3
    assert shell.read("replay", "--contract", contract)["deliveries"] == chosen["deliveries"]
    for _ in range(100):
        after = shell.read("show", contract)
        if after["view"]["last_seq"] > before["view"]["last_seq"]:
            break
    changed = {"as_of": None, "last_seq": None}
    assert {**after["view"], **changed} == {**before["view"], **changed}
    assert after["effects"] == before["effects"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("bogus",), "No such command"),
        (("show",), "Missing argument"),
        (("list", "--stage", "nope"), "unknown stage"),
        (("list", "--nope"), "No such option"),
        (("start", "nope.toml"), "No such file"),
        (("start", "README.md"), "README.md"),
        (("start", "examples/payloads/hubspot_new.json"), "no deal id"),
        (("map", "check", "pyproject.toml"), "no deal id"),
        (("fix", "x"), "give --set"),
        (("fix", "x", "--set", "no-sign"), "is not an assignment"),
        (("signal", "x", "{"), "not JSON"),
        (("end", "x", "--reason", "r", "--on", "tomorrow"), "is not a date"),
        (("fast-forward", "x"), "give either"),
        (("fast-forward", "x", "--by", "0"), "forward"),
        (("fast-forward", "x", "--by", "99999999999"), "at most 36525 days"),
        (("event", "9" * 30), "there is no event"),
        (("event", "9" * 30, "--again"), "there is no event"),
        (("event", "²"), "No such file"),
        (("signal", "x", "[" * 100_000), "not JSON"),
        (("show", "\udcff\udcfe\udcfd"), "not UTF-8"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(shell: Shell, words: tuple[str, ...], reason: str) -> None:
    assert reason in shell.refused(*words)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("[" * 200_000, "recursion"), ('{"id": "\\ud800", "type": "x"}', "no text"), ('{"a": ', "Expecting value")],
)
@pytest.mark.parametrize("command", [("event",), ("start",), ("map", "check")])
def test_a_file_that_can_not_be_read_is_a_mistake(
    tmp_path: Path, command: tuple[str, ...], text: str, reason: str
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    assert reason in Shell(tmp_path / "state").refused(*command, str(file))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TENURE_STORE_URL", "nonsense", "store_url: "),
        ("TENURE_STORE_URL", "nosuchdatabase://x", "store_url: "),
        ("TENURE_STORE_URL", f"sqlite:///{ROOT / 'README.md'}", "store_url: the database can't be used"),
        ("TENURE_STATE_DIR", "/proc/nope", "state_dir: /proc/nope"),
    ],
)
def test_a_store_that_can_not_be_is_a_mistake_of_every_process(
    tmp_path: Path, name: str, value: str, reason: str
) -> None:
    shell = Shell(tmp_path / "state")
    shell.environment[name] = value
    assert shell.refused("list").startswith(reason)
    worker = subprocess.run(
        [sys.executable, "-m", "worker"], cwd=ROOT, env=shell.environment, capture_output=True, text=True, timeout=60
    )
    assert (worker.returncode, worker.stderr.splitlines()[0][:15]) == (2, "tenure worker: ")


def test_what_needs_no_stack_works_without_one(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "state")
    assert {entry["term"] for entry in shell.read("glossary")} >= {"active customer", "renewal date"}
    found = shell.read("map", "check", "examples/payloads/salesforce_new_broken.json")
    assert {reason["path"] for reason in found["reasons"]} == {"sold_to.tax_id", "lines[0].product"}
    assert {process["state"] for process in shell.read("status")} == {"stopped"}
    assert shell.read("list") == []
    assert "Temporal does not answer" in shell.refused("setup")
    assert shell.tenure().returncode == 0
