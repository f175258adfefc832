"""Upgrade the machinery to a newer release, in one commit on the branch that is checked out.

The team's files stay. Renamed keys of params.yaml, settings.yaml and policy.yaml are renamed in
place, and files of the template that a team may edit (workflows, Makefile, Dockerfile,
pyproject.toml) are merged. The commit is made and tested in build/upgrade/worktree; the branch
moves last. Exits 1 if the machinery was patched, and if the tests fail; then the commit is kept on
branch upgrade/<version>.
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from mlops import file_lock, git
from mlops.ci import actions
from mlops.cli import FAIL, PASS
from mlops.config.options import Option
from mlops.console import say, without_password
from mlops.errors import Refused, UserError
from mlops.paths import BUILD
from mlops.upgrading import landing, layout, manifest, pins, renewing, template, trees, upgrade
from mlops.upgrading.landing import Landing
from mlops.upgrading.rewriting import PinnedUpstream
from mlops.upgrading.template import FILE, UpstreamRecord
from mlops.upgrading.trees import Tree
from mlops.upgrading.upgrade import MARK, PACKED, RENEWED, Sides, UpgradePlan, listed

OPTIONS = (
    Option("--from", "the repository of the template, a URL or path; it is recorded", "URL"),
    Option("--ref", "a tag, branch or commit of it; by default its newest release", "REF"),
    Option("--was", "the commit of the machinery here, if it is not recorded", "COMMIT"),
    Option("--dry-run", "print what would change, and change nothing", switch=True),
    Option("--keep-patches", "carry over your changes of the machinery", switch=True),
    Option("--no-test", "leave the tests to the pull request", switch=True),
    Option("--verbose", "name every file", switch=True),
)
LOCK = BUILD / "upgrade.lock"


def run(options: argparse.Namespace) -> int:
    """Upgrade, or finish an interrupted upgrade."""
    actions.require_default_branch()
    with file_lock.exclusive(LOCK, Refused(f"another upgrade holds {LOCK}. Wait for it to end.")):
        left = landing.unfinished()
        if left:
            return _resume(left, options.dry_run)
        landing.branch()
        _require_clean()
        if not options.dry_run:
            git.require_identity()
        ours = trees.read(Path(git.git("rev-parse", "--absolute-git-dir")), git.head())
        pin = pins.pin(ours)
        source, recorded = _source(options, pin)
        say("upgrade", f"fetching {without_password(source)}")
        template.fetch(source)
        reference = options.ref or template.newest()
        theirs = template.tree(reference)
        base = template.tree(options.was) if options.was else _base(ours, recorded)
        if _is_done(base, theirs, reference):
            return PASS
        record = UpstreamRecord(template.address(source), theirs.commit)
        try:
            return _upgrade(options, _sides(base, ours, theirs, pin, record), record, theirs)
        finally:
            if not landing.STATE.exists():
                landing.remove_worktree()


def _resume(left: Landing, dry_run: bool) -> int:
    if dry_run:
        say("upgrade", "an upgrade was interrupted; run it without DRY=1 to finish it")
        return PASS
    landing.resume(left)
    say(
        "upgrade", f"finished the interrupted upgrade: {_subject(left.commit)} ({left.commit[:12]})"
    )
    return PASS


def _require_clean() -> None:
    different = git.changed()
    if different:
        raise UserError(
            f"These files differ from HEAD: {listed(different)}. An upgrade is one commit "
            "without your own changes. Commit, restore or remove them, then try again."
        )


def _source(
    options: argparse.Namespace, pin: PinnedUpstream | None
) -> tuple[str, UpstreamRecord | None]:
    """Return the repository to fetch from, and the fork's record of its upstream."""
    recorded = template.recorded(git.show("HEAD", FILE) or "")
    if pin:
        repository = recorded.repository if recorded else pin.upstream.url
        recorded = UpstreamRecord(repository, pin.upstream.commit)
    # `from` is a keyword of Python.
    source = vars(options)["from"] or (recorded and recorded.repository)
    if not source:
        raise UserError(
            f"No upstream is recorded: {FILE} does not exist. Name the template's repository: "
            "make upgrade FROM=https://github.com/OWNER/TEMPLATE DRY=1"
        )
    return source, recorded


def _base(ours: Tree, recorded: UpstreamRecord | None) -> Tree:
    """Return the release that the fork has: the recorded commit, else the version's tag."""
    version = ours.text(layout.RELEASE).partition("\n")[0].removeprefix("# ")
    candidates = [recorded.commit] if recorded else []
    candidates += [f"v{version}"] if version else []
    for reference in candidates:
        try:
            return template.tree(reference)
        except UserError:
            continue
    missing = (
        f"upstream has none of {', '.join(candidates)}" if candidates else "nothing records it"
    )
    raise UserError(
        f"The release of the machinery here is unknown: {missing}. Name the commit or tag of "
        "upstream that it was copied from: WAS=<commit> (git log of upstream, day of the copy)"
    )


def _is_done(base: Tree, theirs: Tree, reference: str) -> bool:
    """Return whether there is nothing to do; raises UserError for an older release."""
    was, version = template.version(base), template.version(theirs)
    if not layout.is_in_folder(theirs):
        raise UserError(f"{reference} of upstream holds no machinery, no {manifest.FOLDER}/.")
    if was and template.number(version) < template.number(was):
        raise UserError(
            f"{reference} is version {version}, and {was} is here. Keys are renamed in one "
            "direction only: to go back, revert the upgrade's commit (git revert)."
        )
    if base.commit == theirs.commit:
        say("upgrade", f"nothing to do: {version} ({reference}) is here already")
        return True
    return False


def _sides(
    base: Tree, ours: Tree, theirs: Tree, pin: PinnedUpstream | None, record: UpstreamRecord
) -> Sides:
    """Return the trees to compare; with an installed machinery all name the new commit."""
    was, version = template.version(base), template.version(theirs)
    log = theirs.text(upgrade.CHANGELOG)
    if pin:
        newer = PinnedUpstream(replace(pin.upstream, commit=theirs.commit), version)
        base, theirs = pins.as_installed(base, newer), pins.as_installed(theirs, newer)
        ours = pins.renamed(ours, pin, newer)
    elif not layout.is_in_folder(ours) and not layout.is_spread(ours):
        raise UserError(
            f"There is no machinery to upgrade: no {manifest.FOLDER}/, and the workflows call none "
            "of an upstream. Run this at the root of a copy of the template."
        )
    fetch = f"git fetch {record.repository} {record.commit}"
    return Sides(base, ours, theirs, fetch, was, version, log)


def _code(tree: Path, theirs: Tree) -> Path:
    """Return the folder of the newer package: in the worktree, else in a copy beside it."""
    if (tree / layout.PACKAGE).is_dir():
        return tree / manifest.FOLDER
    code = template.HOME / "code"
    shutil.rmtree(code, ignore_errors=True)
    names = [path for path in theirs.entries if path.startswith(f"{layout.PACKAGE}/")]
    for path, content in theirs.contents(names):
        trees.put(code / path, theirs.entries[path].mode, content)
    return code / manifest.FOLDER


def _upgrade(
    options: argparse.Namespace, sides: Sides, record: UpstreamRecord, theirs: Tree
) -> int:
    branch = landing.branch()
    plan = upgrade.make(sides, options.keep_patches, record)
    tree = landing.worktree(sides.ours.commit)
    upgrade.write(plan, tree)
    renamed = renewing.migrate(tree, _code(tree, theirs), plan.was)
    lock = renewing.locked_from(tree) != renewing.locked_from(Path()) or not renewing.is_locked(
        tree
    )
    _report(plan, sides, renamed, lock, options.verbose)
    if options.dry_run:
        say("", "nothing was changed: this was a dry run")
        return PASS
    venv = _renew(tree, lock)
    commit = _commit(plan, tree, record, renamed)
    return _finish(Landing(branch, sides.ours.commit, commit), plan, tree, options.no_test, venv)


def _report(plan: UpgradePlan, sides: Sides, renamed: list[str], lock: bool, verbose: bool) -> None:
    present = sides.ours.entries.keys()
    say("upgrade", f"{plan.was or 'before 1.0.0'} to {plan.version} ({sides.theirs.commit[:12]})")
    counted = (
        ("replaced", [path for path in plan.write if path in present and path not in plan.merged]),
        ("added", [path for path in plan.write if path not in present and path not in plan.merged]),
        ("removed", [path for path in plan.remove if path not in plan.merged]),
        ("merged", plan.merged),
        ("patched by you, carried over", plan.patches),
    )
    for what, names in counted:
        if names or what in ("replaced", "added", "removed"):
            say("", f"{what}: {_count(names, verbose)}")
    for change in renamed:
        say("", f"renamed: {change}")
    if not renamed:
        say("", "renamed keys: none")
    if lock:
        say("", f"compiled again: {', '.join(RENEWED[:2])}")
    if plan.others:
        say("", f"yours, and newer in the template (left alone): {_count(plan.others, verbose)}")
    for task in plan.tasks:
        say("", f"DO THIS: {task}")


def _count(names: list[str], verbose: bool) -> str:
    if not names:
        return "none"
    if len(names) > upgrade.SHOWN and not verbose:
        return f"{len(names)} files (--verbose names them)"
    return f"{len(names)}: {', '.join(sorted(names))}"


def _renew(tree: Path, lock: bool) -> Path | None:
    """Compile the lock and write the schema, with the newer machinery's own targets.

    Returns the environment if its packages match the new lock, else None.
    """
    venv = Path(sys.prefix)
    if lock and renewing.make(tree, "lock", venv=venv):
        raise UserError(
            "The lock could not be compiled: the reason is above. Nothing was changed. Mend "
            "pyproject.toml, or check the access to the package index, then run this again."
        )
    current = Path("requirements.txt").exists() and renewing.pins(Path()) == renewing.pins(tree)
    venv = venv if current else None
    if renewing.make(tree, "schema", venv=venv):
        raise UserError(
            "params.schema.json could not be written with the newer machinery: its reason is "
            "above. Nothing was changed. Mend what it names, commit, then run this again."
        )
    return venv


def _commit(plan: UpgradePlan, tree: Path, record: UpstreamRecord, renamed: list[str]) -> str:
    """Commit the changes in the worktree and return the commit."""
    changed = git.git("-C", str(tree), "diff", "--name-only", "-z").split("\0")
    names = {*filter(None, changed), *plan.paths, *RENEWED}
    # Not `git add`, because a team's .gitignore may match files of the machinery.
    trees.run(
        Path(git.git("-C", str(tree), "rev-parse", "--absolute-git-dir")),
        *("update-index", "--add", "--remove", "-z", "--stdin"),
        content="".join(f"{name}\0" for name in sorted(names)).encode(errors="surrogateescape"),
        environment={"GIT_WORK_TREE": str(tree.absolute())},
    )
    options = ("--quiet", "--no-verify", "--cleanup=verbatim", "--message")
    git.git("-C", str(tree), "commit", *options, _message(plan, record, renamed))
    return git.git("-C", str(tree), "rev-parse", "HEAD")


def _message(plan: UpgradePlan, record: UpstreamRecord, renamed: list[str]) -> str:
    parts = [
        f"machinery: upgrade from {plan.was or 'before 1.0.0'} to {plan.version}",
        f"From {record.repository}\nat {record.commit}.",
    ]
    if plan.tasks:
        parts.append("Do this:\n" + "\n".join(f"- {task}" for task in plan.tasks))
    if renamed:
        parts.append("Renamed:\n" + "\n".join(f"- {change}" for change in renamed))
    return "\n\n".join([*parts, MARK]) + "\n"


def _finish(move: Landing, plan: UpgradePlan, tree: Path, no_test: bool, venv: Path | None) -> int:
    """Test the commit and move the branch to it, or keep it on another branch."""
    if no_test:
        say("", "not tested (--no-test): the checks of the pull request test it")
    elif renewing.make(tree, "test", venv=venv):
        return _keep(move, plan)
    landing.begin(move)
    if actions.inside():
        git.git("bundle", "create", "--quiet", str(PACKED), "HEAD", f"^{move.base}")
        actions.output("commit", move.commit)
    say("upgrade", f"{_subject(move.commit)} ({move.commit[:12]})")
    say("", "review it: git show --stat; undo it: git reset --keep HEAD^")
    return PASS


def _keep(move: Landing, plan: UpgradePlan) -> int:
    name = f"upgrade/{plan.version}"
    git.git("branch", "--force", name, move.commit)
    text = (
        f"the tests are red with {plan.version}: your branch is as it was, and the upgrade is kept "
        f"on {name} ({move.commit[:12]}). Mend it there (git switch {name}), then merge it."
    )
    say("upgrade", text)
    actions.summary(f"Upgrade: {text}")
    return FAIL


def _subject(commit: str) -> str:
    return git.git("show", "--no-patch", "--format=%s", commit)
