"""What a text of the team says about the machinery, changed for an installed one and back."""

import pytest

from mlops.upgrading import rewriting
from mlops.upgrading.rewriting import PinnedUpstream
from mlops.upgrading.upstream import Upstream

SHA = "a" * 40
ORIGIN = PinnedUpstream(Upstream("acme/template", SHA), "1.2.0")
WHEEL = "https://example.org/mlops_machinery-1.2.0-py3-none-any.whl"
PROJECT = """\
[project]
dependencies = [
    "mlops-machinery[steps,maintain]", # why
    "pandas",
]

[dependency-groups]
serve = ["mlops-machinery"]

[tool.uv.sources]
mlops-machinery = { path = "machinery", editable = true }

[tool.black]
line-length = 100
"""


@pytest.mark.parametrize(
    ("own", "remote"),
    [
        (
            "uses: $/.github/workflows/reusable-plan.yml",
            f"uses: acme/template/.github/workflows/reusable-plan.yml@{SHA} # v1.2.0",
        ),
        (
            "- uses: $/.github/actions/setup",
            f"- uses: acme/template/.github/actions/setup@{SHA} # v1.2.0",
        ),
        (f"uses: $/{rewriting.SIGNS}", f"uses: $/{rewriting.SIGNS}"),
        ("uses: actions/checkout@" + SHA, "uses: actions/checkout@" + SHA),
        ("uses: $/.github/workflows/ours.yml", "uses: $/.github/workflows/ours.yml"),
    ],
    ids=["workflow", "action", "signs", "of others", "of the team"],
)
def test_a_workflow_uses_what_is_the_machinerys_from_the_upstream(own, remote):
    assert rewriting.workflow_outward(own, ORIGIN) == remote
    assert rewriting.workflow_inward(remote, ORIGIN) == own


def test_a_workflow_of_another_upstream_stays():
    other = f"uses: else/where/.github/workflows/reusable-plan.yml@{SHA} # v1.2.0"
    assert rewriting.workflow_inward(other, ORIGIN) == other
    assert {one.upstream.repository for one in rewriting.origins(other)} == {"else/where"}


@pytest.mark.parametrize(
    ("name", "here", "there"),
    [
        ("README.md", "](machinery/docs/gate.md#x)", f"blob/{SHA}/machinery/docs/gate.md#x)"),
        ("data/README.md", "](../machinery/docs/gpu.md)", f"blob/{SHA}/machinery/docs/gpu.md)"),
        ("README.md", "](machinery/docs/a.png)", f"raw/{SHA}/machinery/docs/a.png)"),
        ("README.md", "](data/README.md)", "](data/README.md)"),
        (
            "environments/monitoring/alerts.yaml",
            "  runbook: machinery/docs/watching.md#slow",
            f"blob/{SHA}/machinery/docs/watching.md#slow",
        ),
    ],
)
def test_a_link_to_the_machinery_leads_to_the_upstream(name, here, there):
    text = rewriting.page_outward(here, name, ORIGIN)
    assert text.endswith(there)
    assert rewriting.page_inward(text, name, ORIGIN) == here


def test_pyproject_depends_on_the_wheel_and_on_the_folder_again():
    text = rewriting.project_outward(PROJECT, WHEEL)
    assert f'"mlops-machinery[steps] @ {WHEEL}", # why' in text
    assert "tool.uv.sources" not in text and 'serve = ["mlops-machinery"]' in text
    assert rewriting.project_inward(text) == PROJECT


def test_another_source_of_the_team_stays():
    """Only the line of the machinery goes, and comes back."""
    other = 'ours = { path = "ours" }\n'
    project = PROJECT.replace(rewriting.SOURCE, rewriting.SOURCE + other)
    text = rewriting.project_outward(project, WHEEL)
    assert rewriting.SOURCES + other in text
    assert rewriting.project_inward(text) == project


def test_a_lock_keeps_its_own_versions_and_takes_what_it_lacks():
    own = "# made by\na==1 \\\n    --hash=x\nmlops-machinery @ http://x \\\n    --hash=y\n"
    theirs = "# made by\na==2 \\\n    --hash=z\nb==3 \\\n    --hash=z\n    # via a\n"
    lock = rewriting.lock_inward(own, theirs)
    assert lock == "a==1 \\\n    --hash=x\nb==3 \\\n    --hash=z\n    # via a\n"
