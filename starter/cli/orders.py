"""Reading an order from a file, as every command does that looks at one before it is a lifecycle."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter.cli.lifecycles import read_document
from starter.mistakes import Mistake

if TYPE_CHECKING:
    from domain.mapping import Mapping
    from starter.settings import Settings


def read_order(settings: "Settings", file: Path, mapping: Path | None = None) -> dict[str, Any]:
    """The order document of a contract (TOML), or of a won deal's record (JSON) through the configured mapping or
    another one. Raises Mistake in one line.
    """
    from domain.mapping import UnusableRecord, canonical

    document = read_document(file)
    if file.suffix == ".toml":
        return document
    try:
        return canonical(document, read_mapping(settings, mapping))
    except UnusableRecord as error:
        raise Mistake(f"{file}: {error}") from None


def read_mapping(settings: "Settings", file: Path | None) -> "Mapping":
    """The mapping in a file, or the configured one. Raises Mistake in one line."""
    import wiring
    from domain.mapping import load_mapping

    if file is None:
        return wiring.read_mapping(settings)
    try:
        return load_mapping(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Mistake(f"{file}: {'; '.join(str(error).splitlines())}") from None
