"""The environments: their order, and what their files may say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops.config.documents import parse
from mlops.errors import UserError
from mlops.releases import environments
from mlops.releases.policy import Freeze, Policy, Replicas, Settings
from mlops.releases.quarantine import Entry, parse_entries, with_entry
from mlops.releases.release import parse_release

ROOT = Path(__file__).parents[3]


def test_the_files_of_this_repository_are_valid():
    """What is in environments/ can be read, and every environment has its place."""
    results = [environments.environment(name) for name in environments.folders()]
    assert {environment.name for environment in results} == set(environments.names())


def test_the_example_of_a_freeze_is_valid():
    """What the comment in a policy shows can be pasted."""
    text = (ROOT / "environments/production/policy.yaml").read_text("utf-8")
    example = next(line[1:] for line in text.splitlines() if line.startswith("#   - {from:"))
    policy = parse(f"from: build\nevidence: []\nfreeze:\n{example}\n", "here", Policy)
    assert policy.freeze[0].timezone == "Europe/Vienna"


@pytest.mark.usefixtures("clone")
def test_the_order_follows_from_the_policies():
    """Names mean nothing; `from:` does."""
    assert environments.names() == ["dev", "staging", "production"]
    assert environments.production().name == "production"


@pytest.mark.usefixtures("clone")
def test_a_new_environment_finds_its_place():
    """A folder with a policy and settings is an environment."""
    Path("environments/canary").mkdir()
    Path("environments/canary/policy.yaml").write_text("from: dev\nevidence: []\n", "utf-8")
    assert environments.names() == ["dev", "canary", "staging", "production"]


@pytest.mark.parametrize("origin", ["production", "dve"])
@pytest.mark.usefixtures("clone")
def test_an_environment_that_leads_nowhere(origin):
    """A circle or a typing error is reported with the existing names."""
    Path("environments/dev/policy.yaml").write_text(f"from: {origin}\nevidence: []\n", "utf-8")
    with pytest.raises(UserError, match=f"from: {origin}"):
        environments.names()


@pytest.mark.usefixtures("clone")
def test_an_environment_of_that_name():
    """A typing error is reported with the nearest name."""
    with pytest.raises(UserError, match="Did you mean 'production'"):
        environments.environment("prodution")


@pytest.mark.usefixtures("clone")
def test_settings_are_missing():
    """The message names the command that restores the file."""
    Path("environments/dev/settings.yaml").unlink()
    with pytest.raises(UserError, match="git checkout HEAD -- environments/dev/settings.yaml"):
        environments.environment("dev")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target: local\nport: 3001\nreplicas: 2\n", "here:3: replicas: unknown key"),
        ("target: local\nport: 70000\n", "here:2: port: found 70000"),
        ("target: local\nport: 3001\nlog_level: loud\n", "here:3: log_level: found 'loud'"),
        ("target: local\n", "port: this key is required"),
        (
            "target: local\nport: 1\nregistry: me:p@host/x\n",
            "here:3: registry: found '***@host/x'. Value error, it holds a password",
        ),
        ("", "here holds no keys"),
    ],
)
def test_wrong_settings(text, message):
    """The message names file, line, key and value."""
    with pytest.raises(UserError) as error:
        parse(text, "here", Settings)
    assert message in str(error.value)


def test_a_key_is_offered_as_the_file_spells_it():
    """In YAML it is `from`, whatever the record calls it; below a list and a renamed key too."""
    with pytest.raises(UserError, match="form: unknown key .*Did you mean 'from'?"):
        parse("form: build\nevidence: []\n", "here", Policy)
    window = "{form: 2026-12-24T00:00, to: 2026-12-27T00:00, timezone: UTC, reason: x}"
    with pytest.raises(UserError, match="freeze.0.form: .*: from, reason, timezone, to. Did you"):
        parse(f"from: build\nevidence: []\nfreeze: [{window}]\n", "here", Policy)
    text = Path(__file__).with_name("release-v1.yaml").read_text("utf-8")
    with pytest.raises(UserError, match="promotedFrom.comit: .*: at, commit, environment. Did you"):
        parse_release(text.replace("    commit:", "    comit:", 1), "here")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("{from: 2026-12-24T00:00, to: 2026-12-27T00:00, timezone: Vienna, reason: x}", "IANA"),
        ("{from: 2026-12-27T00:00, to: 2026-12-24T00:00, timezone: UTC, reason: x}", "later"),
        ("{from: 2026-12-24, to: 2026-12-27T00:00, timezone: UTC, reason: x}", "freeze.0.from"),
        ("{from: 2026-12-24T00:00Z, to: 2026-12-27T00:00, timezone: UTC, reason: x}", "timezone"),
    ],
)
def test_wrong_freeze_windows(window, message):
    """A zone that is none, an end before the start, a day without a time, a time with an offset."""
    with pytest.raises(UserError) as error:
        parse(f"from: build\nevidence: []\nfreeze:\n  - {window}\n", "here", Policy)
    assert message in str(error.value)


@pytest.mark.parametrize("signer", ["{}", "{key: ours, identity: 'https://github.com/o/r'}"])
def test_a_signer_is_a_key_or_an_identity(signer):
    """Neither is nobody, and of both nobody knows which counts."""
    with pytest.raises(UserError, match="either a `key` or an `identity`"):
        parse(f"from: build\nevidence: []\nsigned_by: [{signer}]\n", "here", Policy)
    policy = parse("from: build\nevidence: []\nsigned_by: [{key: ours}]\n", "here", Policy)
    assert policy.signed_by[0].name == "the key ours"


@pytest.mark.parametrize(("least", "most", "good"), [(2, 1, False), (2, 2, True), (1, 3, True)])
def test_replicas_grow(least, most, good):
    """From the least to the most, which may be the same."""
    text = f"least: {least}\nmost: {most}\n"
    if good:
        assert parse(text, "here", Replicas).most == most
    else:
        with pytest.raises(UserError, match="must not be less"):
            parse(text, "here", Replicas)


def freeze(start, end, timezone="Europe/Vienna"):
    """A window of local times."""
    return Freeze.model_validate(
        {
            "from": datetime.fromisoformat(start),
            "to": datetime.fromisoformat(end),
            "timezone": timezone,
            "reason": "x",
        }
    )


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-12-23T22:59", False),
        ("2026-12-23T23:00", True),
        ("2026-12-26T22:59", True),
        ("2026-12-26T23:00", False),
    ],
)
def test_a_window_is_in_local_time_without_its_end(moment, frozen):
    """Midnight in Vienna is 23:00 UTC in winter."""
    window = freeze("2026-12-24T00:00", "2026-12-27T00:00")
    assert window.contains(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is frozen


def test_a_window_over_the_change_of_the_clocks():
    """Both ends count in their own offset: 24 hours less one are frozen in spring."""
    window = freeze("2026-03-29T00:00", "2026-03-30T00:00")
    assert window.contains(datetime(2026, 3, 28, 23, 0, tzinfo=UTC))
    assert not window.contains(datetime(2026, 3, 29, 22, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        # 02:30 comes twice on 25 October: at 00:30 and at 01:30 UTC.
        ("2026-10-25T02:30", "2026-10-25T05:00", "2026-10-25T00:30", "2026-10-25T03:59"),
        ("2026-10-24T00:00", "2026-10-25T02:30", "2026-10-23T22:00", "2026-10-25T01:29"),
        # 02:30 does not come on 29 March: 01:30 and 03:30 are half an hour from the change.
        ("2026-03-29T02:30", "2026-03-29T12:00", "2026-03-29T00:30", "2026-03-29T09:59"),
    ],
)
def test_a_local_time_that_comes_twice_or_never(start, end, first, last):
    """In doubt the longer window holds."""
    window, minute = freeze(start, end), 60
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first, last))
    moments = [first.timestamp() - minute, first.timestamp(), last.timestamp()]
    moments.append(last.timestamp() + minute)
    results = [window.contains(datetime.fromtimestamp(moment, UTC)) for moment in moments]
    assert results == [False, True, True, False]


@pytest.mark.parametrize(
    "text", ["", "# None yet.", "# None yet.\n", "- {{releaseId: {0}, reason: x, at: '{1}'}}"]
)
def test_an_entry_is_added_whatever_the_file_ends_with(text):
    """A last line without its end would swallow it, a comment without a word."""
    ids = [f"churn-20261121-000{n}-0123456789ab" for n in (1, 2)]
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    text = text.format(ids[0], "2026-11-21T10:00:00Z")
    longer = with_entry(text, Entry(release_id=ids[1], reason="slow", at=at))
    assert longer.startswith(text) and parse_entries(longer)[-1].release_id == ids[1]
    assert with_entry(longer, Entry(release_id=ids[1], reason="again", at=at)) == longer


def test_an_unreadable_quarantine():
    """A broken list is an error, never an empty one."""
    with pytest.raises(UserError, match="quarantine.yaml"):
        parse_entries("- {releaseId: nobody, reason: x, at: '2026-11-21T10:00:00Z'}\n")
