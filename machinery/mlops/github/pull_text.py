"""What a pull request says to its reviewer; texts of others are shown as they are. No I/O."""

import re
from collections.abc import Sequence
from datetime import datetime

from mlops.console import age
from mlops.github.proposals import Move, Offer, Retraining, Upgrade
from mlops.releases.release import Evidence
from mlops.report.markdown import code, escape

WIDTH = 300
# GitHub takes 65,536 letters; the text around a report needs a few.
MOST = 60_000


def move_body(offer: Move, server: str, now: datetime) -> str:
    """Return what is said of a promotion or rollback; `server` is the repository's page."""
    place, spec = offer.place, offer.release.spec
    verb = "goes back to" if spec.rollback else "takes"
    parts = [f"`{place}` {verb} **`{offer.name}`**.", _facts(offer, server)]
    if spec.rollback:
        parts.append(f"Why: {escape(spec.rollback.reason, WIDTH)}")
    parts += [_evidence(spec.evidence, now), _try_it(offer, *_commands(place))]
    parts.append(
        f"Merged, it is deployed to `{place}`. Closed, nothing happens. It takes nothing but this "
        "commit: what else is to change goes into another pull request."
    )
    return "\n\n".join(parts) + "\n"


def _facts(offer: Move, server: str) -> str:
    spec, promoted = offer.release.spec, offer.release.promoted
    built = promoted.source.commit
    origin = spec.promoted_from
    rows = [
        ("replaces", f"`{spec.supersedes}`" if spec.supersedes else "nothing: the first one here"),
        ("between them", _between(offer.skipped)),
        ("from", f"{origin.environment} at {_commit(server, origin.commit)}" if origin else "?"),
        ("model", f"{escape(promoted.model.name, WIDTH)}, `{promoted.model.digest[:19]}`"),
        (
            "data",
            f"trained on {_span(promoted.data.train)}, judged on {_span(promoted.data.holdout)}",
        ),
        ("bundle", f"`{promoted.bundle.digest[:19]}`"),
        (
            "code",
            f"{_commit(server, built)}, [its report and checks]({server}/commit/{built}/checks)",
        ),
    ]
    if promoted.image:
        rows.append(("image", code(promoted.image.ref, WIDTH)))
    return _table(("", ""), rows)


def _between(skipped: int) -> str:
    if not skipped:
        return "no other release"
    return f"{skipped} release{'s' if skipped > 1 else ''} that never ran here"


def _span(names: Sequence[str]) -> str:
    ends = [escape(name, WIDTH) for name in (names[0], names[-1])] if names else ["nothing"]
    return " to ".join(dict.fromkeys(ends))


def _commit(server: str, commit: str) -> str:
    return f"[`{commit[:12]}`]({server}/commit/{commit})"


def _evidence(evidence: Sequence[Evidence], now: datetime) -> str:
    if not evidence:
        return "There is no evidence; the policy demands none."
    rows = [
        (proof.kind, proof.environment, proof.verdict, proof.reason or "-", age(proof.at, now))
        for proof in evidence
    ]
    shown = [tuple(escape(cell, WIDTH) for cell in row) for row in rows]
    return _table(("evidence", "from", "verdict", "what it found", "age"), shown)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _commands(place: str) -> tuple[str, str]:
    where = "# MLOPS_STORE says where its bundle is"
    return "make check-release", f"make deploy ENV={place}  {where}"


def _try_it(offer: Offer, *commands: str) -> str:
    fetch = f"git fetch origin {offer.branch} && git switch --detach FETCH_HEAD"
    return "\n".join(["Look at it on your machine:\n", "```sh", fetch, *commands, "```"])


def retraining_body(offer: Retraining, report: str, run: str | None) -> str:
    """Return what is said of a retraining; `report` is its report as Markdown."""
    told = offer.told
    reasons = [f"- {_cell(why['kind'])}: {_cell(why['reason'])}" for why in told["triggers"]]
    where = f" ([the run]({run}))" if run else ""
    parts = [
        "Production's model was trained anew, and the gate lets it through.",
        "\n".join(reasons),
        f"It would take the place of `{told['production']}`. Model: `{told['model_digest'][:19]}`.",
        f"The gate says **{told['verdict']}**: {_cell(told['reason'])}{where}",
        _try_it(offer, "make check-data train evaluate report gate"),
        "Merged, it is packed and takes the road of every release. Closed, production keeps its "
        "model and the next run proposes again only when this branch is gone.",
    ]
    body = "\n\n".join(parts)
    if report and len(body) + len(report) < MOST:
        body += f"\n\n<details><summary>The report</summary>\n\n{report}\n</details>"
    return body + "\n"


def upgrade_body(offer: Upgrade) -> str:
    """Return what is said of an upgrade: its commit's message says what a person must do."""
    _, _, rest = offer.message.partition("\n")
    parts = [
        "A newer release of the machinery, in one commit. What is yours was left as it is, "
        "but for keys that have another name now.",
        code_block(rest.strip()),
        _try_it(offer, "git show --stat", "make test"),
        "Read what changed in `.github/` before you merge: it runs with your tokens. "
        "Closed, nothing happens.",
    ]
    return "\n\n".join(parts) + "\n"


def code_block(text: str) -> str:
    """Return a text that is shown as it is, whatever it holds."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=2) + 3)
    return f"{fence}text\n{text[:MOST]}\n{fence}"


def _cell(text: str) -> str:
    return escape(text, WIDTH)


def superseded(offer: Offer, number: int) -> str:
    """Return what an older proposal is told when it is closed."""
    where = f" in {offer.place}" if offer.place else ""
    return (
        f"Closed: `{offer.name}` is proposed{where} by #{number} now, and one proposal at a time "
        "is open. Nothing is lost: this branch can be restored here."
    )


def recomputed(offer: Offer) -> str:
    """Return what a proposal is told that no longer can be merged as it is."""
    return (
        f"Closed: `{offer.name}` is proposed anew, since the branch it was computed on, what it "
        "replaces or the evidence it brings is no longer current."
    )
