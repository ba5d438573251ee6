"""Settings: the file, the environment over it, and what a mistake says."""

import stat
from pathlib import Path

import pytest

from starter.secrets import make_secrets
from starter.settings import Settings, SettingsError, load_settings
from starter.temporal import connect_config, uses_local_server

ROOT = Path(__file__).resolve().parents[3]


def write(directory: Path, text: str) -> Path:
    file = directory / "tenure.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_file_it_is_one_machine_with_the_sandbox(settings: Settings) -> None:
    assert settings.base_url("erp") == f"http://127.0.0.1:{settings.sandbox.port}/erp"
    assert settings.token("erp") == "sandbox"
    assert settings.database_url == f"sqlite:///{settings.state_path / 'store.db'}"
    assert settings.task_queue("erp") == "tenure-erp"
    assert settings.connection_of("crm") == "crm"


def test_the_committed_file_is_valid_and_has_no_secret(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "tenure.toml", state_dir=tmp_path)
    assert set(settings.webhooks) == {"crm", "erp", "cs", "support", "usage"}
    assert settings.gateway_url == "http://127.0.0.1:8700"
    assert settings.limits.body_bytes == 1024 * 1024
    assert settings.mapping_path("crm") == ROOT / "examples/mappings/salesforce.toml"
    assert settings.company_path == ROOT / "examples/company.toml"
    assert "whsec_" not in (ROOT / "tenure.toml").read_text(encoding="utf-8")
    with pytest.raises(SettingsError, match="`tenure up` makes it"):
        settings.webhook_secrets("crm")


def test_generated_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "tenure.toml", state_dir=tmp_path / "state")
    make_secrets(settings)
    first = settings.webhook_secrets("crm")
    make_secrets(settings)
    assert settings.webhook_secrets("crm") == first
    assert first[0].startswith("whsec_")
    file = tmp_path / "state/secrets/webhook"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["webhook"]
    other = load_settings(ROOT / "tenure.toml", state_dir=tmp_path / "other")
    make_secrets(other)
    assert other.webhook_secrets("crm") != first


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, 'tenant = "hooli"\n[gateway]\nport = 9000\nhost = "0.0.0.0"\n')
    monkeypatch.setenv("TENURE_CONFIG", str(file))
    monkeypatch.setenv("TENURE_GATEWAY__PORT", "9001")
    settings = load_settings()
    assert (settings.tenant, settings.gateway.port, settings.gateway.host) == ("hooli", 9001, "0.0.0.0")  # noqa: S104


def test_paths_start_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = write(tmp_path, 'company = "own.toml"\n')
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings(file)
    assert settings.company_path == tmp_path / "own.toml"
    assert settings.state_path == tmp_path / ".tenure"


def test_a_child_process_sees_the_same(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    child = load_settings()
    assert child.ports() == settings.ports()
    assert child.state_path == settings.state_path
    assert child.database_url == settings.database_url
    assert child.company_path == settings.company_path
    assert child.environment() == settings.environment()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tenant = ", "not valid TOML"),
        ("tenent = 'x'", "tenent: no such setting"),
        ("[gateway]\nprot = 1", "gateway.prot: no such setting"),
        ("[gateway]\nport = 70000", "gateway.port: Input should be less than or equal to 65535"),
        ("[gateway]\nport = 8701", "gateway.port and sandbox.port are both 8701"),
        ("[limits]\ntolerance_seconds = 900", "limits.tolerance_seconds"),
        ("[webhooks.crm]\nconnection = 'crm'\nsecrets = []", "webhooks.crm.secrets"),
        ("[webhooks.crm]\nconnection = 'sap'\nsecrets = [{ env = 'X' }]", "unknown connection 'sap'"),
        ("[webhooks.crm]\nconnection = 'crm'\nsecrets = [{ env = 'X', file = 'y' }]", "exactly one of env, file"),
        ("[connections.crm]\nkind = 'erm'", "connections.crm.kind"),
    ],
)
def test_a_bad_file_is_one_line_that_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        load_settings(file)
    message = str(error.value)
    assert message.startswith(f"{file}: ")
    assert complaint in message
    assert "\n" not in message


def test_a_file_that_was_named_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match=r"none\.toml: can't be read"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TENURE_GATWAY__PORT", "1", "TENURE_GATWAY__PORT: no such setting"),
        ("TENURE_GATEWAY__PROT", "1", "gateway.prot: no such setting"),
        ("TENURE_GATEWAY__PORT", "many", "gateway.port"),
        ("TENURE_CONNECTIONS", "{", "connections"),
    ],
)
def test_a_bad_variable_is_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_secrets_come_from_variables_and_files_and_are_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    monkeypatch.setenv("TENURE_SECRET_ERP", "from-a-variable")
    monkeypatch.setenv("TENURE_STORE_URL", "postgresql://tenure:hunter2@db/tenure")
    file = write(
        tmp_path,
        '[connections.crm]\nkind = "crm"\nbase_url = "https://crm.example/"\ntoken = { file = "token" }\n'
        '[connections.erp]\nkind = "erp"\nbase_url = "https://erp.example"\ntoken = { env = "TENURE_SECRET_ERP" }\n'
        '[connections.cs]\nkind = "cs"\nbase_url = "https://cs.example"\n'
        '[webhooks.crm]\nconnection = "crm"\nsecrets = [{ value = "whsec_c2VjcmV0" }, { env = "NOT_SET" }]\n',
    )
    settings = load_settings(file)
    assert settings.base_url("crm") == "https://crm.example"
    assert (settings.token("crm"), settings.token("erp")) == ("from-a-file", "from-a-variable")
    assert settings.database_url == "postgresql://tenure:hunter2@db/tenure"
    with pytest.raises(SettingsError, match=r"connections\.cs\.token: needed"):
        settings.token("cs")
    with pytest.raises(SettingsError, match=r"webhooks\.crm\.secrets\[1\]: .*NOT_SET is not set"):
        settings.webhook_secrets("crm")
    shown = repr(settings) + str(settings.model_dump())
    assert not [secret for secret in ("hunter2", "whsec_c2VjcmV0", "from-a") if secret in shown]


def test_which_temporal_is_used(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    local = connect_config(settings)
    assert (local["target_host"], local["namespace"]) == (f"127.0.0.1:{settings.temporal.port}", "default")
    assert uses_local_server(settings)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "cluster.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "billing")
    other = connect_config(settings)
    assert (other["target_host"], other["namespace"]) == ("cluster.example:7233", "billing")
    assert not uses_local_server(settings)


def test_a_broken_temporal_profile_is_one_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profile.toml").write_text("[profile")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "profile.toml"))
    with pytest.raises(SettingsError, match="Temporal"):
        connect_config(settings)


def test_the_stores_url_from_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("postgresql://tenure@db/tenure\n")
    monkeypatch.setenv("TENURE_STORE_URL__FILE", str(tmp_path / "url"))
    assert load_settings().database_url == "postgresql://tenure@db/tenure"
    monkeypatch.setenv("TENURE_STORE_URL", "sqlite:////elsewhere.db")
    assert load_settings().database_url == "sqlite:////elsewhere.db"


@pytest.mark.parametrize("url", ["mysql://db/tenure", "tenure.db", "postgresql+psycopg2://db/tenure"])
def test_a_store_that_is_neither_of_the_two_is_one_line(url: str) -> None:
    with pytest.raises(SettingsError, match="store_url: it must begin with sqlite:// or postgresql://"):
        _ = load_settings(store_url=url).database_url
