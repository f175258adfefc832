"""Rules about signatures, P122 to P129 and P133; mlops/signing/ reads and verifies them."""

from collections.abc import Iterator

from mlops.releases.rules.facts import Facts
from mlops.releases.rules.rule import PromotionRule, Refusal

UNSIGNED = PromotionRule(
    "P122",
    "A release is signed if the policy demands it.",
    "The store {store} has no signature of {release}; {environment} demands one by {signers}.",
    "Run `make sign`, or `make sign ARGS='--release {release}'` for a release that was promoted "
    "before (machinery/docs/signing.md).",
)
STRANGER = PromotionRule(
    "P123",
    "Only a signer named in the policy counts.",
    "{release} is signed by {found}; {environment} demands one of: {signers}.",
    "Let one of these sign it, or add the signer to `signed_by` in "
    "environments/{environment}/policy.yaml by a pull request that gives the reason.",
)
ALTERED = PromotionRule(
    "P124",
    "The signed files and the signature are unchanged.",
    "The {what} of {release} was changed: {fault}.",
    "Do not use it, and find out who can write to the store. `make package sign` at the release's "
    "commit replaces it.",
)
OTHER_BUNDLE = PromotionRule(
    "P125",
    "The signature covers the released bundle.",
    "{release} names the bundle {actual}; {signed} was signed.",
    "Restore the release or the signature, whichever was exchanged; sign only what was built.",
)
OTHER_MODEL = PromotionRule(
    "P126",
    "The signature covers the released model.",
    "{release} names the model {actual}; {signed} was signed.",
    "Restore the release file; a new model needs a new release: `make package sign`.",
)
OTHER_COMMIT = PromotionRule(
    "P127",
    "The signature covers the released commit.",
    "{release} names the commit {actual}; {signed} was signed.",
    "Restore the release file; another commit needs a new release: `make package sign`.",
)
OTHER_IMAGE = PromotionRule(
    "P128",
    "The signature covers the released image.",
    "{release} names the image {actual}; {signed} was signed.",
    "Sign after `make image`; a new image needs a new release: `make image sign`.",
)
OTHER_PARTS = PromotionRule(
    "P129",
    "The signature covers all other promoted parts: data, contract, settings.",
    "The promoted content of {release} hashes to {actual}; {signed} was signed.",
    "Restore the release file; other content needs a new release: `make package sign`.",
)

OTHER_SOURCE = PromotionRule(
    "P133",
    "A workflow's signature counts only for its own repository, at the ref in the policy.",
    "{release} is signed by {found}, in a run of {source}. {environment} allows {allowed}.",
    "Whoever calls a workflow decides what it signs: find out who made the signature before you "
    "use the release. Let a run of the allowed repository at that ref build and sign it. If you "
    "call a workflow of another repository, copy it into yours, and name the copy in `signed_by` "
    "of environments/{environment}/policy.yaml.",
)


def check_signature(facts: Facts) -> Iterator[Refusal]:
    """Refuse a release without the signature that the policy demands."""
    yield from facts.signature
