"""Every reason a release is not let through: an id, a sentence, what was found and what to do.

Written once, here: the steps print these words and machinery/docs/promotion.md lists them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlops.errors import Refused
from mlops.rules import Rule


@dataclass(frozen=True)
class Refusal:
    """One rule that said no: the value found against what is allowed, and the remedy."""

    rule: str
    sentence: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"  {self.rule} {self.sentence}\n       {self.found}\n       {self.remedy}"


@dataclass(frozen=True)
class Reason(Rule):
    """A rule of promotion with the words it refuses in; {names} are filled in by the check."""

    found: str
    remedy: str

    def refuse(self, **values: object) -> Refusal:
        """Return the refusal that names these values."""
        filled = (words.format_map(values) for words in (self.found, self.remedy))
        return Refusal(self.id, self.sentence, *filled)

    @property
    def row(self) -> str:
        """The rule's row in docs/promotion.md, with capitals for what a check fills in."""
        remedy = re.sub(r"{(\w+)}", lambda name: name[1].upper(), self.remedy)
        return f"| {self.id} | {self.sentence} | {remedy} |"


def refused(what: str, refusals: Iterable[Refusal]) -> Refused:
    """Return the error that says what was refused and all reasons why."""
    return Refused("\n".join([what, *map(str, refusals)]))


def require_none(what: str, refusals: Iterable[Refusal]) -> None:
    """Raise Refused with what was refused and all reasons why, where there is one."""
    if found := list(refusals):
        raise refused(what, found)


SCHEMA = Reason(
    "P101",
    "A release file has the fields of a release and no others.",
    "{mistakes}",
    "Have it written again: `make package` for build/release.yaml; elsewhere put back what was "
    "committed before (`git log -- {file}`, `git checkout COMMIT -- {file}`) and commit that.",
)
SEAL = Reason(
    "P102",
    "A release id ends in the hash of what is promoted.",
    "{file} says {release}, but its content hashes to {seal}: it was changed after it was sealed.",
    "Put back what was committed before (`git log -- {file}`, `git checkout COMMIT -- {file}`) and "
    "commit that; a new release comes from `make package`.",
)
CATALOGUE = Reason(
    "P103",
    "The catalogue holds the release, and says the same of it.",
    "{file} {state}.",
    "Only a promotion out of `build` adds to environments/releases/, and nothing changes it "
    "afterwards: put it back with git, or let the release enter the first environment first.",
)
UNIQUE = Reason(
    "P104",
    "No two releases share a sequence number or a seal.",
    "{release} shares it with {other}.",
    "Another release entered the catalogue first. Run `make package` again for the next number.",
)
QUARANTINED = Reason(
    "P105",
    "A quarantined release goes nowhere.",
    "{release} was quarantined on {at}: {reason}",
    "Ship a new release. If the quarantine was a mistake, a pull request takes the id out of "
    "environments/quarantine.yaml and says why.",
)
PLACE = Reason(
    "P106",
    "A promotion or rollback replaces what it was computed to replace, and nothing else writes.",
    "{file} {state}; what promotions and rollbacks put there last is {held}, in {commit}.",
    "Put that back with `git checkout {commit} -- {file}` and commit it. Then run the promotion or "
    "rollback you want.",
)
ORDER = Reason(
    "P107",
    "Only a rollback goes back to an older release.",
    "{environment} holds {held}; {release} has the lower number {number}.",
    "To go back on purpose: `make rollback ENV={environment} TO=<release id> REASON=<why>`.",
)
ORIGIN = Reason(
    "P108",
    "A release comes from the environment before, which held it.",
    "{found}",
    "No stage is skipped: `make promote` takes it through every environment in turn.",
)
MISSING = Reason(
    "P109",
    "All evidence the policy demands is there.",
    "There is no {kind} of {release} from {origin}; there is {present}.",
    "Run the step that gives it (`make gate package`, `make loadtest ENV={origin}`), then promote.",
)
OTHER = Reason(
    "P110",
    "Evidence speaks for this very release.",
    "The {kind} from {origin} is about {other}, not about {release}.",
    "Deploy this release to {origin}, run `make loadtest ENV={origin}` and promote again.",
)
VERDICT = Reason(
    "P111",
    "The verdict of evidence is pass; inconclusive is not.",
    "The {kind} from {origin} says {verdict}: {reason}",
    "Mend what it names and ship a new release, or collect more evidence if it is inconclusive.",
)
AGE = Reason(
    "P112",
    "Evidence is no older than the policy allows.",
    "The {kind} from {origin} was {age} old at the promotion; {allowed} allowed.",
    "Run it again (`make gate package`, `make loadtest ENV={origin}`) and promote again.",
)
FUTURE = Reason(
    "P113",
    "Nothing is dated later than now.",
    "The {what} is dated {at}; it is {now} here.",
    "Set the clock of the machine that is wrong, then run the step again.",
)
FREEZE = Reason(
    "P114",
    "Nothing moves in a freeze.",
    "{environment} is frozen from {start} to {end}, {timezone}: {reason}",
    "Wait, or change the window in environments/{environment}/policy.yaml by pull request. "
    "`make rollback` is always open.",
)
SOURCE = Reason(
    "P115",
    "A release is built from a commit that is part of the history here.",
    "HEAD does not descend from {commit}, the {what}.",
    "Merge that commit, or `git fetch` it; a release built on a branch that was squashed is built "
    "again from the merged commit.",
)
CLEAN = Reason(
    "P116",
    "What decides is committed.",
    "These differ from HEAD: {files}.",
    "Keep a change with a commit, or undo it with `git checkout HEAD -- FILE` (remove a file that "
    "git does not know). After an interrupted promotion or rollback the same command finishes it.",
)
ALONE = Reason(
    "P117",
    "One promotion or rollback runs at a time.",
    "{what}.",
    "Wait until the other one is done, then run this again: it goes on from what that one left.",
)
NOTHING = Reason(
    "P118",
    "There is a release to move.",
    "{environment} holds none yet.",
    "`make promote ENV={environment}` brings it one.",
)
NO_WAY_BACK = Reason(
    "P119",
    "There is an earlier release to go back to.",
    "{environment} has held {held}; there is no earlier one that is out of quarantine.",
    "Ship a mended release; until then `make down ENV={environment}` stops the service.",
)
NEVER_HERE = Reason(
    "P120",
    "A rollback goes to a release that ran here.",
    "{environment} never held {release}; it has held {held}.",
    "Name one of these with TO, or none to take the newest.",
)
BUNDLE = Reason(
    "P121",
    "The bundle of the release is in the store.",
    "The store {store} has no {digest}, the bundle of {release}.",
    "Put it back from a backup, or roll back to another release with TO.",
)
UNSIGNED = Reason(
    "P122",
    "A release is signed where the policy demands it.",
    "The store {store} has no signature of {release}; {environment} demands one by {signers}.",
    "Sign it: `make sign`, or `make sign ARGS='--release {release}'` for one that was promoted "
    "before (machinery/docs/signing.md).",
)
STRANGER = Reason(
    "P123",
    "Only a signer whom the policy names counts.",
    "{release} is signed by {found}; {environment} demands one of: {signers}.",
    "Have one of these sign it, or let a pull request add that signer to `signed_by` in "
    "environments/{environment}/policy.yaml and say why it is trusted.",
)
ALTERED = Reason(
    "P124",
    "What was signed is as it was signed, and so is the signature.",
    "The {what} of {release} was changed: {fault}.",
    "Do not use it, and find out who can write to the store. What `make package sign` makes at the "
    "release's commit replaces it.",
)
OTHER_BUNDLE = Reason(
    "P125",
    "The signature is about the bundle that is released.",
    "{release} names the bundle {actual}; {signed} was signed.",
    "Put back the release or the signature, whichever was exchanged; sign only what was built.",
)
OTHER_MODEL = Reason(
    "P126",
    "The signature is about the model that is released.",
    "{release} names the model {actual}; {signed} was signed.",
    "Put back the release file; a new model is a new release: `make package sign`.",
)
OTHER_COMMIT = Reason(
    "P127",
    "The signature is about the commit that is released.",
    "{release} names the commit {actual}; {signed} was signed.",
    "Put back the release file; what another commit gives is a new release: `make package sign`.",
)
OTHER_IMAGE = Reason(
    "P128",
    "The signature is about the image that is released.",
    "{release} names the image {actual}; {signed} was signed.",
    "Sign after `make image`; an image made anew is a new release: `make image sign`.",
)
OTHER_PARTS = Reason(
    "P129",
    "The signature is about everything else that is released: data, contract, settings.",
    "What {release} promotes hashes to {actual}; {signed} was signed.",
    "Put back the release file; what differs is a new release: `make package sign`.",
)
SCOPE = Reason(
    "P130",
    "A promotion changes one release.yaml and what belongs to it; nothing else changes these.",
    "{found}",
    "Take that out. A promotion is what `make promote` commits, a rollback what `make rollback` "
    "does; settings and policies, like code, are changed by pull requests of their own.",
)
ON_BASE = Reason(
    "P131",
    "What is proposed was computed on the branch it is proposed to.",
    "{commit} is not part of {base}, so neither are the files that this and its evidence rest on.",
    "Merge {commit} into {base} first, or `git switch {base}` and compute it there.",
)
FORWARD = Reason(
    "P132",
    "A pointer moves forward only, along the main branch, to what was verified live.",
    "{found}",
    "Deploy what {base} holds (`make deploy ENV={environment}`), then `make advance "
    "ENV={environment}`. A branch that people moved aside is put back by them: "
    "`git push --force-with-lease origin origin/{base}:{environment}`.",
)

REASONS = (
    SCHEMA,
    SEAL,
    CATALOGUE,
    UNIQUE,
    QUARANTINED,
    PLACE,
    ORDER,
    ORIGIN,
    MISSING,
    OTHER,
    VERDICT,
    AGE,
    FUTURE,
    FREEZE,
    SOURCE,
    CLEAN,
    ALONE,
    NOTHING,
    NO_WAY_BACK,
    NEVER_HERE,
    BUNDLE,
    UNSIGNED,
    STRANGER,
    ALTERED,
    OTHER_BUNDLE,
    OTHER_MODEL,
    OTHER_COMMIT,
    OTHER_IMAGE,
    OTHER_PARTS,
    SCOPE,
    ON_BASE,
    FORWARD,
)
