"""A promotion rule and its refusal."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlops.errors import Refused
from mlops.rules import Rule


@dataclass(frozen=True)
class Refusal:
    """One broken rule: the value against what is allowed, and the remedy."""

    rule: str
    sentence: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"  {self.rule} {self.sentence}\n       {self.detail}\n       {self.remedy}"


@dataclass(frozen=True)
class PromotionRule(Rule):
    """A rule with the text of its refusal; the check fills in the {names}."""

    detail: str
    remedy: str

    def refuse(self, **values: object) -> Refusal:
        """Return the refusal with these values."""
        texts = (text.format_map(values) for text in (self.detail, self.remedy))
        return Refusal(self.id, self.sentence, *texts)

    @property
    def row(self) -> str:
        """The rule's row in machinery/docs/promotion.md, with {names} in capitals."""
        remedy = re.sub(r"{(\w+)}", lambda name: name[1].upper(), self.remedy)
        return f"| {self.id} | {self.sentence} | {remedy} |"


def refused(what: str, refusals: Iterable[Refusal]) -> Refused:
    """Return the error that names what was refused and every reason."""
    return Refused("\n".join([what, *map(str, refusals)]))


def require_none(what: str, refusals: Iterable[Refusal]) -> None:
    """Raise Refused with every reason, if there is one."""
    if reasons := list(refusals):
        raise refused(what, reasons)
