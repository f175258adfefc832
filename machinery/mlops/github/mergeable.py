"""Check whether a proposal can be merged into the base branch or is merged already."""

from collections.abc import Iterator
from datetime import UTC, datetime

from mlops import git
from mlops.github.proposals import Move, Retraining
from mlops.releases import environments, gather, quarantine
from mlops.releases.environment_history import release_at
from mlops.releases.quarantine import Entries
from mlops.releases.release import Release, catalogue_path
from mlops.releases.rules import table
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.freeze import refuse_quarantined
from mlops.releases.rules.integrity import parse_sealed
from mlops.releases.rules.rule import Refusal
from mlops.retraining.triggers import same_model


def judge_move(proposed: Move, base: str) -> tuple[str, list[Refusal]]:
    """Return a description if `base` holds the move already, else "", and the refusals."""
    state = gather.base_facts(proposed.environment, base)
    if state.release_id == proposed.name:
        return f"{proposed.name} in {proposed.environment}", []
    policy = environments.environment(proposed.environment).policy
    facts = Facts(proposed.environment, proposed.release, policy, datetime.now(UTC), base=state)
    return "", table.refusals(table.PROPOSE, facts)


def judge_retraining(proposed: Retraining, base: str) -> tuple[str, list[Refusal]]:
    """Return the release if production has this model on `base`, else "", and the refusals."""
    digest, entries = proposed.details["model_digest"], quarantine.entries(base)
    release = release_at(base, environments.names()[-1])
    if release and same_model(digest, [release]):
        return f"{release.release_id}, this very model,", []
    same = same_model(digest, _quarantined(base, entries))
    return "", list(refuse_quarantined(same.release_id, entries)) if same else []


def _quarantined(base: str, entries: Entries) -> Iterator[Release]:
    for path in (catalogue_path(entry.release_id) for entry in entries):
        if release := parse_sealed(git.show(base, path), path):
            yield release
