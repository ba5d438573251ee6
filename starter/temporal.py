"""Which Temporal server is used: `temporalio.envconfig` (variables, profiles), else the local stack's."""

from temporalio.envconfig import ClientConfig, ClientConnectConfig

from starter.settings import Settings, SettingsError


def local_address(settings: Settings) -> str:
    """Address of the embedded server of the local stack."""
    return f"127.0.0.1:{settings.temporal.port}"


def connect_config(settings: Settings) -> ClientConnectConfig:
    """Keyword arguments for `Client.connect`: target_host and namespace always, the rest as the environment says.

    Raises SettingsError when Temporal's own configuration can't be read.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except Exception as error:  # the SDK's core raises several classes of its own here
        raise SettingsError(f"Temporal's environment configuration: {error}") from None
    config.setdefault("target_host", local_address(settings))
    config.setdefault("namespace", "default")
    return config


def uses_local_server(settings: Settings) -> bool:
    """Whether the local stack has to start a server: nobody named another one."""
    return connect_config(settings)["target_host"] in (local_address(settings), f"localhost:{settings.temporal.port}")
