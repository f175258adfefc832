"""Plan the changes of an upgrade from three trees, and write them into a worktree.

The trees are the release that the fork has, the fork's HEAD and the newer release.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlops.errors import Refused
from mlops.upgrading import changelog, layout, merging, template, trees
from mlops.upgrading.merging import Choice
from mlops.upgrading.template import UpstreamRecord
from mlops.upgrading.trees import Tree, TreeEntry

CHANGELOG = "machinery/CHANGELOG.md"
# Generated files: an upgrade generates them again instead of merging them.
RENEWED = ("requirements.txt", "requirements-serve.txt", "params.schema.json")
SHOWN = 20
# The commit as a git bundle, for the job that pushes it.
PACKED = template.HOME / "proposal.bundle"
# This line in a message marks the commit of an upgrade.
MARK = "Proposed-by: make upgrade"


@dataclass
class UpgradePlan:  # pylint: disable=too-many-instance-attributes # a list for each thing to report
    """The files to write and to remove, and the report and tasks for a person."""

    was: str
    version: str
    write: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    remove: set[str] = field(default_factory=set)
    # The names of files to report, and the tasks as sentences.
    merged: list[str] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """Every file that is written or removed."""
        return sorted(self.write.keys() | self.remove)


@dataclass(frozen=True)
class Sides:
    """The three trees, and the command that fetches the newer one.

    `was` and `version` are the old and the new version, `log` is the new changelog.
    """

    base: Tree
    ours: Tree
    theirs: Tree
    fetch: str
    was: str
    version: str
    log: str

    def three(self, path: str) -> tuple[TreeEntry | None, TreeEntry | None, TreeEntry | None]:
        """Return the entries of a path in the three trees."""
        return tuple(tree.entries.get(path) for tree in (self.base, self.ours, self.theirs))


def make(sides: Sides, keep_patches: bool, record: UpstreamRecord) -> UpgradePlan:
    """Return the plan of an upgrade; raises Refused if the fork patched the machinery."""
    plan = UpgradePlan(sides.was, sides.version)
    _replace_machinery(plan, sides, keep_patches)
    for path in sorted(set().union(sides.base.entries, sides.ours.entries, sides.theirs.entries)):
        if layout.is_merged(path):
            _merge_file(plan, sides, path)
    plan.others = _others(sides)
    current = template.number(sides.was) if sides.was else template.BEFORE_VERSIONS
    plan.tasks = changelog.tasks(sides.log, current) + plan.tasks
    content = template.text(record).encode()
    if sides.ours.text(template.FILE.as_posix()).encode() != content:
        plan.write[template.FILE.as_posix()] = ("100644", content)
    for path in sides.ours.texts.keys() - plan.write.keys() - plan.remove:
        plan.write[path] = (sides.ours.entries[path].mode, sides.ours.texts[path])
    return plan


def patched(sides: Sides) -> list[str]:
    """Return the fork's paths of the machinery's files that differ from its release."""
    base = layout.entries(sides.base, layout.machinery(sides.base, sides.base))
    paths = layout.machinery(sides.ours, sides.base)
    ours = layout.entries(sides.ours, paths)
    names = {path for path in base.keys() | ours.keys() if base.get(path) != ours.get(path)}
    return sorted(paths.get(path, path) for path in names - {layout.RELEASE})


def _replace_machinery(plan: UpgradePlan, sides: Sides, keep_patches: bool) -> None:
    plan.patches = patched(sides)
    if plan.patches and not keep_patches:
        raise Refused(
            "the machinery here is not the one that was released: you changed "
            f"{listed(plan.patches)}. Nothing was changed. Carry that over: "
            'make upgrade ARGS="--keep-patches"; or give it up: take those files from upstream and '
            "commit. Is another commit of upstream the one you have? Name it: WAS=<commit>"
        )
    all_sides = (sides.base, sides.ours, sides.theirs)
    paths = [layout.machinery(tree, sides.base) for tree in all_sides]
    conflicts = []
    results: set[str] = set()
    taken: dict[int, dict[str, str]] = {}
    for path in sorted(set().union(*paths)):
        entries = [
            tree.entries.get(p.get(path, "")) for tree, p in zip(all_sides, paths, strict=True)
        ]
        choice = Choice.THEIRS if path == layout.RELEASE else merging.choose(*entries)
        if choice is Choice.BOTH:
            content = _merged(all_sides, [p.get(path) for p in paths])
            if content is None:
                conflicts.append(paths[1].get(path, path))
                continue
            plan.write[path] = (entries[1].mode, content)
            results.add(path)
        elif entries[1 if choice is Choice.OURS else 2] is not None:
            side = 1 if choice is Choice.OURS else 2
            results.add(path)
            if entries[side] != sides.ours.entries.get(path):
                taken.setdefault(side, {})[path] = paths[side][path]
    if conflicts:
        raise Refused(
            f"your changes of {listed(conflicts)} conflict with upstream's: nothing was changed. "
            "Make them fit the newer machinery: give them up in a commit, upgrade, then make them "
            f"again. Upstream's files: {sides.fetch}"
        )
    for side, names in taken.items():
        _take(plan, all_sides[side], names)
    plan.remove |= {real for real in paths[1].values() if real not in results}


def _take(plan: UpgradePlan, tree: Tree, names: dict[str, str]) -> None:
    """UpgradePlan to write files of a tree under their new names."""
    content = dict(tree.contents(names.values()))
    for path, real in names.items():
        plan.write[path] = (tree.entries[real].mode, content[real])


def _merged(sides: Iterable[Tree], paths: list[str | None]) -> bytes | None:
    """Return the merge of a file that both sides changed, None if they conflict."""
    if None in paths:
        return None
    return merging.merge(*(tree.content(path) for tree, path in zip(sides, paths, strict=True)))


def _merge_file(plan: UpgradePlan, sides: Sides, path: str) -> None:
    base, ours, theirs = sides.three(path)
    choice = merging.choose(base, ours, theirs)
    if choice is Choice.THEIRS and theirs is None:
        plan.remove.add(path)
    elif choice is Choice.THEIRS:
        _take(plan, sides.theirs, {path: path})
    # A file that the team removed stays removed.
    elif choice is Choice.BOTH and ours is not None:
        _merge_both(plan, sides, path)
        return
    if choice is Choice.THEIRS:
        plan.merged.append(path)


def _merge_both(plan: UpgradePlan, sides: Sides, path: str) -> None:
    base, ours, theirs = sides.three(path)
    if theirs is None:
        plan.tasks.append(
            f"{path}: upstream dropped it, and you changed it. Remove it, or keep it."
        )
        return
    all_sides = (sides.base, sides.ours, sides.theirs)
    content = _merged(all_sides, [path if base else None, path, path])
    if content is None and base and layout.is_spread(sides.base):
        content = _replayed(plan, all_sides, path)
    if content is None:
        plan.tasks.append(
            f"{path}: upstream changed the lines that you changed, so yours is kept. See what is "
            f"new: {sides.fetch} && git diff HEAD FETCH_HEAD -- {path}"
        )
        return
    if path.endswith(".toml"):
        merging.require_toml(path, content)
    plan.write[path] = (ours.mode, content)
    plan.merged.append(path)


def _replayed(plan: UpgradePlan, sides: tuple[Tree, Tree, Tree], path: str) -> bytes:
    """Return upstream's rewritten file with the team's changes applied to it."""
    result = merging.replay(*(tree.content(path) for tree in sides))
    for change in result.rejected:
        plan.tasks.append(
            f"{path}: upstream wrote it anew, and has no more lines that you changed. Make this "
            f"change again, if it is still needed:\n{change}"
        )
    return result.content


def _others(sides: Sides) -> list[str]:
    """Return the team's files that upstream changed: reported, never changed."""
    return sorted(
        path
        for path in sides.ours.entries.keys() & sides.theirs.entries.keys()
        if not layout.is_machinery(path)
        and not layout.is_merged(path)
        and path not in RENEWED
        and merging.choose(*sides.three(path)) is not Choice.OURS
    )


def write(plan: UpgradePlan, tree: Path) -> None:
    """Write the planned files into a worktree that holds the fork's HEAD."""
    for path in plan.remove:
        (tree / path).unlink(missing_ok=True)
    for path, (mode, content) in plan.write.items():
        trees.put(tree / path, mode, content)


def listed(names: list[str]) -> str:
    """Return names as a list in a sentence, cut after the first ones."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
