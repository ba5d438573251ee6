"""The configuration that integrations/helpdesk/README.md shows, as `tenure.toml` has it."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "integrations" / "helpdesk" / "README.md"


def shown(table: str) -> str:
    """The block of TOML that begins with a table."""
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    [block] = [each for each in blocks if each.startswith(f"[{table}]")]
    return str(block)
