"""The texts of pull requests, with content from elsewhere escaped. No I/O."""

import re
from collections.abc import Sequence
from datetime import datetime

from mlops.console import age
from mlops.github.proposals import Move, Offer, Retraining, Upgrade
from mlops.releases.release import Evidence
from mlops.report.markdown import code, escape

WIDTH = 300
# GitHub accepts 65,536 characters; leave some for the text around a report.
MOST = 60_000


def move_body(offer: Move, server: str, now: datetime) -> str:
    """Return the body for a promotion or rollback; `server` is the repository's page."""
    environment, spec = offer.environment, offer.release.spec
    verb = "goes back to" if spec.rollback else "takes"
    parts = [f"`{environment}` {verb} **`{offer.name}`**.", _facts(offer, server)]
    if spec.rollback:
        parts.append(f"Why: {escape(spec.rollback.reason, WIDTH)}")
    parts += [_evidence(spec.evidence, now), _try_it(offer, *_commands(environment))]
    parts.append(
        f"After the merge it is deployed to `{environment}`. If you close it, nothing happens. "
        "It takes this commit only: put any other change into another pull request."
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
    return _table(("evidence", "from", "verdict", "result", "age"), shown)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _commands(environment: str) -> tuple[str, str]:
    where = "# MLOPS_STORE names the store with its bundle"
    return "make check-release", f"make deploy ENV={environment}  {where}"


def _try_it(offer: Offer, *commands: str) -> str:
    fetch = f"git fetch origin {offer.branch} && git switch --detach FETCH_HEAD"
    return "\n".join(["Look at it on your machine:\n", "```sh", fetch, *commands, "```"])


def retraining_body(offer: Retraining, report: str, run: str | None) -> str:
    """Return the body for a retraining; `report` is its report as Markdown."""
    details = offer.details
    reasons = [f"- {_cell(why['kind'])}: {_cell(why['reason'])}" for why in details["triggers"]]
    where = f" ([the run]({run}))" if run else ""
    parts = [
        "The model was retrained for production, and the gate accepts it.",
        "\n".join(reasons),
        f"It would replace `{details['production']}`. Model: `{details['model_digest'][:19]}`.",
        f"Verdict of the gate: **{details['verdict']}**: {_cell(details['reason'])}{where}",
        _try_it(offer, "make check-data train evaluate report gate"),
        "After the merge it is packed and promoted like every release. If you close it, production "
        "keeps its model; the next run proposes again only after this branch is deleted.",
    ]
    body = "\n\n".join(parts)
    if report and len(body) + len(report) < MOST:
        body += f"\n\n<details><summary>The report</summary>\n\n{report}\n</details>"
    return body + "\n"


def upgrade_body(offer: Upgrade) -> str:
    """Return the body for an upgrade; its commit's message lists the tasks for a person."""
    _, _, rest = offer.message.partition("\n")
    parts = [
        "A newer release of the machinery, in one commit. Your own files stay as they are, "
        "except for keys that were renamed.",
        code_block(rest.strip()),
        _try_it(offer, "git show --stat", "make test"),
        "Read what changed in `.github/` before you merge: it runs with your tokens. "
        "If you close it, nothing happens.",
    ]
    return "\n\n".join(parts) + "\n"


def code_block(text: str) -> str:
    """Return a text as a code block that its content cannot close."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=2) + 3)
    return f"{fence}text\n{text[:MOST]}\n{fence}"


def _cell(text: str) -> str:
    return escape(text, WIDTH)


def superseded(offer: Offer, number: int) -> str:
    """Return the comment on an older proposal that a newer one closes."""
    where = f" in {offer.environment}" if offer.environment else ""
    return (
        f"Closed: #{number} proposes `{offer.name}`{where} now, and only one proposal is open at a "
        "time. Nothing is lost: this branch can be restored here."
    )


def recomputed(offer: Offer) -> str:
    """Return the comment on a proposal that can no longer be merged as it is."""
    return (
        f"Closed: `{offer.name}` is proposed again, because the base branch, the replaced release "
        "or the evidence has changed."
    )
