"""kill -9 at any moment of a promotion or rollback: the same command finishes it."""

import itertools
import os
import signal

import pytest

from mlops import cli, git

# Of a promotion into dev: each of two files before and after it is renamed, then before and
# after git adds and commits.
MOMENTS = range(8)


def killed(arguments, moment):
    """Run a step in a process of its own that is killed at this moment of writing."""
    child = os.fork()
    if child == 0:
        kill_at(moment)
        os._exit(cli.main(arguments))
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def kill_at(moment):
    """Count what is written from here on, before and after, and kill this process at that count."""
    count = itertools.count()

    def pass_moment():
        if next(count) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(action, counts):
        def counted(*args, **kwargs):
            if not counts(args):
                return action(*args, **kwargs)
            pass_moment()
            done = action(*args, **kwargs)
            pass_moment()
            return done

        return counted

    os.replace = around(os.replace, lambda _: True)
    git.git = around(git.git, lambda args: args[0] in ("add", "commit"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_promotion(clone, moment):
    """There is one promotion in the end, and no file left over."""
    release_id = clone.package()
    killed(["promote", "--env", "dev"], moment)
    assert clone.mlops("promote", "--env", "dev").code == 0
    assert clone.held("dev") == release_id
    assert clone.git("log", "--format=%s").splitlines().count(f"Promote {release_id} to dev") == 1
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_rollback(clone, two, moment):
    """It goes back once, with one entry in quarantine."""
    arguments = ["rollback", "--env", "production", "--reason", "slow"]
    killed(arguments, moment)
    assert clone.mlops(*arguments).code == 0
    assert clone.held("production") == two[0]
    assert clone.git("show", "HEAD:environments/quarantine.yaml").count("releaseId") == 1
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.parametrize("moment", [0, 3])
def test_what_runs_is_untouched_by_a_killed_promotion(clone, two, moment):
    """Until the commit HEAD holds what it held, and `deploy` serves it."""
    new = clone.ship("dev", model="three")
    killed(["promote", "--env", "staging"], moment)
    assert clone.held("staging") == two[1] != new
