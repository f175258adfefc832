"""Which rules each step applies: the one table behind promote, check-release, deploy and rollback.

A step gathers the facts (releases/gather.py) and applies its checks in the order given here.
"""

from collections.abc import Callable, Iterable, Iterator

from mlops.releases.rules import evidence, freeze, integrity, order, scope, signature
from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import PromotionRule, Refusal, require_none

Check = Callable[[Facts], Iterator[Refusal]]

# `promote`: whether the release may be used at all. It holds also where the release is already.
PROMOTE: tuple[Check, ...] = (
    order.check_last_move,
    integrity.check_committed,
    integrity.check_catalogue,
    integrity.check_unique,
    freeze.check_quarantine,
    signature.check_signature,
)
# `promote`, after that: whether the environment may take it now.
MOVE: tuple[Check, ...] = (
    order.check_sequence,
    integrity.check_source,
    evidence.check_evidence,
    freeze.check_freeze,
)
# `deploy` and `render`.
DEPLOY: tuple[Check, ...] = (
    integrity.check_committed,
    integrity.check_catalogue,
    integrity.check_unique,
    freeze.check_quarantine,
    order.check_last_move,
    order.check_sequence,
    order.check_ran_here,
    order.check_origin,
    integrity.check_source,
    evidence.check_evidence,
    evidence.check_promotion_date,
    freeze.check_freeze,
)
# `deploy`, after that: the signature, for which the store is read.
START: tuple[Check, ...] = (signature.check_signature,)
# `propose`: whether the base branch can take the commit.
PROPOSE: tuple[Check, ...] = (order.check_base, freeze.check_base_quarantine)
# `check-release`, after scope.check_scope.
MERGE: tuple[Check, ...] = (
    *PROPOSE,
    scope.check_quarantine_change,
    evidence.check_evidence_files,
    *DEPLOY,
    signature.check_signature,
)
# `rollback`, after order.refuse_hand_edit and order.choose_earlier.
ROLLBACK: tuple[Check, ...] = (
    integrity.check_committed,
    integrity.check_catalogue,
    freeze.check_quarantine,
    integrity.check_bundle,
    signature.check_signature,
)

RULES: tuple[PromotionRule, ...] = tuple(
    sorted(
        (
            value
            for module in (integrity, order, evidence, freeze, signature, scope)
            for value in vars(module).values()
            if isinstance(value, PromotionRule)
        ),
        key=lambda rule: rule.id,
    )
)


def refusals(checks: Iterable[Check], facts: Facts) -> list[Refusal]:
    """Return every refusal of these checks, each once."""
    return list(dict.fromkeys(refusal for check in checks for refusal in check(facts)))


def require(what: str, checks: Iterable[Check], facts: Facts) -> None:
    """Raise Refused with every refusal of these checks, if there is one."""
    require_none(what, refusals(checks, facts))
