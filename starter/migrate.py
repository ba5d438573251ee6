"""`python -m starter.migrate`: bring the store to this version's tables, and end."""

import sys

from domain.errors import SourceUnavailable
from starter.settings import SettingsError, load_settings
from store.migrate import head, migrate


def main() -> str:
    """What was done, in a line. Raises SettingsError and SourceUnavailable."""
    settings = load_settings()
    settings.state_path.mkdir(parents=True, exist_ok=True)
    migrate(settings.database_url)
    return f"the store is at revision {head()}\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(main())
    except SettingsError as error:
        sys.stderr.write(f"tenure migrate: {error}\n")
        sys.exit(2)
    except SourceUnavailable as error:
        sys.exit(f"tenure migrate: {error}")
