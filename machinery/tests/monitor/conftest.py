"""Logs of past days, written as the service writes them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from mlops.serving.log import PredictionLog, ScoredBatch, line

RELEASE = "mini-20260101-0001-0123456789ab"


@pytest.fixture
def write_log():
    """Return a function that logs rows of a past day in a folder."""

    def write(folder, day, rows, release_id=RELEASE, scores=None):
        """Log rows half an hour before midnight; return their ids."""
        log = PredictionLog(folder, "predictions-1")
        ids = [f"{release_id[-4:]}-{day}-{number}" for number in range(len(rows))]
        scores = [0.5] * len(rows) if scores is None else scores
        moment, body = datetime.fromisoformat(f"{day}T23:30:00+00:00"), {"rows": list(rows)}
        encoded, sent = [one.encode() for one in ids], [json.dumps(body).encode()]
        log.append(
            line(release_id, ScoredBatch(moment, sent, {}, encoded, list(map(float, scores))))
        )
        log.close()
        return ids

    return write


@pytest.fixture
def days():
    """Return a function that returns so many consecutive days."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return lambda count: [(first + timedelta(n)).date().isoformat() for n in range(count)]
