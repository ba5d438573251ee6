"""Where and how code is mutated: data in `breaking.toml` and `harmless.toml`."""

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.replay.mutating.operators import Edit, mutated

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@dataclass(frozen=True)
class Site:
    """One mutant: what it means, its file and scope, its edits. `shows`: the path of the corpus that is asked first."""

    name: str
    file: str
    scope: str
    edits: tuple[Edit, ...]
    shows: str

    def write(self, tree: Path) -> None:
        """Put the mutated file into a tree. Raises NoSuchPlace where the code has changed."""
        source = (ROOT / self.file).read_text()
        changed = mutated(source, self.scope, self.edits)
        if changed == ast.unparse(ast.parse(source)) + "\n":
            raise ValueError(f"{self.name}: nothing was changed")
        target = tree / self.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(changed)


def _sites(name: str) -> tuple[Site, ...]:
    told = tomllib.loads((HERE / f"{name}.toml").read_text())["site"]
    return tuple(Site(**{**site, "edits": tuple(Edit(**edit) for edit in site["edits"])}) for site in told)


BREAKING, HARMLESS = _sites("breaking"), _sites("harmless")
