"""kill -9 while it retrains: the checkout is as it was, and the same command finishes it."""


def test_a_killed_retraining_leaves_no_half_proposal(shop, state, proposals):
    """Whenever it dies there is either no branch or one that was judged; then it converges."""
    before = state()
    for seconds in (0.7, 1.5, 2.5, 4.0):
        shop.killed_after(seconds, "retrain")
        assert state()[:4] == before[:4]
        judged = (shop.folder / "build/retrain/verdict.json").exists()
        assert judged or not proposals()
    done = shop.mlops("retrain")
    assert "q4" in done.stdout
    assert proposals() == ["retrain/q4"]
    assert state() == before
    assert not (shop.folder / "build/retrain/worktree").exists()
