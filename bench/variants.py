"""Successive versions of the workflow code: each a tree of its own, in which only `workflows/` is another."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.town import ROOT

CHANGED = "workflows"


@dataclass(frozen=True)
class Edit:
    """What a version changes in one file."""

    file: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        path = tree / CHANGED / self.file
        code = path.read_text()
        if code.count(self.old) != 1:
            raise ValueError(f"{self.file} has {code.count(self.old)} times {self.old!r}: word the edit anew")
        path.write_text(code.replace(self.old, self.new))


PATCHED = (
    # the store is told before the search attributes are
    Edit(
        "desk.py",
        """        self._upsert(seen)
        if news:
            self._lanes.shown = self._dressed
            await workflow.execute_local_activity_method(DeskActivities.publish, self._row(), **options.STORE)
""",
        """        first = workflow.patched("drill: the store first")
        if not first:
            self._upsert(seen)
        if news:
            self._lanes.shown = self._dressed
            await workflow.execute_local_activity_method(DeskActivities.publish, self._row(), **options.STORE)
        if first:
            self._upsert(seen)
""",
    ),
    # a breath before each step, that what comes at the same time goes together
    Edit(
        "lanes.py",
        """        case = self._state.cases.get(step.key)
        row = self._row()
""",
        """        if workflow.patched("drill: a breath"):
            await workflow.sleep(0.01)
        case = self._state.cases.get(step.key)
        row = self._row()
""",
    ),
    # what a run hands on is marked: with a field that no older version knows
    Edit(
        "lifecycle.py",
        """        if continues:
            # by""",
        """        if continues:
            if workflow.patched("drill: marked"):
                await workflow.sleep(0.01)
                setattr(self._state, "drill_mark", "written by a newer version")
            # by""",
    ),
    # the sources of a readiness are asked one after the other
    Edit(
        "readings.py",
        """        return await _ask_together(state, now, sources)
""",
        """        if workflow.patched("drill: one after the other"):
            found: Answers = {}
            for source in sources:
                found |= await _ask_together(state, now, (source,))
            return found
        return await _ask_together(state, now, sources)
""",
    ),
    # customer success hears of the order a moment later
    Edit(
        "lifecycle.py",
        """        s = self._state
        await self._do(lambda: plan.ensure_company(s))
""",
        """        s = self._state
        if workflow.patched("drill: a moment later"):
            await workflow.sleep(0.02)
        await self._do(lambda: plan.ensure_company(s))
""",
    ),
)
"""One edit for each version; each version has those of the versions before it, too."""

UNPATCHED = Edit(
    "lifecycle.py",
    """        await self._do(lambda: plan.create_customer(s))
""",
    """        await workflow.sleep(0.01)
        await self._do(lambda: plan.create_customer(s))
""",
)
"""The sixth: nobody asked whether a life has been lived without it."""


def make_tree(home: Path, number: int, *more: Edit) -> Path:
    """The tree of version `number` (0: as it is here), below `home`; `more`: what this tree changes besides."""
    tree = home / f"version-{number}{'-more' if more else ''}"
    tree.mkdir()
    for entry in ROOT.iterdir():
        if entry.name != CHANGED and not entry.name.startswith("."):
            (tree / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / CHANGED, tree / CHANGED, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in (*PATCHED[:number], *more):
        edit.apply(tree)
    return tree
